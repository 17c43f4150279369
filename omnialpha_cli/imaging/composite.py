"""Put a picture with alpha over a background, or in its place there."""

import torch
from torch import Tensor
from torch.nn import functional as F

from .canvas import bounds, resample

LARGEST = 0.6  # of the background's height, and of its width
GROUND = 0.9  # of the height: where it stands
VISIBLE = 0.05  # less alpha is nothing


def over(layer: Tensor, background: Tensor) -> Tensor:
    """Return the straight RGBA `layer` (4, H, W) over an opaque `background` (3, H, W): αF + (1 − α)B, (3, H, W)."""
    alpha = layer[3:]
    return alpha * layer[:3] + (1 - alpha) * background


def layered(top: Tensor, bottom: Tensor) -> Tensor:
    """Return one straight RGBA layer (4, H, W) over another: over any background it looks as both would, one by one."""
    above, below = top[3:], bottom[3:] * (1 - top[3:])
    alpha = above + below
    colour = (above * top[:3] + below * bottom[:3]) / alpha.clamp(min=1e-6)
    return torch.cat((torch.where(alpha > 1e-6, colour, top[:3]), alpha))


def checkerboard(height: int, width: int, square: int = 16) -> Tensor:
    """Return a light grey checkerboard (3, height, width) with squares of `square` pixels."""
    rows, columns = torch.arange(height)[:, None] // square, torch.arange(width) // square
    return torch.where((rows + columns) % 2 == 0, 0.8, 0.6).expand(3, height, width)


def place_on_ground(layer: Tensor, height: int, width: int) -> Tensor:
    """Place the object of `layer` (4, h, w), as large as there is room, on the ground of RGBA (4, height, width).

    Its lowest visible row is on the ground; the rest is transparent, and so is all of it where the layer is.
    """
    box = bounds(layer[3] > VISIBLE)
    out = layer.new_zeros(4, height, width)
    if box is None:
        return out
    part = layer[:, *box]
    scale = LARGEST * min(height / part.shape[1], width / part.shape[2])
    h, w = (max(1, round(scale * n)) for n in part.shape[1:])
    bottom = max(h, round(GROUND * height))
    left = (width - w) // 2
    out[:, bottom - h : bottom, left : left + w] = resample(part, h, w)
    return out


def place_in_middle(layer: Tensor, height: int, width: int) -> Tensor:
    """Place a square `layer` (4, h, h), as large as there is room in (4, height, width), with nothing beside it."""
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return F.pad(resample(layer, side, side), (left, width - side - left, top, height - side - top))
