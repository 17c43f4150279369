"""Foreground colours: those of pymatting's multi-level estimation, and the plate's own where it is opaque."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from pymatting import estimate_foreground_ml
from scenes import disc, hair, textured

from omnialpha_cli.imaging.composite import over
from omnialpha_cli.imaging.foreground import estimate_foreground, estimate_layers

DATA = Path(__file__).parent.parent / "data"


@pytest.mark.parametrize("alpha", [disc(150, 225, 12.0), hair(150, 225)], ids=["disc", "hair"])
def test_equal_to_the_reference(alpha):
    """The mean difference over soft pixels, weighted as it shows in a composite, is within 2e-3."""
    with PIL.Image.open(DATA / "chelsea.jpg") as photograph:
        plate = np.asarray(photograph.resize((225, 150)), np.float32) / 255
    foreground, background = estimate_layers(torch.from_numpy(plate).permute(2, 0, 1), alpha)
    reference = estimate_foreground_ml(plate, alpha.numpy(), return_background=True)
    soft = (alpha > 0) & (alpha < 1)
    for ours, theirs, weight in zip((foreground, background), reference, (alpha, 1 - alpha), strict=True):
        difference = (ours - torch.from_numpy(theirs).permute(2, 0, 1)).abs().mean(0)
        assert (difference * weight)[soft].mean() < 2e-3


def test_opaque_and_empty_pixels_are_the_plates_own():
    plate, alpha = textured(90, 70, (0.5, 0.4, 0.3), 1), disc(90, 70, 6.0)
    foreground, background = estimate_layers(plate, alpha)
    assert torch.equal(foreground[:, alpha == 1], plate[:, alpha == 1])
    assert torch.equal(background[:, alpha == 0], plate[:, alpha == 0])
    assert torch.equal(estimate_foreground(plate, alpha), foreground)


def test_no_fringe_of_a_bright_old_background():
    """A dark object taken from white and put on dark blue is what it would have been there."""
    truth, alpha = textured(240, 320, (0.3, 0.15, 0.1), 1), hair(240, 320)
    old, new = torch.ones(3, 240, 320), torch.tensor([0.0, 0.0, 0.2])[:, None, None].expand(3, 240, 320)
    plate = over(torch.cat([truth, alpha[None]]), old)
    foreground = estimate_foreground(plate, alpha)
    wanted = over(torch.cat([truth, alpha[None]]), new)
    soft = (alpha > 0) & (alpha < 1)
    error = (over(torch.cat([foreground, alpha[None]]), new) - wanted).abs()[:, soft].mean()
    fringe = (over(torch.cat([plate, alpha[None]]), new) - wanted).abs()[:, soft].mean()
    assert error < 0.02
    assert error < 0.15 * fringe


@pytest.mark.parametrize("alpha", [disc(150, 225, 12.0), hair(150, 225), torch.full((150, 225), 0.5)])
def test_tiles_are_seamless(monkeypatch, alpha):
    plate = textured(150, 225, (0.5, 0.4, 0.3), 1) * torch.rand(150, 225)
    monkeypatch.setattr("omnialpha_cli.imaging.foreground.SOLVED_SIDE", 100)
    whole = torch.cat(estimate_layers(plate, alpha))
    monkeypatch.setattr("omnialpha_cli.imaging.tiles.TILE_SIDE", 23)
    torch.testing.assert_close(torch.cat(estimate_layers(plate, alpha)), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("alpha", [disc(240, 320, 4.0), disc(240, 320, 80.0)], ids=["crisp", "soft everywhere"])
def test_large_pictures_are_estimated_as_well_as_small_ones(monkeypatch, alpha):
    """Sweeps end at `SOLVED_SIDE`; what follows is no farther from the true layers than sweeps at full size are."""
    truth, background = textured(240, 320, (0.3, 0.15, 0.1), 1), textured(240, 320, (0.6, 0.75, 0.85), 2)
    plate = over(torch.cat([truth, alpha[None]]), background)

    def error() -> torch.Tensor:
        return ((estimate_foreground(plate, alpha) - truth).abs() * alpha)[:, (alpha > 0) & (alpha < 1)].mean()

    solved = error()
    monkeypatch.setattr("omnialpha_cli.imaging.foreground.SOLVED_SIDE", 160)
    assert error() < 1.1 * solved


def test_values_above_one_are_kept():
    plate = textured(40, 40, (0.5, 0.5, 0.5), 1) * 6
    alpha = disc(40, 40, 5.0)
    foreground = estimate_foreground(plate, alpha)
    assert torch.equal(foreground[:, alpha == 1], plate[:, alpha == 1])
    assert foreground.max() <= plate.max()
    assert foreground[:, (alpha > 0.2) & (alpha < 1)].mean() > 2


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (1, 50), (33, 5)])
@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_small_and_uniform_mattes(size, value):
    plate = torch.rand(3, *size)
    foreground, background = estimate_layers(plate, torch.full(size, value))
    torch.testing.assert_close(value * foreground + (1 - value) * background, plate, atol=0.01, rtol=0)
