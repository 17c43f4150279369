"""Fit pictures to canvases, few sizes and shapes at which the model works in batches, and bring results back.

A picture is stretched a little to the nearest shape; one longer than every shape keeps its proportions and is centred,
its border pixels repeated outwards.
"""

import math
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

# Long side by short side. Neighbours are near enough that no picture in between is stretched by more than a sixth.
ASPECTS = (1.0, 4 / 3, 3 / 2, 16 / 9, 2.35, 3.0, 4.0)
MAX_STRETCH = 1.2  # beyond the longest shape by more than this: letterboxed


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
        """Resample the picture (C, H, W) to the canvas (C, h, w); straight RGBA is resampled premultiplied."""
        top, left, height, width = self.box
        content = resample(image, height, width)
        if (height, width) == self.size:
            return content
        below, right = self.size[0] - top - height, self.size[1] - left - width
        return F.pad(content[None], (left, right, top, below), mode="replicate")[0]

    def crop(self, image: Tensor) -> Tensor:
        """Return the picture's part of a canvas (C, h, w)."""
        top, left, height, width = self.box
        return image[:, top : top + height, left : left + width]

    def restore(self, image: Tensor) -> Tensor:
        """Resample the canvas (C, h, w) to the picture's size (C, H, W), without its letterbox: undo `fit`."""
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


def within(height: int, width: int, side: int) -> tuple[int, int]:
    """Return (h, w) in proportion and of no more than `side`² pixels, unchanged where it has no more."""
    scale = min(1.0, side / (height * width) ** 0.5)
    return max(1, round(height * scale)), max(1, round(width * scale))


def resample(image: Tensor, height: int, width: int) -> Tensor:
    """Resample (C, H, W) to (C, height, width), antialiased; four channels are straight RGBA, weighted by alpha."""
    if image.shape[1:] == (height, width):
        return image
    if image.shape[0] != 4:
        return F.interpolate(image[None], (height, width), mode="bilinear", antialias=True)[0]
    colour, alpha = image[:3], image[3:]
    weighted, plain, small = (resample(one, height, width) for one in (colour * alpha, colour, alpha))
    seen = torch.where(small > 1e-4, weighted / small.clamp(min=1e-4), plain)  # the rest is not visible
    return torch.cat([seen, small])


def window_mean(image: Tensor, window: int) -> Tensor:
    """Return the mean (C, h, w) over `window` × `window` pixels; at the border over what exists."""
    return _mean_along(_mean_along(image, window, 1), window, 2)


def _mean_along(image: Tensor, window: int, axis: int) -> Tensor:
    """Return the mean over a window along an axis; by sums of shifted pictures, which torch is quickest at."""
    side = image.shape[axis]
    total, count = image.clone(), torch.ones(side, dtype=image.dtype, device=image.device)
    for shift in range(1, min(window // 2, side - 1) + 1):
        for to, of in ((0, shift), (shift, 0)):
            total.narrow(axis, to, side - shift).add_(image.narrow(axis, of, side - shift))
            count.narrow(0, to, side - shift).add_(1)
    return total.div_(count[:, None] if axis == 1 else count)


@cache
def _shape(aspect: float, side: int, multiple: int) -> tuple[int, int]:
    """Return the long and short side nearest to an aspect ratio and to `side`² pixels; proportions count four times."""

    def cost(shape: tuple[int, int]) -> float:
        long, short = shape
        return abs(math.log(long / short / aspect)) + 0.25 * abs(math.log(long * short / side**2))

    steps = range(1, max(1, round(2.5 * side / multiple)) + 1)
    return min(((long * multiple, short * multiple) for long in steps for short in steps if short <= long), key=cost)


def resized(image: Tensor, side: int) -> Tensor:
    """Return a picture (C, H, W) with its longer side made `side` pixels; four channels are straight RGBA."""
    scale = side / max(image.shape[1:])
    height, width = (max(1, round(n * scale)) for n in image.shape[1:])
    return resample(image, height, width)


def to_bytes(image: Tensor) -> NDArray:
    """Return a picture (C, h, w) in [0, 1], clamped, as (h, w, C) uint8; one channel becomes three."""
    channels = max(3, image.shape[0])
    return image.expand(channels, -1, -1).mul(255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
