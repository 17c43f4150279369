"""Compose a triplet: an object, drawn or made, on a background, with what it does to its surroundings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor

from ...imaging.canvas import to_bytes
from ...imaging.composite import over
from ..train.augment import BACKDROP, blur, chance, choice, drawn, extend_colours, uniform, view
from . import glass, glow, harmony, lens, smoke, strands
from .captions import Captions, caption, describe
from .effects import Effects, draw_effects, is_visible, light_spill
from .noise import fractal
from .place import Cuts, cuts_of, mirrored, put, trimmed
from .sources import Entry, Picture, load

# Shares of what is made, of all that is made rather than drawn from pictures.
MADE = {"vessel": 0.28, "glazed": 0.14, "translucent": 0.14, "smoke": 0.2, "flame": 0.08, "glow": 0.16}
ASPECTS = (1.0, 4 / 3, 3 / 4, 3 / 2, 2 / 3, 16 / 9)  # width over height, besides the background's own
UNSURE = 0.3  # of a photograph's subject: where so much is neither in nor out, its matte is a guess
PICKS = 8  # objects that are drawn until one lends itself
OVERSIZE = 2  # pictures are read at up to so many times the size of what is built


@dataclass(frozen=True)
class Pool:
    """Hold what is drawn from. `size` is the longer side of what is built; `made` the share of made objects."""

    photos: Sequence[Entry]
    cutouts: Sequence[Entry]
    backgrounds: Sequence[Entry]
    size: int = 512
    made: float = 0.25
    others: float = 0.2  # chance that another object, which is not meant, is part of the background


@dataclass(frozen=True)
class Subject:
    """Hold an object (4, h, w) on its canvas, and what is known of it."""

    layer: Tensor
    label: str
    on_ground: bool
    made: tuple[str, ...]
    source: str = ""


@dataclass(frozen=True)
class Composition:
    """Hold layers of one canvas, in [0, 1]: `foreground` and `effects` (4, h, w) straight, `background` (3, h, w)."""

    foreground: Tensor
    background: Tensor
    effects: Effects | None
    captions: Captions
    label: str
    others: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    sources: dict[str, str] = field(default_factory=dict)


def compose(pool: Pool, g: torch.Generator) -> Composition | None:
    """Compose a triplet's layers; None where the drawn pictures do not suit. Raises ItemError for an unreadable one."""
    entry = pool.backgrounds[choice(g, len(pool.backgrounds))]
    picture = load(entry, OVERSIZE * pool.size)
    background, made = draw_background(picture, pool.size, g)
    size = (background.shape[1], background.shape[2])
    words = picture.label or describe(background)
    others: tuple[str, ...] = ()
    side = 0
    if (pool.photos or pool.cutouts) and chance(g, pool.others):
        side = 1 if chance(g, 0.5) else -1
        other = draw_subject(pool, size, -side, g)
        if other is not None:
            background, _ = _with(other, background, g)
            others = (other.label,)
    is_made = not (pool.photos or pool.cutouts) or chance(g, pool.made)
    subject = make_subject(pool, size, side, g) if is_made else draw_subject(pool, size, side, g)
    if subject is None:
        return None
    subject = vary(subject, background, g)
    _, effects = _with(subject, background, g)
    names = effects.names if effects else ()
    return Composition(
        foreground=subject.layer,
        background=background,
        effects=effects,
        captions=caption(subject.label, words, others, names),
        label=subject.label,
        others=others,
        made=(*made, *subject.made, *names),
        sources={"background": entry.name, **({"foreground": subject.source} if subject.source else {})},
    )


def _with(subject: Subject, background: Tensor, g: torch.Generator) -> tuple[Tensor, Effects | None]:
    """Return the background with an object on it, and the object's effects."""
    effects = None
    if {"glow", "flame"} & set(subject.made):
        effects = light_spill(subject.layer, g) if chance(g, 0.6) else None
    elif "smoke" not in subject.made and chance(g, 0.75 if subject.on_ground else 0.35):
        effects = draw_effects(subject.layer, background, subject.on_ground, g)
    if effects and not is_visible(effects, subject.layer, background):
        effects = None
    ground = over(effects.layer, background) if effects else background
    return over(subject.layer, ground), effects


def draw_background(picture: Picture, longest: int, g: torch.Generator) -> tuple[Tensor, tuple[str, ...]]:
    """Return a view of a background (3, h, w), perhaps out of focus or moving, and what was done to it."""
    h, w = picture.rgba.shape[:2]
    aspect = min(max(w / h, 0.5), 2.0) if chance(g, 0.5) else ASPECTS[choice(g, len(ASPECTS))]
    size = (round(longest / aspect), longest) if aspect >= 1 else (longest, round(longest * aspect))
    cropped_h, cropped_w = min(h, round(w / aspect)), min(w, round(h * aspect))
    top, left = choice(g, h - cropped_h + 1), choice(g, w - cropped_w + 1)
    rgba = picture.rgba[top : top + cropped_h, left : left + cropped_w]
    background = view(rgba, size, BACKDROP, g, fit="stretch")[:3]
    unit = longest / 512
    if chance(g, 0.3):
        return lens.blurred(background, lens.disc(uniform(g, 1.5, 7) * unit)), ("background defocus",)
    if chance(g, 0.05):
        return lens.blurred(background, lens.draw_streak(24 * unit, g)), ("background motion",)
    return background, ()


def draw_subject(pool: Pool, size: tuple[int, int], side: int, g: torch.Generator) -> Subject | None:
    """Draw an object from a photograph or a cut-out, and place it; None where none of a few suits."""
    for _ in range(PICKS):
        use_photo = bool(pool.photos) and (not pool.cutouts or chance(g, 0.6))
        entries = pool.photos if use_photo else pool.cutouts
        entry = entries[choice(g, len(entries))]
        found = _object(load(entry, OVERSIZE * pool.size).rgba, use_photo)
        if found is None:
            continue
        rgba, cuts = mirrored(*found) if chance(g, 0.5) else found
        on_ground = chance(g, 0.7)
        layer = put(rgba, cuts, size, g, on_ground=on_ground, scale=(0.4, 0.65) if side else (0.35, 0.98), side=side)
        return Subject(layer, entry.label, on_ground and not cuts.bottom, (entry.kind,), entry.name)
    return None


def _object(rgba: np.ndarray, is_photo: bool) -> tuple[np.ndarray, Cuts] | None:
    """Crop a picture to its object, without colours of what was behind; None where it is not whole or not sure."""
    alpha = rgba[..., 3]
    cuts, cropped = cuts_of(rgba, is_photo), trimmed(rgba)
    if cropped is None or cuts.top or cuts.count > 1 or (alpha > 127).mean() > 0.9:
        return None
    soft = ((alpha > 12) & (alpha < 243)).sum() / (alpha > 12).sum()
    if is_photo and soft > UNSURE:
        return None
    return extend_colours(cropped, 0.97 if is_photo else 0.3), cuts


def make_subject(pool: Pool, size: tuple[int, int], side: int, g: torch.Generator) -> Subject | None:
    """Make an object: a vessel of glass, smoke, fire, light, or a drawn object turned to glass or made translucent."""
    drawable = bool(pool.photos or pool.cutouts)
    kind = drawn({k: v for k, v in MADE.items() if drawable or k not in ("glazed", "translucent")}, g)
    if kind in ("glazed", "translucent"):
        subject = draw_subject(pool, size, side, g)
        if subject is None:
            return None
        layer = glass.make_glass(subject.layer, g) if kind == "glazed" else translucent(subject.layer, g)
        label = f"{'glass' if kind == 'glazed' else 'translucent'} {subject.label}" if subject.label else ""
        return Subject(layer, label, subject.on_ground, (*subject.made, kind), subject.source)
    draws = {"vessel": glass.draw_vessel, "smoke": smoke.draw_smoke, "flame": smoke.draw_flame, "glow": glow.draw_glow}
    scales = {"vessel": (0.35, 0.95), "smoke": (0.6, 1.3), "flame": (0.3, 1.0), "glow": (0.5, 1.3)}
    made, label = draws[kind](max(64, pool.size * 3 // 4), g)
    rgba = trimmed(to_bytes(made))
    if rgba is None:
        return None
    on_ground = kind in ("vessel", "flame") or (kind == "smoke" and chance(g, 0.5))
    layer = put(np.ascontiguousarray(rgba), Cuts(), size, g, on_ground=on_ground, scale=scales[kind], side=side)
    return Subject(layer, label, on_ground, (kind,))


def translucent(layer: Tensor, g: torch.Generator) -> Tensor:
    """Return a straight RGBA layer (4, h, w) that lets the background through: evenly, in a gradient, or in patches."""
    _, h, w = layer.shape
    low, high = uniform(g, 0.15, 0.5), uniform(g, 0.6, 0.95)
    kind = choice(g, 3)
    if kind == 0:
        part = torch.full((1, h, w), uniform(g, 0.2, 0.8))
    elif kind == 1:
        start, end = (low, high) if chance(g, 0.5) else (high, low)
        ramp = torch.linspace(start, end, h if chance(g, 0.6) else w)
        part = (ramp[:, None] if len(ramp) == h else ramp).expand(h, w)[None]
    else:
        part = low + (high - low) * fractal((h, w), min(h, w) * 0.3, g)[None]
    rim = (layer[3:] - blur(layer[3:], 3)).abs() * 1.5  # folds and edges hold more light back
    return torch.cat((layer[:3], layer[3:] * (part + rim).clamp(0, 1)))


def vary(subject: Subject, background: Tensor, g: torch.Generator) -> Subject:
    """Fit an object to the background's colours and light, and show it as hair, lens and shutter may."""
    made = list(subject.made)
    unit = max(subject.layer.shape[1:]) / 512
    pictured = bool({"photo", "cutout"} & set(made))
    solid = pictured and not {"glazed", "translucent"} & set(made)
    steps: tuple[tuple[str, float, Callable[[Tensor], Tensor]], ...] = (
        ("harmonised", 0.75 * pictured, lambda layer: harmony.harmonise(layer, background, g)),
        ("relit", 0.3 * pictured, lambda layer: harmony.relight(layer, g)),
        ("hair", solid * (0.3 if "photo" in made else 0.1), lambda layer: strands.grow_hair(layer, g)),
        ("glow", 0.05 * solid, lambda layer: glow.add_halo(layer, g)),
        ("defocus", 0.12, lambda layer: lens.blurred_layer(layer, lens.disc(uniform(g, 1, 8) * unit))),
        ("motion", 0.1, lambda layer: lens.blurred_layer(layer, lens.draw_streak(48 * unit, g))),
    )
    layer = subject.layer
    for name, likely, step in steps:
        if chance(g, likely):
            layer = step(layer)
            made.append(name)
    return replace(subject, layer=layer, made=tuple(made))
