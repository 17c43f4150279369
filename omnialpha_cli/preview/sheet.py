"""Draw the contact sheet of one result: one JPEG, the source first.

One with alpha stands over a checkerboard, black, white and green; layers over a checkerboard, and their composite.
"""

import math

import torch
from torch import Tensor

from ..imaging.canvas import resized, to_bytes
from ..imaging.composite import checkerboard
from ..media.inline import encode_jpeg
from .look import Look

SIDE = 512  # of a cell, at most
GAP = 8  # between cells, and around them
GREY = 0.16
BLACK, WHITE, GREEN = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.0, 177 / 255, 64 / 255)  # the green of screens
MOST_IN_A_ROW = 5


def draw_sheet(look: Look) -> bytes:
    """Return the sheet, as JPEG."""
    results = [picture for _, picture in look.layers]
    if len(results) > 1:
        results.append(look.composite)
    pictures = results if look.before is None else [look.before, *results]
    cells = [picture.on(checkerboard(*picture.rgba.shape[1:])) for picture in pictures]
    if len(results) == 1 and not results[0].is_opaque:
        size = results[0].rgba.shape[1:]
        flat = (torch.tensor(colour)[:, None, None].expand(3, *size) for colour in (BLACK, WHITE, GREEN))
        cells += map(results[0].on, flat)
    return encode_jpeg(to_bytes(_arranged([resized(cell, min(SIDE, max(cell.shape[1:]))) for cell in cells])))


def _arranged(cells: list[Tensor]) -> Tensor:
    """Lay cells (3, h, w) in rows, on grey: (3, H, W)."""
    height, width = (max(cell.shape[axis] for cell in cells) for axis in (1, 2))
    columns = min(MOST_IN_A_ROW, len(cells))
    rows = math.ceil(len(cells) / columns)
    sheet = torch.full((3, rows * (height + GAP) + GAP, columns * (width + GAP) + GAP), GREY)
    for i, cell in enumerate(cells):
        top, left = GAP + i // columns * (height + GAP), GAP + i % columns * (width + GAP)
        sheet[:, top : top + cell.shape[1], left : left + cell.shape[2]] = cell
    return sheet
