"""The terms of the alpha-aware VAE's loss, each against another way to the same number."""

import math

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence

from omnialpha_cli.lab.train import patch_gan, vae_losses
from omnialpha_cli.lab.train.vae_losses import (
    BACKGROUND_MEAN,
    BACKGROUND_SQUARE,
    composite,
    expected_error,
    kl_between,
    kl_to_normal,
    perceptual_error,
)


def rgba(seed: int, batch: int = 2, side: int = 3) -> torch.Tensor:
    return torch.rand(batch, 4, side, side, generator=torch.Generator().manual_seed(seed)).double() * 2 - 1


def test_the_expected_error_is_that_of_composites_over_random_backgrounds():
    """Monte Carlo: one background colour a draw, with the mean and the deviation of ImageNet's pixels."""
    target, made = rgba(0), rgba(1)
    mean, square = torch.tensor(BACKGROUND_MEAN).double(), torch.tensor(BACKGROUND_SQUARE).double()
    draws = 50_000
    normal = torch.randn(draws, 3, generator=torch.Generator().manual_seed(2)).double()
    b = (mean + (square - mean**2).sqrt() * normal)[:, None, :, None, None]  # (draws, 1, 3, 1, 1)

    def over(x: torch.Tensor) -> torch.Tensor:
        alpha = (x[:, 3:] + 1) / 2
        return alpha * x[:, :3] + (1 - alpha) * b

    errors = (over(target) - over(made)).square().sum((2, 3, 4)).mean(1)  # (draws,)
    deviation = float(errors.std()) / math.sqrt(draws)
    assert float(expected_error(target, made)) == pytest.approx(float(errors.mean()), abs=4 * deviation)
    assert deviation < 0.01 * float(errors.mean())


def test_no_background_shows_through_what_is_opaque():
    target, made = rgba(0), rgba(1)
    target[:, 3] = made[:, 3] = 1
    plain = (target - made)[:, :3].square().sum() / len(target)
    assert torch.allclose(expected_error(target, made), plain)


def test_colour_under_no_alpha_does_not_count():
    target, made = rgba(0), rgba(1)
    target[:, 3] = made[:, 3] = -1
    assert expected_error(target, made) == 0


def test_the_expected_error_is_never_negative():
    for seed in range(20):
        assert expected_error(rgba(seed), rgba(seed + 100)) >= 0


def test_the_perceptual_term_is_the_mean_over_black_and_white():
    target, made = rgba(0), rgba(1)

    def distance(a, b):
        return (a - b).abs().mean((1, 2, 3))

    alpha, made_alpha = (target[:, 3:] + 1) / 2, (made[:, 3:] + 1) / 2
    black = (target[:, :3] * alpha - (1 - alpha)) - (made[:, :3] * made_alpha - (1 - made_alpha))
    white = (target[:, :3] * alpha + (1 - alpha)) - (made[:, :3] * made_alpha + (1 - made_alpha))
    wanted = (black.abs().mean() + white.abs().mean()) / 2
    assert torch.allclose(perceptual_error(target, made, distance, (-1.0, 1.0)), wanted)
    assert torch.equal(composite(target, 0.0), target[:, :3] * alpha)  # mid-grey: the authors' code


@pytest.mark.parametrize("seed", range(3))
def test_both_divergences_are_those_of_torch(seed):
    g = torch.Generator().manual_seed(seed)
    mean, logvar, ref_mean, ref_logvar = (torch.randn(2, 4, 3, 3, generator=g) for _ in range(4))

    def normal(m, v):
        return Independent(Normal(m, (0.5 * v).exp()), 3)

    own, reference = normal(mean, logvar), normal(ref_mean, ref_logvar)
    standard = normal(torch.zeros_like(mean), torch.zeros_like(mean))
    assert torch.allclose(kl_to_normal((mean, logvar)), kl_divergence(own, standard).mean(), rtol=1e-5)
    between = kl_between((mean, logvar), (ref_mean, ref_logvar))
    assert torch.allclose(between, kl_divergence(own, reference).mean(), rtol=1e-5)


class TestPatchGAN:
    @pytest.fixture
    def discriminator(self):
        torch.manual_seed(0)
        return patch_gan.PatchGAN()

    def test_it_judges_patches(self, discriminator):
        assert discriminator(torch.zeros(2, 4, 64, 48)).shape == (2, 1, 6, 4)

    def test_it_has_the_layers_of_the_published_one(self, discriminator):
        convolutions = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
        assert [m.out_channels for m in convolutions] == [64, 128, 256, 512, 1]
        assert [m.stride[0] for m in convolutions] == [2, 2, 2, 1, 1]
        assert {m.kernel_size for m in convolutions} == {(4, 4)}

    def test_each_network_gets_the_gradient_of_its_own_loss_alone(self, discriminator):
        real, made = rgba(0, side=32).float(), rgba(1, side=32).float().requires_grad_()
        patch_gan.generator_loss(discriminator, made).backward()
        assert made.grad is not None and made.grad.abs().sum() > 0
        assert all(p.grad is None for p in discriminator.parameters())
        made.grad = None
        patch_gan.discriminator_loss(discriminator, real, made).backward()
        assert made.grad is None
        assert all(p.grad is not None for p in discriminator.parameters())

    def test_it_learns_to_tell_them_apart_with_a_hinge(self, discriminator):
        real, made = torch.full((4, 4, 32, 32), 0.5), rgba(1, 4, 32).float()
        optimiser = torch.optim.Adam(discriminator.parameters(), lr=2e-3)
        first = patch_gan.discriminator_loss(discriminator, real, made)
        for _ in range(8):
            optimiser.zero_grad()
            patch_gan.discriminator_loss(discriminator, real, made).backward()
            optimiser.step()
        assert float(first.detach()) == pytest.approx(1, abs=0.5)
        assert patch_gan.discriminator_loss(discriminator, real, made) < 0.5 * first

    def test_the_weight_brings_the_gradients_to_one_length(self):
        layer = nn.Conv2d(3, 4, 3)
        x = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        y = layer(x)
        error, fooled = 7 * y.square().sum(), y.mean()
        weight = patch_gan.adaptive_weight(error, fooled, layer.weight)
        lengths = [torch.autograd.grad(v, layer.weight, retain_graph=True)[0].norm() for v in (error, weight * fooled)]
        assert torch.allclose(lengths[0], lengths[1], rtol=1e-2)
        assert not weight.requires_grad
        huge = patch_gan.adaptive_weight(1e9 * y.square().sum(), 0 * y.sum(), layer.weight)
        assert huge == patch_gan.WEIGHT_LIMIT


def test_the_moments_are_those_of_the_paper():
    assert vae_losses.BACKGROUND_MEAN == (-0.0357, -0.0811, -0.1797)
    assert vae_losses.BACKGROUND_SQUARE == (0.3163, 0.3060, 0.3634)
