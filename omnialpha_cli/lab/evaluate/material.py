"""Make held-out material whose results are known, from photographs with mattes that no training uses.

Everything random follows from names alone, so that it is the same in every run and for every model.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...imaging.composite import over
from ..data.effects import drop_shadow
from ..train.augment import Geometry, blur, choice, extend_colours, uniform, view
from ..train.hints import drawn_mask, trimap
from ..train.material import crop_to_subject
from ..train.packs import Picture

Bytes = NDArray[np.uint8]

PLACED = Geometry(scale=(0.5, 0.9), rotation=10.0, shift=0.1)
BESIDE = Geometry(scale=(0.45, 0.55), aspect=0.0, rotation=10.0, shift=0.0)
LEFT, RIGHT = (-0.45, 0.0), (0.45, 0.0)  # centres
OUT_OF_FOCUS = 6.0  # pixels: a backdrop's own subject is then not one that could be meant
MIN_OBJECT = 0.01  # of the picture


@dataclass(frozen=True, eq=False)
class Scene:
    """Hold an object over a background, uint8: straight `foreground` (H, W, 4), `scene`, `background` (H, W, 3)."""

    name: str
    scene: Bytes
    foreground: Bytes
    background: Bytes


@dataclass(frozen=True, eq=False)
class Pair:
    """Hold two named objects beside each other: `alphas` are what each covers, (H, W) uint8."""

    name: str
    scene: Bytes
    labels: tuple[str, str]
    alphas: tuple[Bytes, Bytes]


def seeded(name: str) -> torch.Generator:
    """Return a generator that follows from a name."""
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(name.encode()).digest()[:7]))


def make_hint(kind: str, name: str, alpha: Bytes) -> Bytes:
    """Return a trimap, mask or (drawn) rough mask (H, W) uint8, made from the known matte as training makes them."""
    soft, g = torch.from_numpy(alpha.copy())[None].float() / 255, seeded(f"{kind} of {name}")
    hint = {"trimap": lambda: trimap(soft, g), "mask": lambda: soft > 0.5, "rough-mask": lambda: drawn_mask(soft, g)}
    return _bytes(hint[kind]().float()[0])


def cut_out(pictures: Sequence[Picture]) -> list[Picture]:
    """Cut out the subjects of photographs that show one whole, cropped to it, without colours of what was behind."""
    subjects = [replace(p, rgba=rgba) for p in pictures if (rgba := crop_to_subject(p.rgba)) is not None]
    return [replace(p, rgba=extend_colours(p.rgba, 0.97)) for p in subjects]


def composites(photos: Sequence[Picture], *, in_focus: bool, backdrops: Sequence[Picture] = ()) -> Iterator[Scene]:
    """Put every photograph's subject over another, or one of `backdrops`, at its size; every second casts a shadow.

    The backdrop's own subject is an object too: where nothing tells which one is meant it has to be out of focus.
    """
    for number, subject in enumerate(cut_out(photos)):
        g = seeded(f"composite of {subject.name}")
        others = [p for p in backdrops or photos if p.name != subject.name]
        if not others:
            return
        other = others[choice(g, len(others))]
        background = _tensor(other.rgba)[:3]
        if not in_focus:
            background = blur(background, OUT_OF_FOCUS)
        size = (background.shape[1], background.shape[2])
        foreground = view(subject.rgba, size, PLACED, g, fit="contain")
        if float(foreground[3].mean()) < MIN_OBJECT:
            continue
        shadowed = number % 2 == 1
        behind = shadow(background, foreground[3:], g) if shadowed else background
        name = f"{subject.name} over {other.name}" + (", shadow" if shadowed else "")
        yield Scene(name, _bytes(over(foreground, behind)), _bytes(foreground), _bytes(background))


def shadow(background: Tensor, alpha: Tensor, g: torch.Generator) -> Tensor:
    """Cast a soft shadow of `alpha` (1, H, W), a little below and beside it, on a background (3, H, W)."""
    height, width = alpha.shape[1:]
    down, right = round(uniform(g, 0.02, 0.08) * height), round(uniform(g, -0.08, 0.08) * width)
    strength = uniform(g, 0.3, 0.6)
    return background * (1 - drop_shadow(alpha, down, right, uniform(g, 4, 9), strength))


def pairs(photos: Sequence[Picture], cutouts: Sequence[Picture]) -> Iterator[Pair]:
    """Put the subject of every labelled photograph beside an object of another label, over a photograph out of focus.

    The other object is another photograph's subject and, every second time, a cut-out.
    """
    subjects = [p for p in cut_out(photos) if p.label]
    named = [p for p in cutouts if p.label]
    for number, subject in enumerate(subjects):
        g = seeded(f"pair of {subject.name}")
        from_cutouts = bool(named) and number % 2 == 1
        pool = [p for p in (named if from_cutouts else subjects) if p.label != subject.label]
        if not pool:
            continue
        other, backdrop = pool[choice(g, len(pool))], photos[choice(g, len(photos))]
        if from_cutouts:
            other = replace(other, rgba=extend_colours(other.rgba, 0.3))
        scene = blur(_tensor(backdrop.rgba)[:3], OUT_OF_FOCUS)
        places = (LEFT, RIGHT) if choice(g, 2) else (RIGHT, LEFT)
        alphas: list[Tensor] = []
        for picture, centre in zip((subject, other), places, strict=True):
            place = replace(BESIDE, centre=centre)
            layer = view(picture.rgba, (scene.shape[1], scene.shape[2]), place, g, fit="contain")
            scene = over(layer, scene)
            alphas = [alpha * (1 - layer[3]) for alpha in alphas] + [layer[3]]
        if min(float(alpha.mean()) for alpha in alphas) < MIN_OBJECT:
            continue
        name = f"{subject.name} beside {other.name}"
        yield Pair(name, _bytes(scene), (subject.label, other.label), (_bytes(alphas[0]), _bytes(alphas[1])))


def _tensor(pixels: Bytes) -> Tensor:
    """Convert (H, W, C) uint8 to (C, H, W) in [0, 1]."""
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1).float() / 255


def _bytes(image: Tensor) -> Bytes:
    """Convert (H, W) or (C, H, W) in [0, 1] to uint8 (H, W) or (H, W, C)."""
    pixels = image.mul(255).round().clamp(0, 255).byte()
    return (pixels if pixels.ndim == 2 else pixels.permute(1, 2, 0)).contiguous().numpy()
