"""Draw a sheet of triplets, to be looked at."""

from pathlib import Path

import torch
from torch import Tensor

from ...imaging.canvas import resized, to_bytes
from ...imaging.composite import checkerboard, over
from ...media.inline import encode_jpeg
from .shards import Bytes, Shards

CELL = 256  # pixels of the longer side
GAP = 4
COLUMNS = ("scene", "foreground", "background", "trimap")
TRIPLETS_IN_A_ROW = 2


def draw_triplets(path: Path, count: int) -> bytes:
    """Draw so many triplets, evenly spread over a data set, as JPEG."""
    shards = Shards(path)
    count = min(count, len(shards))
    rows = []
    for k in range(count):
        pictures = shards.read(k * len(shards) // count, COLUMNS).pictures
        rows.append(torch.cat([_cell(pictures.get(name)) for name in COLUMNS], dim=2))
    blank = torch.zeros_like(rows[0])
    rows += [blank] * (-len(rows) % TRIPLETS_IN_A_ROW)
    lines = [torch.cat(rows[k : k + TRIPLETS_IN_A_ROW], dim=2) for k in range(0, len(rows), TRIPLETS_IN_A_ROW)]
    return encode_jpeg(to_bytes(torch.cat(lines, dim=1)), comment="omnialpha data show")


def _cell(picture: Bytes | None) -> Tensor:
    """Return a picture in a square (3, CELL + GAP, CELL + GAP); one with alpha on a checkerboard."""
    cell = torch.zeros(3, CELL + GAP, CELL + GAP)
    if picture is None:
        return cell
    planes = torch.from_numpy(picture.copy() if picture.ndim == 3 else picture[..., None].copy()).permute(2, 0, 1)
    image = resized(planes.float() / 255, CELL)  # (C, h, w)
    h, w = image.shape[1:]
    shown = over(image, checkerboard(h, w)) if len(image) == 4 else image.expand(3, h, w)
    top, left = (CELL - h) // 2, (CELL - w) // 2
    cell[:, top : top + h, left : left + w] = shown
    return cell
