"""Make hints from a known alpha: trimaps and rough masks."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ...imaging.canvas import grow
from .augment import blur, chance, choice, uniform


def trimap(alpha: Tensor, g: torch.Generator) -> Tensor:
    """Make a trimap of alpha (1, h, w), 0, ½ or 1: the soft band widened by a random radius."""
    radius = 1 + choice(g, 12)
    unsure, there = (grow(part[0].float(), radius)[None] for part in (alpha <= 0.95, alpha >= 0.05))
    return (1 + there - unsure) / 2


def rough_mask(alpha: Tensor, g: torch.Generator) -> Tensor:
    """Make a rough mask of alpha (1, h, w): drawn by hand, found by a detector, or of the frame before."""
    return _neighbour(alpha, g) if chance(g, 0.4) else drawn_mask(alpha, g)


def drawn_mask(alpha: Tensor, g: torch.Generator) -> Tensor:
    """Make a mask of 0 and 1 as a hand would draw it around alpha (1, h, w): grown or shrunk, and wobbling."""
    _, h, w = alpha.shape
    wobble = F.interpolate(torch.rand(1, 1, 6, 6, generator=g), size=(h, w), mode="bicubic", align_corners=False)[0]
    soft = blur(alpha, uniform(g, 0.03, 0.12) * h)
    return (soft > 0.5 + (wobble - 0.5) * uniform(g, 0.3, 0.9) + uniform(g, -0.25, 0.1)).float()


def _neighbour(alpha: Tensor, g: torch.Generator) -> Tensor:
    """Make a soft matte as of the frame before: moved, turned and scaled a little, and with a fault here and there."""
    _, h, w = alpha.shape
    angle, scale = uniform(g, -0.08, 0.08), uniform(g, 0.94, 1.06)
    cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
    moved = torch.tensor([[[cos, -sin, uniform(g, -0.1, 0.1)], [sin, cos, uniform(g, -0.1, 0.1)]]])
    grid = F.affine_grid(moved, [1, 1, h, w], align_corners=False)
    mask = F.grid_sample(alpha[None], grid, padding_mode="border", align_corners=False)[0]
    if chance(g, 0.5):  # an invented or a missing part
        field = F.interpolate(torch.rand(1, 1, 5, 5, generator=g), (h, w), mode="bicubic", align_corners=False)[0]
        part = ((field - uniform(g, 0.75, 0.95)) * 12).clamp(0, 1)
        mask = torch.lerp(mask, torch.full_like(mask, float(chance(g, 0.5))), part)
    return blur(mask, uniform(g, 1, 4)).clamp(0, 1) if chance(g, 0.3) else mask
