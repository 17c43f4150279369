"""From floats to the numbers that files hold: rounded once, to nearest."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .floats import Floats
from .formats import Depth

WHITE: dict[str, tuple[type[np.unsignedinteger[Any]], int]] = {"8": (np.uint8, 255), "16": (np.uint16, 65535)}
ROWS = 256  # at a time, which keeps temporary memory small
LARGEST_HALF = 65504.0


def to_samples(values: Floats, depth: Depth) -> NDArray[Any]:
    """uint8, uint16, float16 or float32 for a depth. Floats keep NaN and infinities; what half cannot reach is clamped."""
    if depth == "float":
        return np.asarray(values, np.float32)
    if depth == "half":
        reach = np.where(np.isfinite(values), np.clip(values, -LARGEST_HALF, LARGEST_HALF), values)
        return reach.astype(np.float16)
    return quantise(values, depth)


def quantise(values: Floats, depth: Depth) -> NDArray[Any]:
    """Round to nearest to unsigned integers of 8 or 16 bits, clamped to [0, 1]; NaN becomes 0. Same shape."""
    sample, white = WHITE[depth]
    result = np.empty(values.shape, sample)
    for top in range(0, len(values), ROWS):
        rows = values[top : top + ROWS] * np.float32(white)
        np.nan_to_num(rows, copy=False, nan=0, posinf=white, neginf=0)
        result[top : top + ROWS] = np.clip(rows + np.float32(0.5), 0, white)
    return result


def premultiply(rgba: Floats, light: NDArray[np.bool_] | None = None) -> Floats:
    """Straight RGBA (H, W, 4) with its colours times alpha; in the pixels `light` (H, W) with alpha 0 colours stay."""
    alpha = rgba[..., 3:]
    result = rgba.copy()
    with np.errstate(invalid="ignore"):  # infinity under alpha 0
        np.multiply(rgba[..., :3], alpha, out=result[..., :3])
    hidden = rgba[..., 3] == 0
    result[hidden, :3] = 0
    if light is not None:
        kept = hidden & light
        result[kept, :3] = rgba[kept, :3]
    return result


def flatten(layers: list[Floats]) -> Floats:
    """Straight RGBA layers (H, W, 4), bottom first, one over the other: straight RGBA."""
    result = layers[0]
    for layer in layers[1:]:
        top, bottom = layer[..., 3:], result[..., 3:]
        alpha = top + bottom * (1 - top)
        colour = layer[..., :3] * top + result[..., :3] * (bottom * (1 - top))
        np.divide(colour, alpha, out=colour, where=alpha > 0)
        result = np.concatenate((colour, alpha), -1)
    return result
