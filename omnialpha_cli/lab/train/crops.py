"""Crop backgrounds for the generator to the shapes of canvases, and their sketches to the same part.

All backgrounds are brought into a frame that is twice as wide as high; a crop is a part of that.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...imaging.canvas import choose_canvas
from .augment import chance, uniform
from .packs import Picture

FRAME = 2.0  # widths in a height
SHAPES = (9 / 16, 2 / 3, 3 / 4, 1.0, 4 / 3, 16 / 9)  # heights of canvases in widths
CROPS = 8  # of each shape
SMALLEST = 0.75  # height of a crop that is not limited by the frame's width


@dataclass(frozen=True)
class Crop:
    """Describe a part of the frame, perhaps of its mirror image: `box` (top, left, height, width) in shares of it."""

    box: tuple[float, float, float, float]
    flip: bool

    @property
    def to_frame(self) -> Tensor:
        """Map coordinates in the crop, from −1 to 1, to those in the frame: the affine map (2, 3)."""
        top, left, height, width = self.box
        return torch.tensor([[width, 0, 2 * left + width - 1], [0, height, 2 * top + height - 1]])


def canvases(side: int, multiple: int) -> list[tuple[int, int]]:
    """Return the sizes (h, w) of canvases of about `side`² pixels, one of each shape."""
    sizes = [choose_canvas(round(1000 * shape), 1000, side, multiple).size for shape in SHAPES]
    return list(dict.fromkeys(sizes))


def draw_crops(size: tuple[int, int], g: torch.Generator) -> list[Crop]:
    """Draw crops for a canvas of `size` (h, w), the first the largest in the middle, as in use."""
    aspect = size[0] / size[1]  # a height of 1 has 1 / aspect widths
    drawn = []
    for number in range(CROPS):
        share = uniform(g, SMALLEST, 1.0) if number else 1.0
        height = min(share, FRAME * aspect * share)
        width = height / aspect / FRAME
        places = (uniform(g, 0, 1), uniform(g, 0, 1)) if number else (0.5, 0.5)
        box = (places[0] * (1 - height), places[1] * (1 - width), height, width)
        drawn.append(Crop(box, bool(number) and chance(g, 0.5)))
    return drawn


def framed(rgba: np.ndarray) -> Tensor:
    """Return the middle of a picture (H, W, 4), opaque, as (4, h, 2h) in [0, 1]."""
    h, w = rgba.shape[:2]
    height = min(h, round(w / FRAME))
    width = round(height * FRAME)
    top, left = (h - height) // 2, (w - width) // 2
    part = rgba[top : top + height, left : left + width].copy()
    part[..., 3] = 255
    return torch.from_numpy(part).permute(2, 0, 1) / 255


def crop_backgrounds(backgrounds: Sequence[Picture], crop: Crop, size: tuple[int, int]) -> Tensor:
    """Return a crop of each background at `size` (h, w), RGBA (n, 4, h, w) in [0, 1]."""
    top, left, height, width = crop.box

    def cut(background: Picture) -> Tensor:
        frame = framed(background.rgba)
        frame = frame.flip(2) if crop.flip else frame
        h, w = frame.shape[1:]
        rows, columns = (slice(round(a * n), max(round(a * n) + 1, round((a + b) * n))) for a, b, n in (
            (top, height, h), (left, width, w)))  # fmt: skip
        return F.interpolate(frame[None, :, rows, columns], size, mode="bilinear", antialias=True)[0]

    with ThreadPoolExecutor() as pool:
        return torch.stack(list(pool.map(cut, backgrounds)))


def of_sketches(latents: Tensor, to_frame: Tensor, size: tuple[int, int]) -> Tensor:
    """Return parts (B, C, h, w) of sketches of frames (B, C, H, W), by `Crop.to_frame` (B, 2, 3); `size` is (h, w)."""
    grid = F.affine_grid(to_frame.to(latents), [len(latents), latents.shape[1], *size], align_corners=False)
    return F.grid_sample(latents, grid, mode="bilinear", padding_mode="border", align_corners=False)
