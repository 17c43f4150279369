"""Draw what an object does to its surroundings: shadows, reflections, light, a layer between background and foreground.

As a straight RGBA layer it lies over the clean background, and under the object: object over effects over background is
the scene, exactly.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ...imaging.composite import layered, over
from ..train.augment import blur, chance, uniform
from .noise import smooth, warped

VISIBLE, VISIBLE_AREA = 0.06, 0.002  # a change of colour, and the share of the picture that has to have it
NIGHT = 0.25  # how much of the background's mean colour is left in a shadow's


@dataclass(frozen=True)
class Effects:
    """Hold the layer (4, h, w), and what is in it: words such as "shadow"."""

    layer: Tensor
    names: tuple[str, ...]


def draw_effects(foreground: Tensor, background: Tensor, on_ground: bool, g: torch.Generator) -> Effects | None:
    """Draw effects of a straight RGBA `foreground` (4, h, w) on a `background` (3, h, w); None if there are none.

    What stands casts its shadow on the ground and may be mirrored in it; what does not throws it on what is behind.
    """
    alpha = foreground[3:]
    base = base_of(alpha)
    if base is None:
        return None
    if not on_ground:
        shade = wall_shadow(alpha, g)
        return Effects(shadow_layer(shade, background), ("shadow",))
    contact = contact_shadow(alpha, base, g)
    cast = ground_shadow(alpha, base, g) if chance(g, 0.75) else torch.zeros_like(alpha)
    layer = shadow_layer(1 - (1 - contact) * (1 - cast), background)
    if not chance(g, 0.35):
        return Effects(layer, ("shadow",))
    return Effects(layered(reflection(foreground, base, g), layer), ("shadow", "reflection"))


def is_visible(effects: Effects, foreground: Tensor, background: Tensor) -> bool:
    """Tell whether effects show beside the object: more than `VISIBLE` on more than `VISIBLE_AREA` of the picture."""
    change = (over(effects.layer, background) - background).abs().amax(0) * (1 - foreground[3])
    return float((change > VISIBLE).float().mean()) > VISIBLE_AREA


def base_of(alpha: Tensor) -> int | None:
    """Return the row on which an object (1, h, w) stands: its lowest solid one. None where there is no object."""
    strongest = float(alpha.max())
    solid = (alpha[0] > 0.4 * strongest).float().sum(1)
    rows = torch.nonzero(solid >= 2)
    return int(rows[-1]) if strongest > 0.05 and len(rows) else None


def shadow_layer(shade: Tensor, background: Tensor) -> Tensor:
    """Return a shadow's strength (1, h, w) as a layer in the background's own dark."""
    dark = (background.mean((1, 2)) * NIGHT)[:, None, None]
    return torch.cat((dark.expand_as(background), shade.clamp(0, 0.95)))


def drop_shadow(alpha: Tensor, down: int, right: int, radius: float, strength: float) -> Tensor:
    """Return the strength (1, h, w) of the soft shadow of `alpha` (1, h, w), moved `down` and `right` by pixels."""
    moved = F.pad(alpha, (right, -right, down, -down))  # negative margins cut off
    return strength * blur(moved, radius)


def wall_shadow(alpha: Tensor, g: torch.Generator) -> Tensor:
    """Return the shadow (1, h, w) on a wall not far behind."""
    _, h, w = alpha.shape
    down, right = round(uniform(g, 0.01, 0.08) * h), round(uniform(g, -0.08, 0.08) * w)
    return drop_shadow(alpha, down, right, uniform(g, 0.01, 0.04) * min(h, w), uniform(g, 0.25, 0.6))


def contact_shadow(alpha: Tensor, base: int, g: torch.Generator) -> Tensor:
    """Return the dark (1, h, w) where the lowest part of an object meets the ground."""
    _, h, w = alpha.shape
    short = min(h, w)
    above = base - (torch.arange(h)[:, None] + 0.0)
    foot = alpha * torch.exp(-(above.clamp(min=0) / (0.035 * short)).square())
    wide = F.max_pool2d(foot[None], (1, 2 * (short // 80) + 1), stride=1, padding=(0, short // 80))[0]
    near = drop_shadow(wide, round(0.012 * h), 0, 0.012 * short, uniform(g, 0.6, 0.95))
    far = drop_shadow(wide, round(0.025 * h), 0, 0.05 * short, uniform(g, 1.0, 2.2))
    return 1 - (1 - near.clamp(0, 1)) * (1 - far.clamp(0, 0.8))


def ground_shadow(alpha: Tensor, base: int, g: torch.Generator) -> Tensor:
    """Lay the outline (1, h, w) on the ground as a low light does: sheared, flat, softer and fainter farther away."""
    _, h, w = alpha.shape
    short = min(h, w)
    backward = chance(g, 0.7)  # the light comes from the viewer's side: the shadow falls away from them
    flat = uniform(g, 0.12, 0.45) * (1 if backward else -1)
    lean = uniform(g, 0.15, 1.3) * (1 if chance(g, 0.5) else -1)
    y, x = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5, indexing="ij")
    tall = (base + 1 - y) / flat  # how high above the ground is what shades this pixel
    source_x, source_y = x - lean * tall, base + 1 - tall
    grid = torch.stack((source_x / w * 2 - 1, source_y / h * 2 - 1), -1)
    laid = F.grid_sample(alpha[None], grid[None], align_corners=False)[0] * (tall >= -2)
    far = (tall / (0.6 * h)).clamp(0, 1)[None]
    sharp, soft = blur(laid, 0.006 * short), blur(laid, 0.035 * short)
    return (sharp * (1 - far) + soft * far) * uniform(g, 0.4, 0.75) * (1 - 0.4 * far)


def reflection(foreground: Tensor, base: int, g: torch.Generator) -> Tensor:
    """Return the object mirrored in a floor or in water, as a layer (4, h, w)."""
    _, h, w = foreground.shape
    rows = torch.arange(h)
    below = rows - base  # pixels under the line where it stands
    source = (base - below).clamp(0, h - 1)
    mirrored = foreground[:, source] * 1.0
    depth = (below.clamp(min=0) / h)[:, None]  # (h, 1)
    ripples = uniform(g, 0, 0.02) * w if chance(g, 0.4) else 0.0
    if ripples:
        wave = torch.sin(2 * math.pi * below[:, None] / (h * uniform(g, 0.012, 0.03)) + 6 * smooth((h, w), w * 0.2, g))
        mirrored = warped(mirrored, ripples * wave * (0.3 + 2 * depth), torch.zeros(h, w))
    fade = uniform(g, 0.12, 0.5) * torch.exp(-depth / uniform(g, 0.06, 0.3)) * (below >= 0)[:, None]
    soft = blur(mirrored, uniform(g, 1, 0.012 * min(h, w)))
    far = (depth * 4).clamp(0, 1)
    mirrored = mirrored * (1 - far) + soft * far
    return torch.cat((mirrored[:3], mirrored[3:] * fade))


def light_spill(glow: Tensor, g: torch.Generator) -> Effects:
    """Return what a light (4, h, w) does around it: a wide, faint shine in its colour."""
    short = min(glow.shape[1:])
    premultiplied = blur(torch.cat((glow[:3] * glow[3:], glow[3:])), uniform(g, 0.12, 0.3) * short)
    colour = premultiplied[:3] / premultiplied[3:].clamp(min=1e-3)
    return Effects(torch.cat((colour.clamp(0, 1), premultiplied[3:] * uniform(g, 0.2, 0.7))), ("light",))
