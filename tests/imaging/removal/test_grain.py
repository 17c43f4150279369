"""Grain of what is painted in: as strong as the plate's, in dark and bright, and none where the plate has none."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from omnialpha_cli.imaging.canvas import choose_canvas, tiles
from omnialpha_cli.imaging.matte.finish import Steering, finish_layers
from omnialpha_cli.imaging.removal.clean_plate import finish_removal
from omnialpha_cli.imaging.removal.grain import grain_like
from omnialpha_cli.media.read import read_image

SIZE = 320, 400


def hole() -> torch.Tensor:
    share = torch.zeros(SIZE)
    share[100:220, 120:280] = 1
    return share


def noisy(colour: torch.Tensor, sigma: float | torch.Tensor) -> torch.Tensor:
    return colour + torch.randn(3, *SIZE, generator=torch.Generator().manual_seed(0)) * sigma


@pytest.mark.parametrize("sigma", [0.004, 0.02])
def test_it_is_as_strong_as_the_plates(sigma):
    plate = noisy(torch.full((3, *SIZE), 0.5), sigma)
    grain = grain_like(plate, hole(), torch.full((3, 8, 10), 0.5))
    drawn = grain((slice(96, 224), slice(120, 280)))
    assert drawn.shape == (3, 128, 160)
    assert drawn.std() == pytest.approx(sigma, rel=0.15)
    assert drawn.mean().abs() < sigma / 20
    apart = torch.corrcoef(torch.stack((drawn[0].flatten(), drawn[0].roll(1, 1).flatten())))[0, 1]
    assert apart.abs() < 0.2  # as fine as the plate's


def test_dark_and_bright_have_their_own():
    """A linear plate's noise grows with its light."""
    ramp = torch.linspace(0.1, 0.9, SIZE[1]).expand(3, *SIZE)
    plate = noisy(ramp, ramp * 0.03)
    share = hole()
    painted = torch.linspace(0.1, 0.9, 100).expand(3, 80, 100)
    grain = grain_like(plate, share, painted)
    dark, bright = (grain((slice(104, 216), columns)).std() for columns in (slice(8, 104), slice(296, 392)))
    assert bright > 1.8 * dark


@pytest.mark.parametrize("level", [1.5, 4, 20])
@pytest.mark.parametrize("law", ["film", "photons"])
def test_bright_highlights_of_a_half_float_plate_have_theirs(level, law):
    """A lit window is a few of many blocks; its grain is that of its light, not that of the room."""
    clean = torch.full((3, *SIZE), 0.18)
    clean[:, 60:260, 150:250] = level
    plate = noisy(clean, clean * 0.03 if law == "film" else (clean * 9e-4).sqrt()).half().float()
    grain = grain_like(plate, hole(), F.avg_pool2d(clean, 8))
    for columns in (slice(128, 144), slice(256, 272)), (slice(160, 240),):
        drawn = torch.cat([grain((slice(104, 216), part)).flatten() for part in columns])
        known = torch.cat([(plate - clean)[:, 64:96, part].flatten() for part in columns])
        assert drawn.std() == pytest.approx(float(known.std()), rel=0.2)


def test_tiles_of_a_picture_fit_together():
    plate = noisy(torch.full((3, *SIZE), 0.5), 0.01)
    grain = grain_like(plate, hole(), torch.full((3, 8, 10), 0.5))
    whole = grain((slice(0, SIZE[0]), slice(0, SIZE[1])))
    for tile in tiles(*SIZE, 64):
        torch.testing.assert_close(grain(tile), whole[:, *tile])


@pytest.mark.parametrize("name", ["coffee", "chelsea", "astronaut"])
def test_texture_and_what_jpeg_leaves_are_none(name):
    photo = read_image(Path(__file__).parents[2] / "data" / f"{name}.jpg").rgb
    plate = torch.from_numpy(photo).permute(2, 0, 1)
    share = torch.zeros(plate.shape[1:])
    share[plate.shape[1] // 3 : plate.shape[1] // 2, plate.shape[2] // 3 : plate.shape[2] // 2] = 1
    assert grain_like(plate, share, plate) is None
    noise = torch.randn(plate.shape, generator=torch.Generator().manual_seed(0))
    grain = grain_like(plate + noise * 0.02, share, plate)
    assert grain((slice(0, 200), slice(0, 200))).std() == pytest.approx(0.02, rel=0.25)


@pytest.mark.parametrize("what", ["nothing is painted", "the plate has none", "too little is known"])
def test_there_is_none_where(what):
    plate, share = noisy(torch.full((3, *SIZE), 0.5), 0.01), hole()
    if what == "nothing is painted":
        share.zero_()
    if what == "the plate has none":
        plate = torch.linspace(0, 1, SIZE[0])[:, None].expand(3, *SIZE)
        plate = (plate * 4).round() / 4  # flat but for steps
    if what == "too little is known":
        share[4:-4, 4:-4] = 1
    grain = grain_like(plate, share, torch.full((3, 8, 10), 0.5))
    assert grain is None or grain((slice(96, 224), slice(120, 280))).std() < 1e-3


def test_so_has_what_is_hidden_in_a_decomposition():
    background = noisy(torch.full((3, *SIZE), 0.4), 0.02)
    share = hole()
    plate = torch.where(share == 1, 0.9, background)
    canvas = choose_canvas(*SIZE, 128)
    layers = torch.full((2, 4, *canvas.size), 0.4)
    layers[0, 3], layers[1, 3] = 1, canvas.fit(share[None])[0]
    mattes = [(layers[1, 3], canvas)]
    behind, front = finish_layers(plate, layers[0], layers[1:], canvas, mattes, steering=Steering(share))
    assert behind[:3, 110:210, 130:270].std() == pytest.approx(0.02, rel=0.2)
    assert front[:3, 110:210, 130:270].std() < 1e-3
    assert torch.equal(behind[:3, share == 0], plate[:, share == 0])


@pytest.mark.parametrize("exposure", [1.0, 8.0])
def test_a_removal_has_the_grain_of_its_plate(exposure):
    background = noisy(torch.full((3, *SIZE), 0.4), 0.02) * exposure
    plate, share = background.clone(), hole()
    plate[:, share == 1] = 0.9 * exposure
    canvas = choose_canvas(*SIZE, 128)
    model = torch.full((4, *canvas.size), 0.4 * exposure)
    clean = finish_removal(plate, model, canvas, share)
    inside = clean[:, 110:210, 130:270]
    assert inside.std() == pytest.approx(0.02 * exposure, rel=0.2)
    assert torch.equal(clean[:, share == 0], plate[:, share == 0])
    assert torch.equal(clean, finish_removal(plate, model, canvas, share))
