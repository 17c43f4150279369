"""What repeats in a drawing at the sides of latents and patches is taken out; what was drawn stays."""

import math

import pytest
import torch

from omnialpha_cli.model.mini.generator import without_grid
from omnialpha_cli.model.omnialpha import OmniAlpha, Request
from omnialpha_cli.tasks import TASKS
from omnialpha_cli.weights.store import find


def drawing(h=96, w=128):
    """A round object over a slope of colours, RGBA (4, h, w)."""
    y, x = torch.meshgrid(torch.linspace(-1, 1, h), torch.linspace(-1, 1, w), indexing="ij")
    inside = (x**2 + y**2 < 0.4).float()
    rgb = torch.stack((0.5 + 0.2 * x, 0.4 + 0.2 * y, 0.3 + 0 * x)) + 0.3 * inside
    return torch.cat((rgb, inside[None]))


def tile(h=96, w=128, period=8, strength=0.04):
    noise = torch.randn(3, period, period, generator=torch.Generator().manual_seed(0)) * strength
    return (noise - noise.mean((1, 2), keepdim=True)).repeat(1, math.ceil(h / period), math.ceil(w / period))[:, :h, :w]


def peak(pictures, period):
    """How much more energy there is at a period than at those beside it, along rows and along columns, on average."""
    found = []
    for rgba in pictures:
        grey = rgba[:3].mean(0) - rgba[:3].mean()
        h, w = grey.shape
        window = torch.hann_window(h, periodic=False)[:, None] * torch.hann_window(w, periodic=False)
        power = torch.fft.fft2(grey * window).abs().square()
        for side, profile in ((h, power.sum(1)), (w, power.sum(0))):
            place = round(side / period)
            beside = [profile[place + d] for d in (-4, -3, 3, 4)]
            found.append(math.log(float(profile[place] / (sum(beside) / 4))))
    return math.exp(sum(found) / len(found))


@pytest.mark.parametrize("period", [8, 16])
def test_a_grid_goes(period):
    plain = drawing()
    gridded = torch.cat(((plain[:3] + tile(period=period)).clamp(0, 1), plain[3:]))
    left = without_grid(gridded)[:3] - without_grid(plain)[:3]
    assert float(left.square().mean()) < 0.1 * float(tile(period=period).square().mean())
    assert peak([gridded], 8) > 1.4 * peak([without_grid(gridded)], 8)


def test_what_was_drawn_stays():
    plain = drawing()
    cleaned = without_grid(plain)
    assert float((cleaned - plain).abs().mean()) < 0.01
    across = plain[0, 48]  # the edges of the object stay nearly as steep
    assert float(cleaned[0, 48].diff().abs().max()) > 0.7 * float(across.diff().abs().max())
    assert torch.equal(cleaned[3], plain[3])


@pytest.mark.slow
def test_drawings_of_the_embedded_weights_have_no_peak_at_latents_and_patches():
    model = OmniAlpha.load(find("mini").folder)
    task = TASKS["generate.background"]
    words = "a beach at dusk", "a green valley with a river", "a city at night", "a desert in the sun"
    requests = [
        Request(task.prompt.replace("{text}", one), (), ((144, 208),), seed, task=task.name)
        for seed, one in enumerate(words)
    ]
    drawn = [layers[0] for layers in model.run(requests, steps=8, guidance=3.0)]
    for period in (16, 8, 16 / 3, 4):
        assert peak(drawn, period) < 1.4
