"""Return finished layers as arrays, for Python users."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..media.samples import quantise
from ..media.windows import cropped
from ..media.write import on_ground, visible_box
from .prepare import Prepared

Pixels = NDArray[Any]


class Trimmed(np.ndarray):
    """Hold a cropped picture; `offset` is where its upper left corner lies in the whole one: left, top."""

    offset: tuple[int, int] = (0, 0)


def to_pixels(layer: Tensor, prepared: Prepared) -> Pixels:
    """Return a finished layer (4, H, W) as straight RGBA (H, W, 4) of its picture's depth, as the target has it: on a
    colour, or cropped.
    """
    rgba = layer.permute(1, 2, 0).contiguous().numpy()
    target = prepared.target
    box = visible_box(rgba, target.trim)
    if target.ground is not None:
        rgba = on_ground(rgba, target.ground, None)
    pixels: Pixels = cropped(rgba, box)
    depth = "8" if prepared.source is None else prepared.source.depth
    if depth not in ("half", "float"):
        pixels = quantise(pixels, depth)
    if target.trim is None:
        return pixels
    trimmed = pixels.view(Trimmed)
    trimmed.offset = box.x, box.y
    return trimmed
