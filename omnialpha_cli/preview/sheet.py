"""Draw the contact sheet of one result: one JPEG, the source first.

One with alpha stands over a checkerboard, black, white and green; layers over a checkerboard, and their composite.
"""

import math

import torch
from torch import Tensor

from ..imaging.canvas import resized, to_bytes
from ..imaging.composite import checkerboard
from ..media.inline import encode_jpeg
from .look import Look, Small

SIDE = 512  # of a cell, at most
GAP = 8  # between cells, and around them
GREY = 0.16
BLACK, WHITE, GREEN = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0), (0.0, 177 / 255, 64 / 255)  # the green of screens
MOST_IN_A_ROW = 5


def draw_sheet(look: Look) -> bytes:
    """Return the sheet, as JPEG."""
    cells = [] if look.before is None else [_on_checkerboard(look.before)]
    if len(look.layers) > 1:
        cells += [_on_checkerboard(layer) for _, layer in look.layers]
        cells.append(_on_checkerboard(look.composite))
    else:
        ((_, result),) = look.layers
        cells.append(_on_checkerboard(result))
        if not result.is_opaque:
            cells += [result.on(_flat(colour, result)) for colour in (BLACK, WHITE, GREEN)]
    return encode_jpeg(to_bytes(_arranged([resized(cell, min(SIDE, max(cell.shape[1:]))) for cell in cells])))


def _on_checkerboard(picture: Small) -> Tensor:
    height, width = picture.rgba.shape[1:]
    return picture.on(checkerboard(height, width))


def _flat(colour: tuple[float, float, float], like: Small) -> Tensor:
    return torch.tensor(colour)[:, None, None].expand(3, *like.rgba.shape[1:])


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
