"""The canvas: few shapes, small distortion, and a way back that shifts nothing."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from omnialpha_cli.imaging.canvas import choose_canvas, grow, resample

SIZES = [
    (1080, 1920),
    (1920, 1080),
    (512, 512),
    (480, 640),
    (1000, 1500),
    (3, 3),
    (1, 1),
    (7, 4000),
    (4000, 7),
    (300, 2000),
]


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 5000), st.sampled_from([256, 384, 1024]), st.sampled_from([16, 32]))
def test_sides_are_multiples_area_is_about_the_square_and_shapes_are_close(height, width, side, multiple):
    canvas = choose_canvas(height, width, side, multiple)
    h, w = canvas.size
    assert h % multiple == 0
    assert w % multiple == 0
    assert 0.75 < h * w / side**2 < 1.25
    top, left, box_height, box_width = canvas.box
    assert 0 <= top <= top + box_height <= h
    assert 0 <= left <= left + box_width <= w
    stretch = math.log(box_height / box_width * width / height)
    assert abs(stretch) < math.log(1.25) or min(canvas.box[2:]) <= 2  # whole pixels leave little choice


def test_a_mixed_folder_shares_few_shapes():
    assert len({choose_canvas(512, width, 256).size for width in range(100, 3000)}) <= 13


def test_portrait_is_landscape_turned():
    upright, lying = choose_canvas(1920, 1080, 256), choose_canvas(1080, 1920, 256)
    assert upright.size == lying.size[::-1]


@pytest.mark.parametrize("size", SIZES)
def test_unusual_sizes_go_and_come_back(size):
    canvas = choose_canvas(*size, 256)
    image = torch.full((3, *size), 0.25)
    on_canvas = canvas.fit(image)
    assert on_canvas.shape == (3, *canvas.size)
    torch.testing.assert_close(on_canvas, torch.full_like(on_canvas, 0.25))
    back = canvas.restore(on_canvas)
    assert back.shape == image.shape
    torch.testing.assert_close(back, image)


@pytest.mark.parametrize("size", [(1080, 1920), (301, 455), (100, 1100), (1100, 100), (64, 48)])
@pytest.mark.parametrize("place", [0.3, 0.5, 0.77])
def test_nothing_shifts(size, place):
    """An edge moved across the picture is found again where it was, to a tenth of a pixel, both ways."""
    height, width = size
    canvas = choose_canvas(height, width, 256)
    top, left, box_height, box_width = canvas.box
    edge_row, edge_column = round(height * place), round(width * place)
    vertical = torch.zeros(1, height, width)
    vertical[..., edge_column:] = 1
    horizontal = torch.zeros(1, height, width)
    horizontal[:, edge_row:] = 1
    for image, axis, edge, side, box_side in (
        (vertical, 1, edge_column, width, box_width),
        (horizontal, 0, edge_row, height, box_height),
    ):
        content = canvas.fit(image)[0, top : top + box_height, left : left + box_width]
        dark = (1 - content).mean(1 - axis).sum()  # pixels before the edge
        assert dark.item() == pytest.approx(edge * box_side / side, abs=0.02)
        restored = canvas.restore(canvas.fit(image))[0]
        assert (1 - restored).mean(1 - axis).sum().item() == pytest.approx(edge, abs=0.1 * max(1, side / box_side))


def test_letterbox_repeats_the_border_and_goes_without_a_trace():
    image = torch.rand(3, 100, 1200)
    canvas = choose_canvas(100, 1200, 256)
    top, _, height, _ = canvas.box
    assert height < canvas.size[0]
    on_canvas = canvas.fit(image)
    torch.testing.assert_close(on_canvas[:, 0], on_canvas[:, top])
    torch.testing.assert_close(on_canvas[:, -1], on_canvas[:, top + height - 1])
    spoiled = on_canvas.clone()
    spoiled[:, :top], spoiled[:, top + height :] = 9, 9
    torch.testing.assert_close(canvas.restore(spoiled), canvas.restore(on_canvas))


def test_transparent_colours_do_not_bleed():
    image = torch.zeros(4, 64, 64)
    image[0] = 1  # red where transparent
    image[:, :, 30:] = torch.tensor([0.0, 1, 0, 1])[:, None, None]  # opaque green
    small = resample(image, 16, 16)
    visible = small[3] > 0.01
    torch.testing.assert_close(small[:3, visible], torch.tensor([0.0, 1, 0])[:, None].expand(3, int(visible.sum())))
    torch.testing.assert_close(small[:3, ~visible][0], torch.ones(int((~visible).sum())))


@given(st.integers(0, 5), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_a_grown_hint_is_the_largest_value_around(pixels, seed):
    hint = torch.rand(9, 13, generator=torch.Generator().manual_seed(seed))
    grown = grow(hint, pixels)
    for y, x in ((0, 0), (4, 6), (8, 12), (3, 11)):
        around = hint[max(0, y - pixels) : y + pixels + 1, max(0, x - pixels) : x + pixels + 1]
        assert grown[y, x] == around.max()
