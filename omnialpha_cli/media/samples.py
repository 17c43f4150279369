"""Convert between floats and the numbers that files hold, which are rounded once, to nearest."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .formats import Depth

Floats = NDArray[np.float32]  # pictures in memory
TYPES: dict[Depth, type[Any]] = {"8": np.uint8, "16": np.uint16, "half": np.float16, "float": np.float32}
WHITE: dict[Depth, int] = {"8": 255, "16": 65535, "half": 1, "float": 1}  # the number that stands for it
OPAQUE_FROM: dict[Depth, float] = {  # the least alpha that is held as 1
    "8": 1 - 0.5 / 255, "16": 1 - 0.5 / 65535, "half": 1 - 2**-12, "float": 1.0,
}  # fmt: skip
DEPTH_OF: dict[str, Depth] = {  # by the type of samples, as numpy or OpenImageIO calls it
    "uint8": "8", "uint16": "16", "float16": "half", "half": "half",
    "float": "float", "float32": "float", "float64": "float", "double": "float",
}  # fmt: skip
ROWS = 64  # at a time, which keeps temporary memory small
LARGEST_HALF = 65504.0


def split(samples: NDArray[Any], alpha_channel: int | None) -> tuple[Floats, Floats | None]:
    """Split samples (H, W, channels) of a type in `DEPTH_OF` into colour (H, W, 3) and alpha (H, W) or None, float32.

    One or two channels are grey, with or without alpha. Where alpha is NaN it becomes 0.
    """
    white = WHITE[DEPTH_OF[samples.dtype.name]]
    grey = samples.shape[2] < 3
    colour = samples[..., :1] if grey else samples[..., :3]
    rgb = np.empty((*samples.shape[:2], 3), np.float32)
    np.divide(colour, np.float32(white), out=rgb, casting="unsafe", dtype=np.float32)  # grey goes to all three
    if alpha_channel is None:
        return rgb, None
    alpha = np.divide(samples[..., alpha_channel], np.float32(white), dtype=np.float32, casting="unsafe")
    return rgb, np.clip(np.nan_to_num(alpha, copy=False), 0, 1)


def to_samples(values: Floats, depth: Depth) -> NDArray[Any]:
    """Convert to uint8 or uint16, rounded to nearest and clamped to [0, 1], NaN being 0; or to float16 or float32.

    Floats keep NaN and infinities; half is clamped to its range. Same shape.
    """
    if depth == "float":
        return np.asarray(values, np.float32)
    if depth == "half":
        return _to_half(values)
    white = WHITE[depth]
    result = np.empty(values.shape, TYPES[depth])
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
    result = np.empty(rgba.shape, TYPES[depth])
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
