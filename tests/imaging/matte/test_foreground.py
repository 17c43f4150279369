"""Foreground colours: those of pymatting's multi-level estimation, and the plate's own where it is opaque."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from scenes import disc, hair, textured

from omnialpha_cli.imaging.composite import over
from omnialpha_cli.imaging.matte.foreground import estimate_foreground
from omnialpha_cli.lab.evaluate.scenes import hair_scene

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.slow  # pymatting compiles
@pytest.mark.parametrize("alpha", [disc(150, 225, 12.0), hair(150, 225)], ids=["disc", "hair"])
def test_equal_to_the_reference(alpha, monkeypatch):
    """The mean absolute difference over soft pixels, weighted as it shows in a composite, is within 2e-3.

    That is without the last step, which the reference does not have.
    """
    from pymatting import estimate_foreground_ml

    monkeypatch.setattr("omnialpha_cli.imaging.matte.foreground.SETTLED", (1.0, 2.0))
    with PIL.Image.open(DATA / "chelsea.jpg") as photograph:
        plate = np.asarray(photograph.resize((225, 150)), np.float32) / 255
    foreground = estimate_foreground(torch.from_numpy(plate).permute(2, 0, 1), alpha)
    reference = torch.from_numpy(estimate_foreground_ml(plate, alpha.numpy())).permute(2, 0, 1)
    soft = (alpha > 0) & (alpha < 1)
    assert ((foreground - reference).abs() * alpha)[:, soft].mean() < 2e-3


@pytest.mark.slow
def test_equal_to_the_reference_at_1080p():
    """Here even without the weights."""
    from pymatting import estimate_foreground_ml

    scene = hair_scene(1080, 1920)
    alpha = scene.foreground[3]
    plate = scene.plate.permute(1, 2, 0).contiguous().numpy()
    reference = torch.from_numpy(estimate_foreground_ml(plate, alpha.numpy())).permute(2, 0, 1)
    difference = (estimate_foreground(scene.plate, alpha) - reference).abs()
    assert difference[:, (alpha > 0) & (alpha < 1)].mean() < 2e-3


def test_opaque_pixels_are_the_plates_own():
    plate, alpha = textured(90, 70, (0.5, 0.4, 0.3), 1), disc(90, 70, 6.0)
    foreground = estimate_foreground(plate, alpha)
    assert torch.equal(foreground[:, alpha == 1], plate[:, alpha == 1])


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


def sweep_up_to(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if more pixels were soft than are swept."""
    monkeypatch.setattr("omnialpha_cli.imaging.matte.foreground.SWEPT_PIXELS", 1)
    monkeypatch.setattr("omnialpha_cli.imaging.matte.foreground.SWEPT_SIDE", side)


@pytest.mark.parametrize("side", [None, 100], ids=["swept", "enlarged"])
def test_nearly_opaque_pixels_are_nearly_the_plates_own(side, monkeypatch):
    """What 254 to 250 of 255 lets through of a background is no more than 1 to 5 of 255."""
    plate, alpha = torch.rand(3, 150, 225, generator=torch.Generator().manual_seed(0)), disc(150, 225, 40.0)
    if side is not None:
        sweep_up_to(side, monkeypatch)
    foreground = estimate_foreground(plate, alpha)
    nearly = (alpha >= 250 / 255) & (alpha < 1)
    least = (1 - alpha[nearly]) / alpha[nearly]
    assert nearly.sum() > 100
    assert ((foreground - plate).abs()[:, nearly] <= 1.05 * least + 1e-6).all()


@pytest.mark.parametrize("alpha", [disc(150, 225, 12.0), hair(150, 225), torch.full((150, 225), 0.5)])
def test_tiles_are_seamless(monkeypatch, alpha):
    plate = textured(150, 225, (0.5, 0.4, 0.3), 1) * torch.rand(150, 225)
    sweep_up_to(100, monkeypatch)
    whole = estimate_foreground(plate, alpha)
    monkeypatch.setattr("omnialpha_cli.imaging.canvas.TILE_SIDE", 23)
    torch.testing.assert_close(estimate_foreground(plate, alpha), whole, atol=1e-5, rtol=0)


@pytest.mark.parametrize("alpha", [disc(240, 320, 4.0), disc(240, 320, 80.0)], ids=["crisp", "soft everywhere"])
def test_large_pictures_are_estimated_as_well_as_small_ones(monkeypatch, alpha):
    """Where many are soft, sweeps end at a smaller size; what follows is as near to the true layers."""
    truth, background = textured(240, 320, (0.3, 0.15, 0.1), 1), textured(240, 320, (0.6, 0.75, 0.85), 2)
    plate = over(torch.cat([truth, alpha[None]]), background)

    def error() -> torch.Tensor:
        return ((estimate_foreground(plate, alpha) - truth).abs() * alpha)[:, (alpha > 0) & (alpha < 1)].mean()

    solved = error()
    sweep_up_to(160, monkeypatch)
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
    foreground = estimate_foreground(plate, torch.full(size, value))
    assert 0 <= foreground.min() <= foreground.max() <= 1
    if value == 1:
        assert torch.equal(foreground, plate)
