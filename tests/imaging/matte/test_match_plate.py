"""A clean plate is brought to the exposure and the place of the plate that it was taken for."""

import pytest
import torch
from torch.nn import functional as F

from omnialpha_cli.imaging.matte.match_plate import match_plate, show_one_view


def backdrop(height: int = 120, width: int = 160) -> torch.Tensor:
    """A smooth texture (3, H, W) in [.2, .8]."""
    coarse = torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(4)) * 0.6 + 0.2
    return F.interpolate(coarse, (height, width), mode="bicubic")[0].clamp(0.2, 0.8)


def with_object(plate: torch.Tensor) -> torch.Tensor:
    shown = plate.clone()
    shown[:, 30:100, 40:110] = torch.tensor([0.9, 0.1, 0.2])[:, None, None]
    return shown


def left_over(plate: torch.Tensor, clean: torch.Tensor) -> float:
    """The mean difference beside the object, farther from the border than a plate is moved."""
    return float((plate - match_plate(plate, clean))[:, 5:25, 5:-5].abs().mean())


def test_a_plate_that_fits_comes_back_as_it_is():
    clean = backdrop()
    assert match_plate(with_object(clean), clean) is clean


@pytest.mark.parametrize(
    ("gain", "offset"), [((1.08, 1.03, 0.95), 0.0), ((0.9, 0.9, 0.9), 0.02)], ids=["brighter, warmer", "darker"]
)
def test_another_exposure(gain, offset):
    clean = backdrop()
    other = (clean - offset) / torch.tensor(gain)[:, None, None]
    assert left_over(with_object(clean), other) < 0.002


@pytest.mark.parametrize("shift", [(1, 1), (-2, 0), (0, 3)])
def test_a_camera_that_was_touched(shift):
    clean = backdrop()
    assert left_over(with_object(clean), clean.roll(shift, (1, 2))) < 0.004


def test_both_and_grain():
    clean, g = backdrop(), torch.Generator().manual_seed(1)
    grain = [torch.randn(clean.shape, generator=g) * 0.01 for _ in range(2)]
    other = clean.roll((1, 1), (1, 2)) * 0.94 + grain[0]
    assert left_over(with_object(clean) + grain[1], other) < 0.016  # of two grains alone it is .011


def test_a_flat_wall_is_not_moved():
    clean = torch.full((3, 90, 120), 0.5)
    assert torch.allclose(match_plate(with_object(clean), clean), clean, atol=2e-3)


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (9, 9)])
def test_pictures_of_any_size(size):
    clean = torch.rand(3, *size)
    assert match_plate(torch.rand(3, *size), clean).shape == clean.shape


def test_another_view_is_reported():
    clean = backdrop()
    assert show_one_view(with_object(clean), clean)
    assert not show_one_view(with_object(clean), clean.flip(2))
