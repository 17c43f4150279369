"""Place an object that was drawn by itself: before a background on the ground, elsewhere in the middle."""

from torch import Tensor
from torch.nn import functional as F

from .canvas import resample
from .tiles import bounds

LARGEST = 0.6  # of the background's height, and of its width
GROUND = 0.9  # of the height: where it stands
VISIBLE = 0.05  # less alpha is nothing


def place_on_ground(layer: Tensor, height: int, width: int) -> Tensor:
    """Place the object of `layer` (4, h, w) on the ground of straight RGBA (4, height, width), else transparent.

    It is as large as there is room, its lowest visible row on the ground. Empty where the layer is.
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
