"""Draw glass: vessels turned on a lathe, and objects made to look like glass.

A vessel's alpha follows how much glass a ray passes (Beer and Lambert) and how much its surface mirrors at that angle
(Fresnel, after Schlick). Nothing is refracted: what is behind has to stay the background itself.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ...imaging.composite import layered
from ..train.augment import blur, chance, choice, uniform
from .noise import smooth

# Outlines: (height in [0, 1] from the foot, radius in [0, 1]).
Outline = Sequence[tuple[float, float]]
VESSELS: dict[str, Outline] = {
    "bottle": ((0, 0.42), (0.03, 0.46), (0.5, 0.46), (0.64, 0.4), (0.74, 0.18), (0.95, 0.15), (0.96, 0.18), (1, 0.18)),
    "tumbler": ((0, 0.5), (0.04, 0.53), (1, 0.66)),
    "vase": ((0, 0.34), (0.08, 0.36), (0.4, 0.62), (0.65, 0.46), (0.85, 0.34), (1, 0.44)),
    "jar": ((0, 0.5), (0.05, 0.56), (0.75, 0.56), (0.88, 0.44), (0.92, 0.46), (1, 0.46)),
    "flask": ((0, 0.3), (0.05, 0.6), (0.2, 0.72), (0.45, 0.62), (0.62, 0.24), (0.95, 0.2), (1, 0.24)),
    "ball": (),  # a circle
    "wine glass": (
        (0, 0.42),
        (0.015, 0.42),
        (0.04, 0.08),
        (0.42, 0.05),
        (0.5, 0.2),
        (0.62, 0.46),
        (0.75, 0.52),
        (1, 0.4),
    ),
}
OPEN = {"bottle", "tumbler", "vase", "jar", "flask", "wine glass"}
TINTS: dict[str, tuple[float, float, float]] = {
    "clear": (0.55, 0.62, 0.62),
    "green": (0.10, 0.36, 0.18),
    "brown": (0.34, 0.17, 0.05),
    "blue": (0.10, 0.25, 0.55),
    "smoky": (0.16, 0.16, 0.18),
    "pink": (0.72, 0.34, 0.44),
}
LIQUIDS: dict[str, tuple[float, float, float]] = {
    "red wine": (0.30, 0.02, 0.07),
    "water": (0.62, 0.72, 0.74),
    "orange juice": (0.95, 0.56, 0.08),
    "tea": (0.58, 0.25, 0.05),
    "milk": (0.96, 0.95, 0.92),
}


def draw_vessel(side: int, g: torch.Generator) -> tuple[Tensor, str]:
    """Draw a vessel of glass as a straight RGBA layer (4, side, side), standing on the lower edge, and its name."""
    kind = list(VESSELS)[choice(g, len(VESSELS))]
    tint = list(TINTS)[choice(g, len(TINTS))]
    top, foot = 0.06 * side, 0.97 * side
    height = foot - top
    across = 0.5 * height if kind == "ball" else 0.72 * height * uniform(g, 0.75, 1.0)
    rows = torch.arange(side) + 0.5
    radius = _outline(VESSELS[kind], ((foot - rows) / height).clamp(0, 1)) * across  # (h,)
    x = torch.arange(side) + 0.5 - side / 2  # (w,)
    tilt = uniform(g, 0.06, 0.16)  # how far circles are seen from above
    edge = _coverage(radius, x, rows, top, foot, tilt if kind in OPEN else 0.0)
    u = (x / radius[:, None].clamp(min=1e-3)).clamp(-1, 1)  # (h, w): 0 at the axis, ±1 at the rim
    facing = (1 - u * u).clamp(min=0).sqrt()  # cosine of the angle between the view and the surface

    wall = uniform(g, 0.03, 0.08) * across
    inner = (radius - wall).clamp(min=0)[:, None]
    if kind in OPEN:  # its foot is solid
        inner = torch.where((rows > foot - uniform(g, 0.03, 0.08) * height)[:, None], torch.zeros_like(inner), inner)
    through = 2 * (radius[:, None] * facing - (inner**2 - x**2).clamp(min=0).sqrt()).clamp(min=0)  # pixels of glass
    density = uniform(g, 0.06, 0.16) if tint == "clear" else uniform(g, 0.15, 0.55)
    glass = _flat(TINTS[tint], 1 - torch.exp(-density * through / (2 * wall)))
    layer, name = glass, f"{tint} {kind}" if "glass" in kind else f"{tint} glass {kind}"
    if kind != "ball" and chance(g, 0.4):
        drink, filled = _liquid(kind, inner, x, rows, top, foot, g)
        layer, name = layered(glass, drink), f"{name} of {filled}"
    if kind in OPEN:
        layer = layered(_rim(radius, x, rows, top, wall, tilt), layer)
    sheen = (0.04 + 0.96 * (1 - facing) ** 5) * (0.55 + 0.6 * smooth((side, side), side * 0.2, g))
    layer = layered(_flat((0.92, 0.95, 0.97), sheen.clamp(0, 0.9)), layer)
    layer = layered(_windows(u, rows, top, foot, g), layer)
    return torch.cat((layer[:3], layer[3:] * edge)), name


def make_glass(layer: Tensor, g: torch.Generator) -> Tensor:
    """Make a straight RGBA layer (4, h, w) look like coloured glass: thin in the middle, with rims and lights."""
    alpha = layer[3:]
    short = min(alpha.shape[1:])
    dome = sum(blur(alpha, short * r) for r in (0.02, 0.05, 0.1)) / 3 * alpha  # higher where far from the outline
    down, across = torch.gradient(dome[0] * short * 0.35)
    facing = 1 / torch.sqrt(1 + down.square() + across.square())[None]
    light = uniform(g, -2.4, -0.7)
    toward = (-(math.cos(light) * across + math.sin(light) * down))[None] * facing
    spark = ((toward - uniform(g, 0.5, 0.7)) / 0.25).clamp(0, 1) ** 2
    grey = layer[:3].mean(0, keepdim=True)
    colour = (grey + (layer[:3] - grey) * uniform(g, 0.8, 1.3)).clamp(0, 1)
    body = uniform(g, 0.15, 0.5) + 0.5 * (1 - facing) + 0.25 * (1 - grey)
    glass = torch.cat((colour, body.clamp(0, 0.95)))
    sheen = 0.04 + 0.96 * (1 - facing) ** 3
    shining = layered(_flat((1.0, 1.0, 1.0), (0.5 * sheen + 0.9 * spark)[0].clamp(0, 0.95)), glass)
    return torch.cat((shining[:3], shining[3:] * alpha))


def _outline(points: Outline, height: Tensor) -> Tensor:
    """Return the radius at each height: a cubic through the points that never overshoots them (Fritsch and Carlson)."""
    if not points:
        return 2 * (height * (1 - height)).clamp(min=0).sqrt()
    h, r = torch.tensor(points).T.contiguous()
    step = h[1:] - h[:-1]
    rise = (r[1:] - r[:-1]) / step
    same = rise[1:] * rise[:-1] > 0
    inner = torch.where(same, 2 * rise[1:] * rise[:-1] / (rise[1:] + rise[:-1] + 1e-9), torch.zeros_like(rise[1:]))
    slope = torch.cat((rise[:1], inner, rise[-1:]))
    k = (torch.searchsorted(h, height) - 1).clamp(0, len(step) - 1)
    t = (height - h[k]) / step[k]
    a, b = (1 + 2 * t) * (1 - t) ** 2, t * (1 - t) ** 2
    c, d = t * t * (3 - 2 * t), t * t * (t - 1)
    return a * r[k] + b * step[k] * slope[k] + c * r[k + 1] + d * step[k] * slope[k + 1]


def _coverage(radius: Tensor, x: Tensor, rows: Tensor, top: float, foot: float, tilt: float) -> Tensor:
    """Return the outline's coverage (h, w); both its ends are circles seen tilted, whose lower halves round it off."""
    body = (radius[:, None] - x.abs() + 0.5).clamp(0, 1) * ((rows > top) & (rows < foot))[:, None]
    if not tilt:
        return body
    inside = (rows > top) & (rows < foot)
    first, last = radius[inside][0], radius[inside][-1]
    upper = top + first * tilt * (1 - (1 - (x / first).square()).clamp(min=0).sqrt())
    lower = foot - last * tilt * (1 - (1 - (x / last).square()).clamp(min=0).sqrt())
    return body * (rows[:, None] - upper + 0.5).clamp(0, 1) * (lower - rows[:, None] + 0.5).clamp(0, 1)


def _flat(colour: tuple[float, float, float], alpha: Tensor) -> Tensor:
    """Return one colour with an alpha (h, w), as a layer."""
    return torch.cat((torch.tensor(colour)[:, None, None].expand(3, *alpha.shape), alpha[None]))


def _liquid(
    kind: str, inner: Tensor, x: Tensor, rows: Tensor, top: float, foot: float, g: torch.Generator
) -> tuple[Tensor, str]:
    filled = list(LIQUIDS)[choice(g, len(LIQUIDS))]
    lowest = 0.5 if kind == "wine glass" else 0.06  # of the height: stems are of glass
    level = top + (foot - top) * (1 - uniform(g, max(0.3, lowest + 0.1), 0.8))
    bottom = foot - lowest * (foot - top)
    chord = 2 * (inner**2 - x**2).clamp(min=0).sqrt()  # pixels of liquid
    surface = 0.12 * inner[(rows > level).nonzero()[0, 0]]  # half the height of the ellipse that is its surface
    wide = inner[(rows > level).nonzero()[0, 0]]
    bulge = surface * (1 - (x / wide.clamp(min=1)).square()).clamp(min=0).sqrt()
    body = (rows[:, None] - (level - bulge) + 0.5).clamp(0, 1) * (rows[:, None] < bottom)
    strength = {"water": 0.1, "milk": 4.0, "orange juice": 2.4}.get(filled, 1.1)
    alpha = (1 - torch.exp(-strength * (chord / wide.clamp(min=1)).clamp(min=0) ** 0.6)) * body
    on_top = (1 - ((rows[:, None] - level) / bulge.clamp(min=0.5)).abs()).clamp(0, 1) ** 0.3 * (bulge > 0.5)
    layer = _flat(LIQUIDS[filled], alpha)
    return layered(_flat((1.0, 1.0, 1.0), 0.16 * on_top * (alpha > 0)), layer), filled


def _rim(radius: Tensor, x: Tensor, rows: Tensor, top: float, wall: float, flat: float) -> Tensor:
    """Draw the opening as an ellipse, from a little above."""
    wide = radius[(rows > top).nonzero()[0, 0]]
    high = wide * flat
    centre = top + high
    away = torch.hypot(x / wide, (rows[:, None] - centre) / high)  # 1 on the ellipse
    line = ((0.5 * wall + 0.6) / wide / ((away - 1).abs() + 1e-4)).clamp(0, 1) ** 2
    inside = (away < 1) * 0.08
    return _flat((0.95, 0.97, 0.98), (0.55 * line * (away < 1.15) + inside).clamp(0, 1))


def _windows(u: Tensor, rows: Tensor, top: float, foot: float, g: torch.Generator) -> Tensor:
    """Draw reflections of windows: bright bands that follow the outline, and a fainter one on the other side."""
    part = ((rows - top) / (foot - top))[:, None]
    light = torch.zeros_like(u)
    side = 1 if chance(g, 0.5) else -1
    for place, wide, strength in ((-0.55, 0.12, 0.85), (0.66, 0.06, 0.4), (-0.3, 0.03, 0.3)):
        centre = side * (place + uniform(g, -0.08, 0.08))
        band = ((wide - (u - centre).abs()) / 0.04 + 0.5).clamp(0, 1)
        first, last = uniform(g, 0.08, 0.25), uniform(g, 0.45, 0.9)
        reach = ((part - first) / 0.03).clamp(0, 1) * ((last - part) / 0.05).clamp(0, 1)
        if chance(g, 0.5):  # the bar of the window
            bar = uniform(g, 0.3, 0.6)
            reach = reach * ((part - bar).abs() / 0.012).clamp(0, 1)
        light = light + band * reach * strength * uniform(g, 0.6, 1.1)
    return _flat((1.0, 1.0, 1.0), light.clamp(0, 0.95))
