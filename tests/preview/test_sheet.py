"""Contact sheets: which cells, in which order, and composited where the file is."""

import io

import numpy as np
import pytest
import torch
from PIL import Image as PILImage

from omnialpha_cli.media.colour import LINEAR, SRGB, convert
from omnialpha_cli.preview.look import Look, Small
from omnialpha_cli.preview.sheet import GAP, SIDE, draw_sheet

HEIGHT, WIDTH = 40, 60


def flat(red: float, green: float, blue: float, alpha: float = 1, encoding=SRGB, size=(HEIGHT, WIDTH)) -> Small:
    return Small(torch.tensor([red, green, blue, alpha])[:, None, None].expand(4, *size).clone(), encoding)


def cells(look: Look) -> list[np.ndarray]:
    """The middle of every cell (3,), in [0, 255]."""
    with PILImage.open(io.BytesIO(draw_sheet(look))) as image:
        pixels = np.asarray(image, int)
    rows, columns = ((pixels.shape[axis] - GAP) // (n + GAP) for axis, n in ((0, HEIGHT), (1, WIDTH)))
    assert pixels.shape[:2] == (rows * (HEIGHT + GAP) + GAP, columns * (WIDTH + GAP) + GAP)
    return [
        pixels[GAP + i * (HEIGHT + GAP) + HEIGHT // 2, GAP + j * (WIDTH + GAP) + WIDTH // 2]
        for i in range(rows)
        for j in range(columns)
    ]


def near(found: list[np.ndarray], expected: list[tuple[int, int, int]]) -> None:
    np.testing.assert_allclose(found, expected, atol=4)


def test_what_has_alpha_is_shown_over_four_backgrounds_beside_its_source():
    found = cells(Look(flat(0, 0, 1), (("foreground", flat(1, 0, 0, 0)),)))
    assert len(found) == 5
    near([found[0], *found[2:]], [(0, 0, 255), (0, 0, 0), (255, 255, 255), (0, 177, 64)])
    assert found[1][0] in range(150, 208) and np.ptp(found[1]) <= 2  # the checkerboard's greys


def test_what_is_opaque_is_shown_beside_its_source():
    near(cells(Look(flat(0, 0, 1), (("background", flat(1, 0, 0)),))), [(0, 0, 255), (255, 0, 0)])


def test_what_has_no_source_is_shown_alone():
    near(cells(Look(None, (("scene", flat(0, 1, 0)),))), [(0, 255, 0)])


def test_layers_are_followed_by_their_composite():
    layers = (("background", flat(1, 0, 0)), ("foreground", flat(0, 1, 0, 0.5)))
    found = cells(Look(flat(0, 0, 1), layers))
    near([found[0], found[1], found[3]], [(0, 0, 255), (255, 0, 0), (128, 128, 0)])


def test_many_layers_take_several_rows():
    layers = (("background", flat(1, 0, 0)), *((f"foreground {i}", flat(0, i / 8, 0)) for i in range(1, 7)))
    assert len(cells(Look(flat(0, 0, 1), layers))) == 10


def test_linear_light_is_composited_in_linear_light():
    found = cells(Look(None, (("foreground", flat(0, 0, 0, 0.5, LINEAR)),)))
    half = round(255 * float(convert(np.float32([0.5]), LINEAR, SRGB)[0]))
    near(found[2:3], [(half, half, half)])  # half over white
    near(cells(Look(None, (("foreground", flat(0, 0, 0, 0.5)),)))[2:3], [(128, 128, 128)])


@pytest.mark.parametrize("size", [(3000, 900), (900, 3000), (4000, 1)])
def test_cells_are_bounded(size):
    with PILImage.open(io.BytesIO(draw_sheet(Look(None, (("scene", flat(0, 1, 0, size=size)),))))) as image:
        assert max(image.size) == SIDE + 2 * GAP
