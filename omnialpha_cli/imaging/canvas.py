"""Change the sizes of pictures: fit them to the canvases at which the model works and back, cut them into tiles.

A picture is stretched a little to the nearest canvas's shape; one longer than every shape keeps its proportions and is
centred, its border pixels repeated outwards. What is done at full size goes tile by tile, so that it fits the
processor's cache and takes bounded memory.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

# Long side by short side. Neighbours are near enough that no picture in between is stretched by more than a sixth.
ASPECTS = (1.0, 4 / 3, 3 / 2, 16 / 9, 2.35, 3.0, 4.0)
MAX_STRETCH = 1.2  # beyond the longest shape by more than this: letterboxed
TILE_SIDE = 256  # pixels

Tile = tuple[slice, slice]  # rows and columns


@dataclass(frozen=True)
class Canvas:
    """Place a picture of `height` × `width` in the `box` (top, left, height, width) of a canvas of `size` (h, w).

    All are pixels, whose centres are at half-integers on both sides, so that nothing shifts.
    """

    height: int
    width: int
    size: tuple[int, int]
    box: tuple[int, int, int, int]

    def fit(self, image: Tensor) -> Tensor:
        """Resample the picture (…, H, W) to the canvas (…, h, w); straight RGBA is resampled premultiplied."""
        top, left, height, width = self.box
        content = resample(image, height, width)
        if (height, width) == self.size:
            return content
        below, right = self.size[0] - top - height, self.size[1] - left - width
        return F.pad(content[None], (left, right, top, below), mode="replicate")[0]

    def crop(self, image: Tensor) -> Tensor:
        """Return the picture's part of a canvas (…, h, w)."""
        top, left, height, width = self.box
        return image[..., top : top + height, left : left + width]

    def restore(self, image: Tensor) -> Tensor:
        """Resample the canvas (…, h, w) to the picture's size (…, H, W), without its letterbox: undo `fit`."""
        return resample(self.crop(image), self.height, self.width)


def choose_canvas(height: int, width: int, side: int, multiple: int = 32) -> Canvas:
    """Return the canvas for a picture of `height` × `width`: about `side`² pixels, sides multiples of `multiple`."""
    long, short = max(height, width), min(height, width)
    shapes = [_shape(aspect, side, multiple) for aspect in ASPECTS]
    canvas_long, canvas_short = min(shapes, key=lambda shape: abs(math.log(long / short * shape[1] / shape[0])))
    content_short = canvas_short
    if long / short > canvas_long / canvas_short * MAX_STRETCH:
        content_short = max(1, round(canvas_long * short / long))
    border = (canvas_short - content_short) // 2
    if width >= height:
        return Canvas(height, width, (canvas_short, canvas_long), (border, 0, content_short, canvas_long))
    return Canvas(height, width, (canvas_long, canvas_short), (0, border, canvas_long, content_short))


@cache
def _shape(aspect: float, side: int, multiple: int) -> tuple[int, int]:
    """Return the long and short side nearest to an aspect ratio and to `side`² pixels; proportions count four times."""

    def cost(shape: tuple[int, int]) -> float:
        long, short = shape
        return abs(math.log(long / short / aspect)) + 0.25 * abs(math.log(long * short / side**2))

    steps = range(1, max(1, round(2.5 * side / multiple)) + 1)
    return min(((long * multiple, short * multiple) for long in steps for short in steps if short <= long), key=cost)


def within(height: int, width: int, side: int) -> tuple[int, int]:
    """Return (h, w) in proportion and of no more than `side`² pixels, unchanged where it has no more."""
    scale = min(1.0, side / (height * width) ** 0.5)
    return max(1, round(height * scale)), max(1, round(width * scale))


def resample(image: Tensor, height: int, width: int) -> Tensor:
    """Resample (C, H, W) or (H, W) to `height` × `width`, antialiased; four channels are straight RGBA, by alpha."""
    if image.shape[-2:] == (height, width):
        return image
    if image.dim() == 2:
        return resample(image[None], height, width)[0]
    if image.shape[0] != 4:
        return F.interpolate(image[None], (height, width), mode="bilinear", antialias=True)[0]
    colour, alpha = image[:3], image[3:]
    weighted, plain, small = (resample(one, height, width) for one in (colour * alpha, colour, alpha))
    seen = torch.where(small > 1e-4, weighted / small.clamp(min=1e-4), plain)  # the rest is not visible
    return torch.cat([seen, small])


def resized(image: Tensor, side: int) -> Tensor:
    """Return a picture (C, H, W) with its longer side made `side` pixels; four channels are straight RGBA."""
    scale = side / max(image.shape[1:])
    return resample(image, *(max(1, round(n * scale)) for n in image.shape[1:]))


def opaque(colour: Tensor) -> Tensor:
    """Return colour (3, H, W) → RGBA (4, H, W), alpha 1."""
    return torch.cat((colour, torch.ones_like(colour[:1])))


def to_bytes(image: Tensor) -> NDArray:
    """Return a picture (C, h, w) in [0, 1], clamped, as (h, w, C) uint8; one channel becomes three."""
    channels = max(3, image.shape[0])
    return image.expand(channels, -1, -1).mul(255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()


def window_mean(image: Tensor, window: int) -> Tensor:
    """Return the mean (C, h, w) over `window` × `window` pixels; at the border over what exists.

    It is made of sums of shifted pictures, which torch is quickest at.
    """
    for axis in (1, 2):
        side = image.shape[axis]
        total, count = image.clone(), torch.ones(side, dtype=image.dtype, device=image.device)
        for shift in range(1, min(window // 2, side - 1) + 1):
            for to, of in ((0, shift), (shift, 0)):
                total.narrow(axis, to, side - shift).add_(image.narrow(axis, of, side - shift))
                count.narrow(0, to, side - shift).add_(1)
        image = total.div_(count[:, None] if axis == 1 else count)
    return image


def grow(hint: Tensor, pixels: int) -> Tensor:
    """Return a hint (…, H, W) whose object is larger by so many `pixels` on every side, corners included.

    Each value is the largest around it; a mask of bools stays one.
    """
    if pixels == 0:
        return hint
    if hint.dtype == torch.bool:
        return grow(hint.float(), pixels) > 0
    for window in ((2 * pixels + 1, 1), (1, 2 * pixels + 1)):
        hint = F.max_pool2d(hint[None], window, 1, (window[0] // 2, window[1] // 2))[0]
    return hint


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


def widened(tile: Tile, margins: Sequence[int], size: Sequence[int]) -> Tile:
    """Return a tile with margins above and below, left and right, as far as a picture of `size` (H, W) reaches."""
    parts = zip(tile, margins, size, strict=True)
    rows, columns = (slice(max(part.start - margin, 0), min(part.stop + margin, side)) for part, margin, side in parts)
    return rows, columns


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


def tile_source(image: Tensor, tile: Tile, size: tuple[int, int]) -> Tensor:
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
