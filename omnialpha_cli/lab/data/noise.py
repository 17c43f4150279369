"""Draw random fields: smooth, or with detail at several scales."""

import torch
from torch import Tensor
from torch.nn import functional as F


def smooth(size: tuple[int, int], cell: float, g: torch.Generator) -> Tensor:
    """Return a field (h, w) of values around ½, nearly all within [0, 1], that changes over about `cell` pixels."""
    h, w = size
    grid = torch.rand(1, 1, max(2, round(h / cell) + 2), max(2, round(w / cell) + 2), generator=g)
    return F.interpolate(grid, size=(h, w), mode="bicubic", align_corners=True)[0, 0]


def fractal(size: tuple[int, int], cell: float, g: torch.Generator, octaves: int = 5, gain: float = 0.55) -> Tensor:
    """Draw a field (h, w) in [0, 1] with detail from `cell` pixels down, each octave finer and `gain` weaker."""
    field = torch.zeros(size)
    weight = 1.0
    for octave in range(octaves):
        scale = cell / 2**octave
        if scale < 1.5 and octave:
            break
        field += weight * (smooth(size, scale, g) - 0.5)
        weight *= gain
    low, high = field.min(), field.max()
    return (field - low) / (high - low).clamp(min=1e-6)


def warped(field: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """Read planes (C, h, w) `dx`, `dy` (h, w) pixels away from each pixel, mirrored at the borders."""
    _, h, w = field.shape
    y, x = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    grid = torch.stack(((x + dx) / w * 2 - 1, (y + dy) / h * 2 - 1), -1)
    return F.grid_sample(field[None], grid[None].float(), padding_mode="reflection", align_corners=False)[0]
