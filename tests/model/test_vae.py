"""The 2-D VAE against diffusers' AutoencoderKLQwenImage on one frame."""

import pytest
import torch
from torch import Tensor

from omnialpha_cli.model.config import VAEConfig
from omnialpha_cli.model.vae import AlphaVAE

pytestmark = pytest.mark.slow  # importing diffusers takes seconds

CONFIGS = {
    "small": {"base_dim": 8, "z_dim": 4, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 2},
    "shallow": {"base_dim": 16, "z_dim": 4, "dim_mult": [1, 2], "num_res_blocks": 1, "temperal_downsample": [True]},
    "uneven": {
        "base_dim": 12, "z_dim": 6, "dim_mult": [1, 3, 2], "num_res_blocks": 3, "temperal_downsample": [True, False]
    },
    "rgba": {"base_dim": 8, "z_dim": 4, "dim_mult": [1, 2, 4, 4], "num_res_blocks": 1, "input_channels": 4},
}  # fmt: skip
SIZES = [(32, 32), (16, 48), (40, 24)]


def reference(seed: int = 0, **config):
    """A random reference VAE, gammas and biases away from their defaults, and its config as published in JSON."""
    torch.manual_seed(seed)
    z_dim = config["z_dim"]
    config["latents_mean"] = [0.3 * k - 0.5 for k in range(z_dim)]
    config["latents_std"] = [1.0 + 0.4 * k for k in range(z_dim)]
    from diffusers import AutoencoderKLQwenImage

    vae = AutoencoderKLQwenImage(**config).eval().requires_grad_(False)
    for name, parameter in vae.named_parameters():
        if name.endswith(("gamma", "bias")):
            parameter.add_(0.3 * torch.randn_like(parameter))
    published = {"_class_name": "AutoencoderKLQwenImage", "attn_scales": [], "dropout": 0.0, "input_channels": 3}
    return vae, published | config


def picture(channels: int, size: tuple[int, int], batch: int = 2) -> Tensor:
    return torch.rand(batch, channels, *size, generator=torch.Generator().manual_seed(1)) * 2 - 1


def relative(a: Tensor, b: Tensor) -> float:
    a, b = a.detach(), b.detach()
    return float((a - b).abs().max() / b.abs().max())


@pytest.fixture(params=CONFIGS)
def pair(request):
    vae, config = reference(**CONFIGS[request.param])
    return vae, AlphaVAE.from_published(vae.state_dict(), config).eval()


@pytest.mark.parametrize("size", SIZES)
def test_one_frame_is_encoded_and_decoded_as_the_reference_does(pair, size):
    theirs, ours = pair
    rgba = picture(ours.config.input_channels, size)
    posterior = theirs.encode(rgba[:, :, None]).latent_dist
    mean, logvar = ours.encode_moments(rgba)
    assert mean.shape == (2, ours.config.z_dim, size[0] // ours.downsampling, size[1] // ours.downsampling)
    assert relative(mean, posterior.mean[:, :, 0]) < 1e-5
    assert relative(logvar, posterior.logvar[:, :, 0]) < 1e-5

    latents = (posterior.mode()[:, :, 0] - torch.tensor(theirs.config.latents_mean)[:, None, None]) / torch.tensor(
        theirs.config.latents_std
    )[:, None, None]
    assert relative(ours.encode(rgba), latents) < 1e-5
    decoded = ours.decode(latents)
    assert decoded.shape == rgba.shape
    assert (decoded - theirs.decode(posterior.mode()).sample[:, :, 0]).abs().max() < 1e-5


def test_gradients_do_not_change_the_output(pair):
    _, ours = pair
    rgba = picture(ours.config.input_channels, (16, 16))
    with torch.no_grad():
        without = ours.decode(ours.encode(rgba))
    ours.requires_grad_(True)
    with_gradients = ours.decode(ours.encode(rgba))
    assert torch.allclose(with_gradients, without, atol=1e-6)
    with_gradients.sum().backward()
    assert all(parameter.grad is not None for parameter in ours.parameters())


def test_clamping_is_the_only_difference_of_clamp():
    vae, config = reference(**CONFIGS["small"])
    ours = AlphaVAE.from_published(vae.state_dict(), config)
    torch.nn.init.constant_(ours.decoder.conv_out.bias, 1.0)
    z = torch.randn(1, 4, 4, 4, generator=torch.Generator().manual_seed(2))
    free = ours.decode(z, clamp=False)
    assert free.abs().max() > 1
    assert torch.equal(free.clamp(-1, 1), ours.decode(z))


def test_state_dict_round_trips_in_the_two_dimensional_layout(pair):
    _, ours = pair
    again = AlphaVAE.from_published(ours.state_dict(), ours.config)
    rgba = picture(ours.config.input_channels, (16, 16))
    assert torch.equal(again.encode(rgba), ours.encode(rgba))


def test_exactly_the_temporal_convolutions_are_dropped():
    vae, config = reference(**CONFIGS["small"])
    state = vae.state_dict()
    dropped = state.keys() - AlphaVAE.from_published(state, config).state_dict().keys()
    assert dropped == {name for name in state if ".time_conv." in name}
    assert len(dropped) == 8


def test_opaque_initialisation_keeps_the_rgb_model_and_answers_opaque():
    vae, config = reference(**CONFIGS["small"])
    rgb_vae = AlphaVAE.from_published(vae.state_dict(), config)
    rgba_vae = AlphaVAE.from_published(AlphaVAE.opaque_init(vae.state_dict()), config | {"input_channels": 4})
    rgb = picture(3, (24, 40))
    opaque = torch.cat([rgb, torch.ones_like(rgb[:, :1])], dim=1)
    assert torch.allclose(rgba_vae.encode(opaque), rgb_vae.encode(rgb), atol=1e-6)
    for clamp in (False, True):
        decoded = rgba_vae.decode(rgba_vae.encode(opaque), clamp)
        assert torch.equal(decoded[:, 3], torch.ones_like(decoded[:, 3]))
        assert torch.allclose(decoded[:, :3], rgb_vae.decode(rgb_vae.encode(rgb), clamp), atol=1e-6)


def test_opaque_initialisation_refuses_what_is_not_a_three_channel_state_dict():
    vae, _ = reference(**CONFIGS["rgba"])
    with pytest.raises(ValueError, match="3 channels, not 4"):
        AlphaVAE.opaque_init(vae.state_dict())
    with pytest.raises(ValueError, match=r"missing encoder\.conv_in\.weight"):
        AlphaVAE.opaque_init({})


def test_every_key_that_does_not_fit_is_named():
    vae, config = reference(**CONFIGS["small"])
    state = vae.state_dict()
    state["decoder.extra.weight"] = torch.zeros(1)
    del state["encoder.norm_out.gamma"]
    state["quant_conv.bias"] = torch.zeros(3)
    with pytest.raises(ValueError, match="not the weights") as error:
        AlphaVAE.from_published(state, config)
    for name in ("unknown decoder.extra.weight", "missing encoder.norm_out.gamma", "quant_conv.bias is (3,)"):
        assert name in str(error.value)


def test_an_rgb_checkpoint_is_refused_as_an_rgba_one():
    vae, config = reference(**CONFIGS["small"])
    with pytest.raises(ValueError, match=r"encoder\.conv_in\.weight is \(8, 3, 3, 3\), not \(8, 4, 3, 3\)"):
        AlphaVAE.from_published(vae.state_dict(), config | {"input_channels": 4})


def test_sides_must_be_multiples_of_the_latent_cell():
    ours = AlphaVAE(VAEConfig(base_dim=8, num_res_blocks=1))
    with pytest.raises(ValueError, match="multiples of 8"):
        ours.encode(torch.zeros(1, 4, 20, 16))


def test_bfloat16_follows_float32():
    vae, config = reference(**CONFIGS["rgba"])
    ours = AlphaVAE.from_published(vae.state_dict(), config)
    half = AlphaVAE.from_published({k: v.bfloat16() for k, v in vae.state_dict().items()}, VAEConfig.from_dict(config))
    rgba = picture(4, (16, 16))
    latents = half.encode(rgba.bfloat16())
    decoded = half.decode(latents)
    assert latents.dtype == decoded.dtype == torch.bfloat16
    assert relative(latents.float(), ours.encode(rgba)) < 0.1


def test_a_black_picture_gives_finite_latents_in_half_precision():
    ours = AlphaVAE(VAEConfig(base_dim=8, num_res_blocks=1)).to(torch.float16)
    torch.nn.init.zeros_(ours.encoder.conv_in.bias)
    with torch.no_grad():
        assert ours.encode(torch.zeros(1, 4, 16, 16, dtype=torch.float16)).isfinite().all()
