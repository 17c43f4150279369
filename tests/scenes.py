"""Synthetic scenes whose layers are known exactly."""

import torch
from torch import Tensor


def textured(height: int, width: int, colour: tuple[float, float, float], seed: int) -> Tensor:
    """A smooth random texture (3, height, width) around a colour."""
    noise = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(seed)) - 0.5
    texture = torch.nn.functional.interpolate(noise, (height, width), mode="bicubic")[0]
    return (torch.tensor(colour)[:, None, None] + 0.15 * texture).clamp(0, 1)


def disc(height: int, width: int, softness: float) -> Tensor:
    """Alpha (height, width) of a centred disc whose edge is `softness` pixels wide."""
    rows, columns = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
    distance = torch.hypot(rows - height / 2, columns - width / 2)
    return ((0.35 * min(height, width) - distance) / softness + 0.5).clamp(0, 1)


def hair(height: int, width: int, strands: int = 60) -> Tensor:
    """Alpha (height, width) of a disc with thin wavy strands standing out of it."""
    alpha = disc(height, width, 2.0)
    rows, columns = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
    y, x = rows - height / 2, columns - width / 2
    radius, angle = torch.hypot(y, x) / (0.35 * min(height, width)), torch.atan2(y, x)
    wave = torch.cos(strands * (angle + 0.15 * torch.sin(3 * radius)))
    inside = (radius > 0.9) & (radius < 1.25)
    strand = ((wave - 0.6) / 0.4).clamp(0, 1) * ((1.25 - radius) / 0.2).clamp(0, 1) * inside
    return torch.maximum(alpha, strand)
