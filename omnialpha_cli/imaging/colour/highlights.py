"""Draw in what lies outside [0, 1], for sums and fits that one lamp or firefly would otherwise decide.

Scene-linear plates have no upper end, and filters square their colours: beside the square of a highlight nothing is
left of the colours around it, in any precision. A logarithm keeps the order of all values and what tells them apart,
joins [0, 1] without a step in value or slope, and leaves that range as it is.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def compress(colour: Tensor) -> Tensor:
    """Return `colour` (of any shape) with values v above 1 as 1 + log v, and with negative ones as −log(1 − v).

    What lies within [0, 1] stays bit for bit; 10⁶ becomes 14.8.
    """
    return _apply(torch.log1p, colour)


def expand(compressed: Tensor) -> Tensor:
    """Return the colours of which `compress` made the `compressed` ones."""
    return _apply(torch.expm1, compressed)


def goes_beyond(values: Tensor) -> bool:
    """Tell whether any of the `values` lies outside [0, 1]."""
    if not values.numel():
        return False
    low, high = torch.aminmax(values)
    return not (low >= 0 and high <= 1)


def _apply(curve: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """Return `values` with a `curve`, which starts at 0 with slope 1, applied to how far they lie outside [0, 1]."""
    if not goes_beyond(values):
        return values
    return values.clamp(0, 1) + curve((values - 1).clamp(min=0)) - curve((-values).clamp(min=0))
