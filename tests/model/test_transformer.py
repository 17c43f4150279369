"""The transformer equals the published class, and a result does not depend on what shares its batch."""

import pytest
import torch

from omnialpha_cli.model.positions import Layout
from omnialpha_cli.model.transformer import TimeEmbedding, Transformer, TransformerConfig, pack, rounded, unpack

pytestmark = pytest.mark.slow  # importing diffusers takes seconds

PUBLISHED = {
    "_class_name": "QwenImageTransformer2DModel",
    "patch_size": 2,
    "in_channels": 64,
    "out_channels": 16,
    "num_layers": 2,
    "attention_head_dim": 32,
    "num_attention_heads": 3,
    "joint_attention_dim": 24,
    "guidance_embeds": False,
    "pooled_projection_dim": 768,
    "axes_dims_rope": [8, 12, 12],
}


@pytest.fixture(scope="module")
def pair():
    """The published class with random weights, and ours holding the very same state dict."""
    from diffusers import QwenImageTransformer2DModel

    torch.manual_seed(0)
    keys = {k: v for k, v in PUBLISHED.items() if k not in ("_class_name", "pooled_projection_dim")}
    reference = QwenImageTransformer2DModel(**keys).eval()
    with torch.no_grad():
        for p in reference.parameters():  # biases and norm weights too, or a swapped pair would pass
            p.normal_(std=0.2)
    with torch.device("meta"):
        ours = Transformer(TransformerConfig.from_dict(PUBLISHED))
    ours.load_state_dict(reference.state_dict(), assign=True)
    return reference, ours.eval()


def random_request(layout: Layout, batch: int, length: int, seed: int = 1):
    g = torch.Generator().manual_seed(seed)
    tokens = torch.randn(batch, layout.num_tokens, 64, generator=g)
    context = torch.randn(batch, length, 24, generator=g)
    return tokens, context, torch.rand(batch, generator=g)


def relative(a: torch.Tensor, b: torch.Tensor) -> float:
    return float((a - b).abs().max() / b.abs().max())


def run_reference(reference, layout, tokens, context, sigma, mask=None):
    return reference(
        hidden_states=tokens,
        encoder_hidden_states=context,
        encoder_hidden_states_mask=mask,
        timestep=sigma,
        img_shapes=[[(1, h, w) for h, w in layout.images]] * len(tokens),
        return_dict=False,
    )[0][:, : layout.num_targets]


@pytest.mark.parametrize(
    "layout",
    [
        Layout([(4, 6)]),
        Layout([(4, 6)], [(4, 6)]),
        Layout([(5, 3)], [(5, 3), (2, 7)]),
        Layout([(3, 4), (3, 4)], [(3, 4)]),
        Layout([(3, 4), (2, 5), (7, 1)], [(3, 4), (1, 1)]),
    ],
    ids=str,
)
@torch.no_grad()
def test_equals_the_published_class(pair, layout):
    tokens, context, sigma = random_request(layout, batch=2, length=9)
    expected = run_reference(pair[0], layout, tokens, context, sigma)
    assert relative(pair[1](tokens, context, sigma, layout), expected) < 1e-4


@torch.no_grad()
def test_ragged_context_equals_the_published_class_and_each_item_alone(pair):
    layout = Layout([(4, 5)], [(4, 5)])
    tokens, context, sigma = random_request(layout, batch=3, length=8)
    mask = torch.arange(8)[None] < torch.tensor([8, 3, 5])[:, None]
    ours = pair[1](tokens, context, sigma, layout, mask)
    assert relative(ours, run_reference(pair[0], layout, tokens, context, sigma, mask)) < 1e-4
    for i, length in enumerate((8, 3, 5)):
        alone = pair[1](tokens[i : i + 1], context[i : i + 1, :length], sigma[i : i + 1], layout)
        assert relative(ours[i : i + 1], alone) < 1e-4


@torch.no_grad()
def test_no_mask_is_a_mask_of_ones(pair):
    layout = Layout([(2, 3)])
    tokens, context, sigma = random_request(layout, batch=2, length=4)
    plain = pair[1](tokens, context, sigma, layout)
    assert torch.equal(plain, pair[1](tokens, context, sigma, layout, torch.ones(2, 4, dtype=torch.bool)))


@torch.no_grad()
def test_forward_is_prepare_then_step(pair):
    layout = Layout([(2, 3)], [(3, 2)])
    tokens, context, sigma = random_request(layout, batch=1, length=4)
    prepared = pair[1].prepare(tokens[:, 6:], context, layout)
    assert torch.equal(pair[1].step(tokens[:, :6], sigma, prepared), pair[1](tokens, context, sigma, layout))


@torch.no_grad()
def test_context_positions_move_the_result(pair):
    layout = Layout([(4, 4)])
    tokens, context, sigma = random_request(layout, batch=1, length=4)
    diagonal = torch.arange(2.0, 6.0)[None, :, None].expand(1, 4, 3)
    plain = pair[1](tokens, context, sigma, layout)
    assert torch.allclose(pair[1](tokens, context, sigma, layout, None, diagonal), plain, atol=1e-6)
    assert not torch.allclose(pair[1](tokens, context, sigma, layout, None, diagonal + 1.5), plain, atol=1e-4)


def test_packing_is_row_major_with_channels_first_in_a_patch():
    latents = torch.arange(2 * 4 * 6, dtype=torch.float32).view(1, 2, 4, 6)
    tokens = pack(latents, 2)
    assert tokens.shape == (1, 6, 8)
    assert tokens[0, 1].tolist() == [2, 3, 8, 9, 26, 27, 32, 33]  # second patch of the first row: c, then dy, then dx
    assert torch.equal(unpack(tokens, 2, 3, 2), latents)


def test_bases_that_give_inputs_a_sigma_of_zero_equal_the_published_class(pair):
    """Qwen-Image-Edit-2511: one target, and any number of inputs."""
    reference = type(pair[0])(**{**pair[0].config, "zero_cond_t": True}).eval()
    reference.load_state_dict(pair[0].state_dict())
    ours = Transformer(TransformerConfig.from_dict({**PUBLISHED, "zero_cond_t": True})).eval()
    ours.load_state_dict(pair[0].state_dict())
    for layout in (Layout([(4, 6)]), Layout([(4, 6)], [(4, 6)]), Layout([(5, 3)], [(5, 3), (2, 7)])):
        tokens, context, sigma = random_request(layout, batch=2, length=9)
        with torch.no_grad():
            found, plain = (model(tokens, context, sigma, layout) for model in (ours, pair[1]))
            assert relative(found, run_reference(reference, layout, tokens, context, sigma)) < 1e-4
        assert not layout.inputs or relative(found, plain) > 0.05


def test_such_bases_refuse_several_targets_by_name():
    layout = Layout([(2, 2), (2, 2)], [(2, 2)])
    model = Transformer(TransformerConfig.from_dict({**PUBLISHED, "zero_cond_t": True}))
    tokens, context, sigma = random_request(layout, batch=1, length=4)
    with pytest.raises(ValueError, match=r"one image at a time \(zero_cond_t\), and 2 are asked for"):
        model(tokens, context, sigma, layout)


@pytest.mark.parametrize("key", ["guidance_embeds", "use_layer3d_rope", "use_additional_t_cond"])
def test_variants_that_would_change_the_output_are_refused(key):
    assert TransformerConfig.from_dict({**PUBLISHED, key: False}).num_layers == 2
    with pytest.raises(ValueError, match=key):
        TransformerConfig.from_dict({**PUBLISHED, key: True})


def test_an_unknown_key_is_refused():
    with pytest.raises(ValueError, match="num_layer_s"):
        TransformerConfig.from_dict({**PUBLISHED, "num_layer_s": 2})


def test_the_published_configuration_has_20_billion_parameters():
    with torch.device("meta"):
        full = Transformer(TransformerConfig())
    assert round(sum(p.numel() for p in full.parameters()) / 1e9, 1) == 20.4


# The timestep as the published pipeline holds it in 16 bits.

SIGMAS = 1 - torch.rand(100_000, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("dtype", "values"), [(torch.bfloat16, 1941), (torch.float16, 12_577)])
def test_rounding_leaves_few_values_and_is_done_once_for_all(dtype, values):
    once = rounded(SIGMAS, dtype)
    assert torch.equal(rounded(once, dtype), once)
    assert values / 3 < len(once.unique()) <= values
    assert float((once / SIGMAS - 1).abs().max()) < 2 * torch.finfo(dtype).eps


def test_in_32_bits_it_rounds_nothing():
    assert torch.allclose(rounded(SIGMAS, torch.float32), SIGMAS, rtol=1e-6, atol=0)


@pytest.mark.slow  # importing diffusers takes seconds
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@torch.no_grad()
def test_the_embedding_equals_the_published_one_of_the_timestep_in_that_dtype(dtype):
    from diffusers.models.transformers.transformer_qwenimage import QwenTimestepProjEmbeddings

    torch.manual_seed(0)
    theirs = QwenTimestepProjEmbeddings(48).to(dtype)
    ours, exact = (TimeEmbedding(48, rounding).to(dtype) for rounding in (True, False))
    ours.load_state_dict(theirs.state_dict())
    exact.load_state_dict(theirs.state_dict())
    timestep = (SIGMAS[:50] * 1000).to(dtype) / 1000
    expected = theirs(timestep, torch.empty(0, dtype=dtype))
    tolerance = {"atol": 1e-5 if dtype == torch.float32 else 0.01}
    assert torch.allclose(ours(SIGMAS[:50], dtype), expected, **tolerance)
    if dtype == torch.bfloat16:
        assert not torch.allclose(exact(SIGMAS[:50], dtype), expected, **tolerance)
