"""Draw light: orbs, sparks, beams, and a halo around an object.

Light adds to what is behind it. As a straight layer it is its brightest channel as alpha, and the colour that gives:
over black it is the light itself, over white it vanishes, as light does on film that is white already.
"""

import math

import torch
from torch import Tensor

from ...imaging.composite import layered
from ..train.augment import blur, chance, choice, uniform
from .noise import fractal
from .strands import draw_strands

HUES: dict[str, tuple[float, float, float]] = {
    "warm": (1.0, 0.72, 0.35),
    "golden": (1.0, 0.84, 0.28),
    "white": (1.0, 0.97, 0.92),
    "cold": (0.62, 0.82, 1.0),
    "blue": (0.25, 0.48, 1.0),
    "green": (0.35, 1.0, 0.48),
    "pink": (1.0, 0.36, 0.72),
    "red": (1.0, 0.24, 0.16),
    "violet": (0.66, 0.34, 1.0),
}


def draw_hue(g: torch.Generator) -> tuple[str, Tensor]:
    """Return the name of a colour of light, and the colour (3, 1, 1)."""
    name = list(HUES)[choice(g, len(HUES))]
    return name, torch.tensor(HUES[name])[:, None, None]


def as_layer(light: Tensor) -> Tensor:
    """Convert light (3, h, w), from 0 up, to a straight RGBA layer (4, h, w)."""
    light = 1 - torch.exp(-light)  # film saturates
    alpha = light.amax(0, keepdim=True)
    return torch.cat((light / alpha.clamp(min=1e-4), alpha))


def draw_glow(side: int, g: torch.Generator) -> tuple[Tensor, str]:
    """Draw light as a straight RGBA layer (4, side, side), and its name."""
    name, hue = draw_hue(g)
    kind, draw = list(KINDS.items())[choice(g, len(KINDS))]
    core, halo = draw(side, g)  # (h, w) each
    border = _border(side)
    return as_layer((core * (0.35 * hue + 0.65) * 2.5 + halo * hue) * border), f"{name} {kind}"


def add_halo(layer: Tensor, g: torch.Generator) -> Tensor:
    """Return a straight RGBA layer (4, h, w) with light around it, as if it glowed."""
    _, hue = draw_hue(g)
    short = min(layer.shape[1:])
    near = blur(layer[3:], short * uniform(g, 0.015, 0.03))
    far = blur(layer[3:], short * uniform(g, 0.06, 0.14))
    return layered(layer, as_layer((near * 0.7 + far) * uniform(g, 0.5, 1.4) * hue))


def _radii(side: int, y: float, x: float) -> Tensor:
    rows, columns = (torch.arange(side) + 0.5) / side, (torch.arange(side) + 0.5) / side
    return torch.hypot(rows[:, None] - y, columns - x)


def _border(side: int) -> Tensor:
    """Return 1 inside, falling to 0 at the border: light must not end at the picture's edge."""
    away = torch.minimum(torch.arange(side) + 0.5, side - torch.arange(side) - 0.5) / side
    ramp = (away / 0.18).clamp(0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    return ramp[:, None] * ramp


def _orb(side: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    radius = _radii(side, 0.5, 0.5)
    size = uniform(g, 0.02, 0.1)
    core = torch.exp(-((radius / size) ** 4))
    halo = 1.2 / (1 + (radius / (size * 1.3)) ** 2)
    if chance(g, 0.5):  # a star: streaks of the aperture
        rows = (torch.arange(side)[:, None] + 0.5) / side - 0.5
        columns = (torch.arange(side) + 0.5) / side - 0.5
        turn = uniform(g, 0, math.pi)
        for k in range(2 + choice(g, 3)):
            a = turn + k * math.pi / 3
            across, along = rows * math.cos(a) - columns * math.sin(a), rows * math.sin(a) + columns * math.cos(a)
            halo = halo + torch.exp(-((across / 0.006) ** 2)) * torch.exp(-along.abs() / (size * 2.5)) * 1.5
    return core, halo


def _bokeh(side: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    core, halo = torch.zeros(side, side), torch.zeros(side, side)
    for _ in range(4 + choice(g, 14)):
        radius = _radii(side, uniform(g, 0.15, 0.85), uniform(g, 0.15, 0.85))
        size, strength = uniform(g, 0.025, 0.085), uniform(g, 0.15, 0.7)
        inside = ((size - radius) * side / 2 + 0.5).clamp(0, 1)
        halo = halo + strength * inside * (0.75 + 0.5 * (radius / size) ** 4)
    return core, halo


def _sparks(side: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    count = 60 + choice(g, 240)
    y, x = uniform(g, 0.4, 0.7) * side, uniform(g, 0.35, 0.65) * side
    angle, speed, size, bend = torch.rand(4, count, generator=g)
    turn = 2 * math.pi * angle
    far = side * (0.04 + 0.38 * speed**1.5)
    along = torch.linspace(0, 1, 40)[:, None]
    reach = far * (1 - 0.3 * (1 - along) * (0.3 + bend))
    ys = y + reach * torch.sin(turn) + 0.25 * far * (along * speed) ** 2
    xs = x + reach * torch.cos(turn)
    core = torch.zeros(side, side)
    draw_strands(core, ys.flatten(), xs.flatten(), ((0.3 + 0.9 * size) * along).flatten() * side / 400)
    spread = blur(core[None], side * 0.012)[0] * 2 + blur(core[None], side * 0.05)[0] * 2
    return core * 0.8, spread + 0.6 / (1 + (_radii(side, y / side, x / side) / 0.05) ** 2)


def _beam(side: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    rows = (torch.arange(side)[:, None] + 0.5) / side
    columns = (torch.arange(side) + 0.5) / side
    lean, top = uniform(g, -0.4, 0.4), uniform(g, 0.3, 0.7)
    width = uniform(g, 0.02, 0.06) + uniform(g, 0.08, 0.25) * rows
    across = (columns - top - lean * (rows - 0.1)) / width
    dust = 0.7 + 0.6 * fractal((side, side), side * 0.2, g)
    light = torch.exp(-(across**4)) * dust * (1.1 - rows) * uniform(g, 0.5, 1.1)
    return torch.zeros(side, side), light


def _lightning(side: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
    core = torch.zeros(side, side)
    lean = uniform(g, -0.2, 0.2)
    trunk = _bolt((0.14, 0.5 - lean), (0.86, 0.5 + lean), g)  # (n, 2)
    _draw_bolt(core, trunk, side / 260)
    for _ in range(1 + choice(g, 5)):
        start = trunk[choice(g, len(trunk) * 2 // 3)]
        angle, far = uniform(g, 0.2, math.pi - 0.2), uniform(g, 0.1, 0.35)
        end = start + far * torch.tensor([math.sin(angle), math.cos(angle)])
        _draw_bolt(core, _bolt(tuple(start.tolist()), tuple(end.tolist()), g), side / 550)
    spread = blur(core[None], side * 0.015)[0] * 2 + blur(core[None], side * 0.06)[0] * 3
    return core, spread


def _bolt(start: tuple[float, ...], end: tuple[float, ...], g: torch.Generator) -> Tensor:
    """Draw points (n, 2), y and x, of a jagged line: midpoints displaced, half as far each time."""
    points = torch.tensor([start, end])
    scale = 0.22 * float((points[1] - points[0]).norm())
    for _ in range(7):
        middle = (points[1:] + points[:-1]) / 2 + (torch.rand(len(points) - 1, 2, generator=g) - 0.5) * scale
        points = torch.cat((torch.stack((points[:-1], middle), 1).flatten(0, 1), points[-1:]))
        scale *= 0.52
    return points


def _draw_bolt(core: Tensor, points: Tensor, radius: float) -> None:
    side = core.shape[0]
    part = torch.linspace(0, 1, 9)[:-1, None, None]
    fine = (points[:-1] + (points[1:] - points[:-1]) * part).transpose(0, 1).flatten(0, 1) * side
    thin = torch.linspace(1, 0.55, len(fine)) * radius
    draw_strands(core, fine[:, 0], fine[:, 1], thin)


KINDS = {
    "light": _orb,
    "lights out of focus": _bokeh,
    "sparks": _sparks,
    "beam of light": _beam,
    "lightning": _lightning,
}
