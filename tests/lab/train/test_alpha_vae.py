"""Training of the published VAE's class: it learns alpha from a base that is opaque, and each term reaches it."""

import json
from dataclasses import replace

import pytest
import torch
from training_runs import RecordedReport

from omnialpha_cli.lab.train.loop import Schedule, train
from omnialpha_cli.lab.train.vae import TrainedVAE, Weights, draw_picture, moments, objective, sample, to_reference
from omnialpha_cli.model.config import VAEConfig
from omnialpha_cli.model.vae import AlphaVAE

SMALL = VAEConfig(base_dim=8, dim_mult=(1, 1, 1, 1), num_res_blocks=1)
STAGE = Schedule(steps=120, lr=4e-3, batch=4, size=32, bf16=False, clip=0.0, ema=0.9, betas=(0.5, 0.9), log_every=10)
CPU = torch.device("cpu")


def colour_alone(a, b):
    return (a - b).square().mean((1, 2, 3))


def opaque_base() -> AlphaVAE:
    torch.manual_seed(0)
    rgb = AlphaVAE(replace(SMALL, input_channels=3))
    return AlphaVAE.from_published(AlphaVAE.opaque_init(rgb.state_dict()), SMALL).requires_grad_(True)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_it_learns_alpha_from_an_opaque_base(material, tmp_path):
    trained = TrainedVAE(opaque_base())
    picture = torch.stack([draw_picture(material, 32, 0.0, generator(i)) for i in range(8)])
    with torch.no_grad():
        before = trained.vae.decode(trained.vae.encode(picture))
    assert torch.equal(before[:, 3], torch.ones_like(before[:, 3]))
    training = objective(material, trained, None, colour_alone, Weights(adversarial=0), STAGE, CPU)
    train(trained, training, STAGE, tmp_path, RecordedReport())
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert log[-1]["error"] < 0.65 * log[0]["error"]
    with torch.no_grad():
        after = trained.vae.decode(trained.vae.encode(picture))
    errors = [float((x[:, 3] - picture[:, 3]).square().mean()) for x in (before, after)]
    assert errors[1] < 0.4 * errors[0]


def terms(material, weights: Weights, reference=None, step: int = 0) -> dict[str, float]:
    trained = TrainedVAE(opaque_base())
    training = objective(material, trained, reference, colour_alone, weights, replace(STAGE, micro=2), CPU)
    batch = training.ready(training.draw(step, 0, generator()))
    assert batch.rgba.shape == (2, 4, 32, 32) and batch.noise.shape == (2, 16, 4, 4)
    value, figures = training.loss(trained, batch, 0)
    assert float(value.detach()) == pytest.approx(sum(figures.values()), rel=1e-5)
    return figures


def test_the_discriminator_begins_at_its_step(material):
    weights = Weights(adversarial_from=5)
    early, late = terms(material, weights, step=4), terms(material, weights, step=5)
    assert early.keys() == {"error", "perceptual", "kl"}
    assert late.keys() == {*early, "generator", "discriminator"}


def test_terms_are_weighted(material):
    one, two = terms(material, Weights()), terms(material, Weights(perceptual=1.0, kl=2e-6))
    assert two["perceptual"] == pytest.approx(2 * one["perceptual"]) and two["kl"] == pytest.approx(2 * one["kl"])
    assert two["error"] == one["error"]


def test_the_reference_holds_the_posteriors_of_flat_pictures(material):
    base, other = opaque_base(), opaque_base()
    rgba = torch.stack([draw_picture(material, 32, 0.0, generator(i)) for i in range(2)])
    with torch.no_grad():
        assert float(to_reference(base, other, rgba)) == pytest.approx(0, abs=1e-4)
        other.quant_conv.bias += 0.1
        shifted = to_reference(base, other, rgba)
        flat = rgba.clone()
        flat[:, 3] = 1
        opaque = to_reference(base, other, flat)
    # Every mean and every log-variance is off by .1: KL = ½ Σ (.01 e^−lv₂ + e^−.1 − 1 + .1).
    with torch.no_grad():
        _, logvar = moments(other, flat)
    wanted = 0.5 * (0.01 / logvar.exp() + torch.tensor(-0.1).exp() - 1 + 0.1).sum() / len(logvar)
    assert float(opaque) == pytest.approx(float(wanted), rel=1e-3)
    assert float(shifted) > 0
    assert terms(material, Weights(kl_reference=1.0), reference=other)["kl_reference"] > 0


def test_latents_are_drawn_from_the_posterior():
    mean, logvar = torch.full((1, 16, 50, 50), 2.0), torch.full((1, 16, 50, 50), -2.0)
    z = sample((mean, logvar), torch.randn(mean.shape, generator=generator()))
    assert float(z.mean()) == pytest.approx(2, abs=0.01)
    assert float(z.std()) == pytest.approx(float(torch.tensor(-1.0).exp()), rel=0.02)


def test_flattened_pictures_lie_on_one_of_27_colours(material):
    for seed in range(12):
        plain, flat = (draw_picture(material, 32, share, generator(seed)) for share in (0.0, 1.0))
        assert torch.equal(flat[3], torch.ones(32, 32))
        clear = plain[3] == -1
        colour = flat[:3, clear].T.unique(dim=0)
        assert len(colour) == 1 and set(colour.flatten().tolist()) <= {-1.0, 0.0, 1.0}
    share = sum(bool((draw_picture(material, 16, 0.3, generator(s))[3] == 1).all()) for s in range(200)) / 200
    assert share == pytest.approx(0.3, abs=0.12)
