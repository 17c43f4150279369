"""Draw smoke, steam and flames: a plume of warped noise, lit from a side, with soft thresholds."""

import math

import torch
from torch import Tensor

from ..train.augment import blur, chance, choice, uniform
from .noise import fractal, smooth, warped

# What it is called → (its colour where lit, where in shade, how dense it gets).
SMOKES: dict[str, tuple[tuple[float, float, float], tuple[float, float, float], float]] = {
    "white smoke": ((0.97, 0.97, 0.98), (0.62, 0.64, 0.68), 2.2),
    "grey smoke": ((0.72, 0.72, 0.73), (0.36, 0.36, 0.38), 2.6),
    "black smoke": ((0.30, 0.28, 0.27), (0.04, 0.04, 0.04), 3.2),
    "steam": ((1.0, 1.0, 1.0), (0.82, 0.85, 0.88), 1.0),
    "red smoke": ((0.95, 0.35, 0.30), (0.48, 0.08, 0.10), 2.6),
    "blue smoke": ((0.40, 0.58, 0.95), (0.10, 0.18, 0.50), 2.6),
    "orange smoke": ((1.0, 0.62, 0.25), (0.62, 0.24, 0.05), 2.6),
    "a cloud of dust": ((0.84, 0.74, 0.60), (0.52, 0.43, 0.32), 2.0),
}
# Temperature → colour of a flame, from its cool edge to its core.
FLAME = torch.tensor([[0.55, 0.05, 0.0], [0.92, 0.25, 0.02], [1.0, 0.58, 0.08], [1.0, 0.86, 0.35], [1.0, 0.98, 0.86]])


def draw_smoke(side: int, g: torch.Generator) -> tuple[Tensor, str]:
    """Draw smoke as a straight RGBA layer (4, side, side), and its name."""
    name = list(SMOKES)[choice(g, len(SMOKES))]
    lit, shade, thickness = SMOKES[name]
    rising = name != "a cloud of dust" and chance(g, 0.7)
    density = _wisps(side, g, tall=1.6 if rising else 0.9) * (_plume(side, g) if rising else _puff(side, g))
    depth = density * thickness * uniform(g, 0.8, 2.2)
    alpha = 1 - torch.exp(-depth)
    angle = uniform(g, -math.pi, 0)  # the light comes from above
    mass = torch.stack([blur(alpha[None], side * r)[0] for r in (0.005, 0.014, 0.04, 0.1)]).mean(0)
    ahead = torch.full_like(density, side * 0.035)
    toward = warped(mass[None], math.cos(angle) * ahead, math.sin(angle) * ahead)[0]
    light = torch.sigmoid(uniform(g, 4, 9) * (mass - toward))[None]
    colour = light * torch.tensor(lit)[:, None, None] + (1 - light) * torch.tensor(shade)[:, None, None]
    return torch.cat((colour, alpha[None].clamp(0, 0.985))), name


def draw_flame(side: int, g: torch.Generator) -> tuple[Tensor, str]:
    """Return a flame as a straight RGBA layer (4, side, side), and what it is called."""
    height, across = _coordinates(side)
    sway = (smooth((side, side), side * 0.3, g) - 0.5) * height.sqrt() * uniform(g, 0.2, 0.5)
    width = uniform(g, 0.22, 0.4) * (1 - height).clamp(min=0).pow(0.75) * (0.45 + height * 1.6).clamp(max=1)
    body = 1 - ((across - sway) / width.clamp(min=1e-3)).square()
    tongues = _wisps(side, g, tall=2.8)
    heat = (body.clamp(-1, 1) * 0.75 + (tongues - 0.5) * (0.5 + 1.3 * height) + 0.25 * (1 - height)).clamp(min=0)
    heat = heat * ((height - 0.02) / 0.06).clamp(0, 1) * ((0.985 - height) / 0.1).clamp(0, 1)
    scaled = (heat * 3.6).clamp(0, 3.999)
    low = scaled.long()
    part = (scaled - low)[None]
    colour = FLAME[low].permute(2, 0, 1) * (1 - part) + FLAME[low + 1].permute(2, 0, 1) * part
    alpha = 1 - torch.exp(-2.6 * heat)
    return torch.cat((colour, alpha[None])), "a flame"


def _coordinates(side: int) -> tuple[Tensor, Tensor]:
    """Return the height above the ground in [0, 1] and the place across in [−½, ½], both (side, side)."""
    height = 1 - (torch.arange(side)[:, None] + 0.5) / side
    across = (torch.arange(side) + 0.5) / side - 0.5
    return height.expand(side, side), across.expand(side, side)


def _wisps(side: int, g: torch.Generator, tall: float) -> Tensor:
    """Draw noise (side, side) in [0, 1], folded by other noise into wisps; `tall` times longer than wide."""
    size = (side, side)
    base = fractal((max(8, round(side / tall)), side), side * uniform(g, 0.14, 0.28), g, octaves=6, gain=0.58)
    base = torch.nn.functional.interpolate(base[None, None], size=size, mode="bicubic", align_corners=False)[0]
    fold = side * uniform(g, 0.05, 0.15)
    dx, dy = (fold * 2 * (fractal(size, side * 0.3, g, octaves=4) - 0.5) for _ in range(2))
    field = warped(base, dx, dy)[0]
    centre, spread = field.mean(), field.std().clamp(min=1e-3)
    return torch.sigmoid((field - centre) / spread * 1.1)


def _plume(side: int, g: torch.Generator) -> Tensor:
    """Return how dense a rising column is: narrow at its foot, wider and thinner above, bent."""
    height, across = _coordinates(side)
    bend = uniform(g, -0.3, 0.3) * height**1.5 + (smooth((side, side), side * 0.4, g) - 0.5) * 0.3 * height
    width = uniform(g, 0.02, 0.06) + uniform(g, 0.12, 0.26) * height ** uniform(g, 0.6, 1.2)
    shape = torch.exp(-((across - bend) / width).square() * 1.2)
    ends = (height / 0.08).clamp(0, 1) * ((1 - height) / 0.35).clamp(0, 1)
    return _thresholded(shape * ends, side, g) * (1.25 - 0.6 * height)


def _puff(side: int, g: torch.Generator) -> Tensor:
    """Tell how dense a cloud is: round, lying, with a ragged edge."""
    height, across = _coordinates(side)
    wide, high = uniform(g, 0.2, 0.3), uniform(g, 0.14, 0.28)
    shape = torch.exp(-(across / wide).square() - ((height - 0.5) / high).square())
    border = (torch.minimum(height, 1 - height) / 0.1).clamp(0, 1) * ((0.5 - across.abs()) / 0.1).clamp(0, 1)
    return _thresholded(shape * border, side, g)


def _thresholded(shape: Tensor, side: int, g: torch.Generator) -> Tensor:
    """Return a soft threshold of the shape against noise: billows at the edge, none outside."""
    ragged = fractal((side, side), side * 0.16, g, octaves=5)
    return ((shape * 1.5 + (ragged - 0.55) * 1.2 * shape.sqrt() - 0.25).clamp(min=0) * 1.4).clamp(max=1.6)
