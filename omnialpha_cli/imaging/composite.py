"""Put a picture with alpha over a background."""

import torch
from torch import Tensor


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


def opaque(colour: Tensor) -> Tensor:
    """Return colour (3, H, W) → RGBA (4, H, W), alpha 1."""
    return torch.cat((colour, torch.ones_like(colour[:1])))
