"""Lay pictures with alpha over flat colours, so that measures made for opaque ones can judge them.

The nine are those of the benchmark of Wang et al., "AlphaVAE" (arXiv 2507.09308): each measure is taken over every one,
and the mean of the nine is reported.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

COLOURS: dict[str, tuple[float, float, float]] = {
    "grey": (0.5, 0.5, 0.5),
    "black": (0, 0, 0),
    "white": (1, 1, 1),
    "red": (1, 0, 0),
    "green": (0, 1, 0),
    "blue": (0, 0, 1),
    "yellow": (1, 1, 0),
    "cyan": (0, 1, 1),
    "magenta": (1, 0, 1),
}


def composites(rgba: Array) -> Array:
    """Lay straight RGBA (H, W, 4) over every colour: (9, H, W, 3); (1, H, W, 3) of an opaque one, as all are equal."""
    colour, alpha = rgba[..., :3], rgba[..., 3:]
    if (alpha == 1).all():
        return colour[None]
    flat = np.array(list(COLOURS.values()), rgba.dtype)[:, None, None]  # (9, 1, 1, 3)
    return alpha * colour + (1 - alpha) * flat
