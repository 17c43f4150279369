"""Put a picture with alpha over a background."""

import torch
from torch import Tensor


def over(layer: Tensor, background: Tensor) -> Tensor:
    """The straight RGBA `layer` (4, H, W) over an opaque `background` (3, H, W): αF + (1 − α)B, (3, H, W)."""
    alpha = layer[3:]
    return alpha * layer[:3] + (1 - alpha) * background


def checkerboard(height: int, width: int, square: int = 16) -> Tensor:
    """A light grey checkerboard (3, height, width) with squares of `square` pixels."""
    rows, columns = torch.arange(height)[:, None] // square, torch.arange(width) // square
    return torch.where((rows + columns) % 2 == 0, 0.8, 0.6).expand(3, height, width)


def opaque(colour: Tensor) -> Tensor:
    """Colour (3, H, W) → RGBA (4, H, W), alpha 1."""
    return torch.cat((colour, torch.ones_like(colour[:1])))
