"""Convert floats to the numbers that files hold: rounded once, to nearest."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .formats import Depth

Floats = NDArray[np.float32]  # pictures in memory
WHITE: dict[str, tuple[type[np.unsignedinteger[Any]], int]] = {"8": (np.uint8, 255), "16": (np.uint16, 65535)}
SAMPLES: dict[Depth, type[Any]] = {"8": np.uint8, "16": np.uint16, "half": np.float16, "float": np.float32}
ROWS = 64  # at a time, which keeps temporary memory small
LARGEST_HALF = 65504.0


def white_of(depth: Depth) -> int:
    """Return the number that stands for white at a depth."""
    return WHITE[depth][1] if depth in WHITE else 1


def opaque_from(depth: Depth) -> float:
    """Return the least alpha that samples of a depth hold as 1."""
    return {"half": 1 - 2**-12, "float": 1.0}[depth] if depth not in WHITE else 1 - 0.5 / WHITE[depth][1]


def to_samples(values: Floats, depth: Depth) -> NDArray[Any]:
    """Convert to uint8, uint16, float16 or float32. Floats keep NaN and infinities; half is clamped to its range."""
    if depth == "float":
        return np.asarray(values, np.float32)
    if depth == "half":
        return _to_half(values)
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


def _to_half(values: Floats) -> NDArray[np.float16]:
    with np.errstate(over="ignore"):
        result = values.astype(np.float16)
    beyond = np.isinf(result)
    if beyond.any():
        beyond &= np.isfinite(values)
        result[beyond] = np.copysign(LARGEST_HALF, values[beyond])
    return result


def premultiplied(rgba: Floats, depth: Depth, light: NDArray[np.bool_] | None = None) -> NDArray[Any]:
    """Return samples of straight RGBA (H, W, 4), its colours times alpha.

    In the pixels `light` (H, W) with alpha 0 the colours stay; elsewhere they are 0 there.
    """
    result = np.empty(rgba.shape, SAMPLES[depth])
    for top in range(0, len(rgba), ROWS):
        source = rgba[top : top + ROWS]
        alpha = source[..., 3]
        with np.errstate(invalid="ignore"):  # infinity times 0
            rows = source * alpha[..., None]
        rows[..., 3] = alpha
        hidden = alpha == 0
        if hidden.any():
            rows[hidden, :3] = 0
            if light is not None:
                hidden &= light[top : top + ROWS]
                rows[hidden, :3] = source[hidden, :3]
        result[top : top + ROWS] = to_samples(rows, depth)
    return result


def straightened(rgb: Floats, alpha: Floats) -> Floats:
    """Divide premultiplied colours (H, W, 3) by alpha (H, W), in place; what is beyond any float becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.divide(rgb, alpha[..., None], out=rgb, where=alpha[..., None] > 0)


def flatten(layers: Sequence[Floats]) -> Floats:
    """Composite straight RGBA layers (H, W, 4), bottom first: straight RGBA."""
    result = layers[0].copy()
    for layer in layers[1:]:
        for top in range(0, len(result), ROWS):
            _over(layer[top : top + ROWS], result[top : top + ROWS])
    return result


def _over(layer: Floats, below: Floats) -> None:
    """Put a layer over what is below, in place."""
    share = layer[..., 3:]
    rest = below[..., 3:] * (1 - share)
    alpha = share + rest
    colour = layer[..., :3] * share + below[..., :3] * rest
    np.divide(colour, alpha, out=below[..., :3], where=alpha > 0)
    below[..., 3:] = alpha
