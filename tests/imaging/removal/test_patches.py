"""Patches: what is painted looks like the picture itself, where a guide says what belongs there."""

import pytest
import torch
from scenes import disc

from omnialpha_cli.imaging.canvas import resample
from omnialpha_cli.imaging.removal.patches import compress, expand, paint_with_patches

SIZE = 96, 128


def grass(height=96, width=128, seed=0):
    """A plate (3, height, width) with detail of a pixel in it."""
    noise = torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))
    return 0.3 + 0.4 * noise


def blurred(plate):
    return resample(plate, 12, 16)


def detail(image):
    """The energy of what differs from the mean of 3 × 3 pixels."""
    mean = torch.nn.functional.avg_pool2d(image[None], 3, 1, 1, count_include_pad=False)[0]
    return (image - mean).square().mean(0)


@pytest.fixture
def mask():
    return disc(*SIZE, 1.0) > 0


def test_outside_the_mask_the_plate_is_untouched_bit_for_bit(mask):
    plate = grass()
    painted = paint_with_patches(plate, blurred(plate), mask)
    assert torch.equal(painted[:, ~mask], plate[:, ~mask])
    assert (painted != plate).any(0)[mask].float().mean() > 0.99


def test_what_is_painted_has_the_detail_of_what_is_around(mask):
    plate = grass()
    energy = detail(paint_with_patches(plate, blurred(plate), mask))
    assert 0.6 < energy[mask].mean() / energy[~mask].mean() < 1.5


def test_the_detail_is_that_of_full_size_where_offsets_are_found_on_a_smaller_one(monkeypatch, mask):
    monkeypatch.setattr("omnialpha_cli.imaging.removal.patches.SIDE", 48)
    plate = grass()
    energy = detail(paint_with_patches(plate, blurred(plate), mask))
    assert 0.6 < energy[mask].mean() / energy[~mask].mean() < 1.5


def test_the_guide_says_what_belongs_where(mask):
    sides = torch.linspace(0, 1, SIZE[1]) < 0.5
    plate = torch.where(sides, grass() * torch.tensor((1.0, 0.2, 0.2))[:, None, None], grass(seed=1) * 0.4)
    red = torch.tensor((0.5, 0.1, 0.1))[:, None, None].expand(3, 12, 16)
    painted = paint_with_patches(plate, red, mask)
    inner = disc(*SIZE, 1.0) == 1
    inner[:, :74] = False  # where grey would go on from the border
    inner[:, 80:] = False
    assert painted[0][inner].mean() > 1.5 * painted[1][inner].mean()


def test_the_object_is_not_copied(mask):
    plate = torch.where(mask, torch.tensor((0.0, 0.0, 1.0))[:, None, None], grass() * torch.tensor(0.5))
    painted = paint_with_patches(plate, torch.full((3, 12, 16), 0.25), mask)
    assert painted[2][mask].max() < 0.6


def test_a_smooth_sky_stays_smooth(mask):
    plate = torch.linspace(0.4, 0.8, SIZE[0])[None, :, None].expand(3, *SIZE).contiguous()
    painted = paint_with_patches(plate, blurred(plate), mask)
    assert (painted - plate).abs().max() < 0.02


def test_light_far_above_white_neither_spreads_nor_breaks_anything(mask):
    plate = grass()
    plate[:, :4, :4] = 1e6
    painted = paint_with_patches(plate, blurred(grass()), mask)
    assert painted.isfinite().all()
    assert painted[:, mask].max() < 2


@pytest.mark.slow
def test_the_same_seed_paints_the_same(mask):
    plate = grass()
    assert torch.equal(*(paint_with_patches(plate, blurred(plate), mask, seed=3) for _ in range(2)))


@pytest.mark.parametrize("masked", (True, False))
def test_without_anything_to_copy_or_to_paint_there_is_no_result(masked):
    assert paint_with_patches(grass(), blurred(grass()), torch.full(SIZE, masked)) is None


def test_a_mask_at_the_corner_is_painted_too():
    mask = torch.zeros(SIZE, dtype=torch.bool)
    mask[:30, 90:] = True
    plate = torch.where(mask, torch.ones(3, 1, 1), grass() * torch.tensor(0.5))
    painted = paint_with_patches(plate, torch.full((3, 12, 16), 0.25), mask)
    assert painted[:, mask].max() < 0.6


def test_compressed_colours_come_back():
    colours = torch.tensor([-1e6, -3.0, -0.5, 0.0, 0.3, 1.0, 40.0, 1e6])
    assert torch.allclose(expand(compress(colours)), colours, rtol=1e-4)
    assert compress(colours).abs().max() < 16
