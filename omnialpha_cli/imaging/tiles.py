"""Work at full size in tiles that fit the processor's cache: quick, and in bounded memory."""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

TILE_SIDE = 256  # pixels

Tile = tuple[slice, slice]  # rows and columns


def tiles(height: int, width: int, side: int | None = None) -> Iterator[Tile]:
    """Return the tiles of a picture of `height` × `width`, row by row, `side` pixels a side (`TILE_SIDE` if None)."""
    side = side or TILE_SIDE
    for top in range(0, height, side):
        for left in range(0, width, side):
            yield slice(top, min(top + side, height)), slice(left, min(left + side, width))


def bounds(where: Tensor) -> Tile | None:
    """Return the smallest box around what is not 0 in `where` (H, W); None where there is nothing."""
    rows, columns = (where.any(axis).nonzero()[:, 0] for axis in (1, 0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def rgba_like(plate: Tensor) -> Tensor:
    """Return an empty (4, H, W) for a `plate` (3, H, W), in memory as files want it: a pixel's values together."""
    return plate.new_empty(*plate.shape[1:], 4).permute(2, 0, 1)


def around(image: Tensor, tile: Tile, margin: int) -> Tensor:
    """Return a tile of `image` (C, H, W) with `margin` pixels around it: (C, k + 2 margin, l + 2 margin).

    Beyond the picture its border is repeated.
    """
    (top, bottom), (left, right) = ((part.start - margin, part.stop + margin) for part in tile)
    height, width = image.shape[1:]
    part = image[:, max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    missing = max(-left, 0), max(right - width, 0), max(-top, 0), max(bottom - height, 0)
    return F.pad(part[None], missing, mode="replicate")[0]


def enlarge(image: Tensor, tile: Tile, size: tuple[int, int]) -> Tensor:
    """Return one tile (C, k, l) of `image` (C, h, w) enlarged to `size`, bilinearly as `F.interpolate` does.

    Pixel centres are at half-integers; a tile may reach beyond the picture.
    """
    (above, below, down), (left, right, across) = _taps(image, tile, size)
    top, bottom = int(above[0]), int(below[-1]) + 1
    band = image[:, top:bottom]
    left, right = (taps.expand(*band.shape[:2], -1) for taps in (left, right))
    band = torch.lerp(band.gather(2, left), band.gather(2, right), across)  # (C, ·, l)
    return torch.lerp(band.index_select(1, above - top), band.index_select(1, below - top), down[:, None])


def source(image: Tensor, tile: Tile, size: tuple[int, int]) -> Tensor:
    """Return the part of `image` (C, h, w) from which `enlarge` takes a tile."""
    (above, below, _), (left, right, _) = _taps(image, tile, size)
    return image[:, above[0] : below[-1] + 1, left[0] : right[-1] + 1]


def _taps(image: Tensor, tile: Tile, size: tuple[int, int]) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Return, for a tile's rows and columns, the two of `image` to interpolate between, and the second's weight."""
    taps = []
    for part, source_side, side in zip(tile, image.shape[1:], size, strict=True):
        centres = torch.arange(part.start, part.stop, device=image.device) + 0.5
        position = (centres * (source_side / side) - 0.5).clamp(0, source_side - 1)
        first = position.long()
        taps.append((first, (first + 1).clamp(max=source_side - 1), position - first))
    return taps
