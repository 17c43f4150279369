"""Make triplets of packs: a foreground, a background, and the scene that shows both.

A photograph with a matte gives a triplet without a background; a foreground put over another picture gives all three.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...imaging.composite import over
from ...tasks import Task
from ..data.captions import Captions, named
from ..data.effects import drop_shadow
from ..data.views import draw_sample
from .augment import BACKDROP, Geometry, blur, chance, choice, degrade, draw_colour, drawn, uniform, view
from .material import Material
from .packs import Picture


@dataclass(frozen=True)
class Triplet:
    """Hold images in [0, 1] of one canvas: `foreground` (4, h, w) straight, `scene`, `background` (3, h, w), sRGB.

    `weight` (1, h, w) is what alpha counts in a loss: less than 1 where a drawn mask is not sure of its outline.
    """

    foreground: Tensor
    scene: Tensor
    background: Tensor | None
    label: str
    weight: Tensor
    captions: Captions | None = None

    def words(self, task: Task) -> str:
        """Return what a user would say: of what is to be made its caption, of what is to be found its label."""
        if self.captions is None:
            return self.label
        if task.command in ("generate", "complete"):
            return str(getattr(self.captions, task.outputs[0]))
        return self.label or self.captions.foreground


@dataclass(frozen=True)
class Mix:
    """Hold the shares of the kinds of triplets (they need not sum to 1), and how foregrounds are placed."""

    photo: float = 0.72
    recomposed: float = 0.2  # a photograph's foreground over another picture
    cutout: float = 0.08  # a cut-out over a picture
    built: float = 0.5  # a triplet that `omnialpha data build` made, where there are any
    sharp: bool = False  # backdrops may hold subjects of their own: the task says which object is meant
    two: float = 0.0  # chance that another object, of another name, is part of the background
    masks: bool = False  # a built triplet's foreground may be cut out by a mere mask
    shadow: float = 0.4  # chance that an object that is put over a picture casts one
    degraded: bool = True  # scenes may be soft or noisy
    effects: bool = True  # a built triplet's scene has the object's shadow and reflection
    close: float = 0.0  # chance that a photograph is shown so close that the frame cuts its subject
    both: float = 0.0  # chance that another object stands beside it, and belongs to the foreground as well
    plain: float = 0.0  # chance that an object is put before a wall or on a table, not over a picture
    sources: tuple[tuple[str, float], ...] = ()  # how often a source's photographs are drawn, by default 1


@dataclass(frozen=True)
class Pair:
    """Hold two named objects in a `scene` (3, h, w); `alphas` (2, h, w) are what each covers of it."""

    scene: Tensor
    labels: tuple[str, str]
    alphas: Tensor


PHOTO = Geometry(scale=(0.8, 1.5), shift=0.06)
ALONE = Geometry(scale=(0.92, 0.92), aspect=0.0, rotation=0.0, shift=0.0, slack=0.0, flip=0.0)  # a cut-out on nothing
CLOSE = Geometry(scale=(1.0, 1.0), rotation=12.0, shift=0.0)
CLOSE_ZOOM = (1.3, 2.2)
CLOSE_SHARE, CLOSE_TRIES = (0.02, 0.93), 4  # of a close-up, what its subject may cover
PLACED = Geometry(scale=(0.4, 1.1), rotation=15.0, shift=0.1)
BESIDE = Geometry(scale=(0.35, 0.6), rotation=15.0, shift=0.0)  # one of two


def draw_triplet(material: Material, mix: Mix, size: tuple[int, int], g: torch.Generator) -> Triplet:
    """Return one triplet on a canvas of `size` (h, w)."""
    kinds = {"photo": mix.photo, "recomposed": mix.recomposed, "cutout": mix.cutout} if material.photos else {}
    if material.triplets is not None:
        kinds["built"] = mix.built if material.photos else 1.0
    kind = drawn(kinds, g)
    if kind == "built":
        triplet = _built(material, mix, size, g)
    else:
        triplet = _photo(material, mix, size, g) if kind == "photo" else _composite(material, kind, mix, size, g)
    colour = draw_colour(g)
    foreground = torch.cat((colour(triplet.foreground[:3]), triplet.foreground[3:]))
    background = colour(triplet.background) if triplet.background is not None else None
    scene = colour(triplet.scene)
    scene = degrade(scene, g) if mix.degraded else scene
    return replace(triplet, foreground=foreground, scene=scene, background=background)


def _photo(material: Material, mix: Mix, size: tuple[int, int], g: torch.Generator) -> Triplet:
    wanted = size[0] / size[1]
    # Of a few, the photograph whose shape is nearest to the canvas: seen as the product would show it.
    picks = [_pick(material.photos, dict(mix.sources), g) for _ in range(4)]
    picture = min(picks, key=lambda p: abs(p.rgba.shape[0] / p.rgba.shape[1] - wanted))
    if chance(g, mix.close):
        planes = view(close_up(picture.planes(), g), size, CLOSE, g, fit="stretch")  # (5, h, w)
    else:
        planes = view(picture.planes(), size, PHOTO, g, fit="stretch")
    return Triplet(planes[:4], planes[:3], None, picture.label, planes[4:])


def _pick(pictures: Sequence[Picture], sources: Mapping[str, float], g: torch.Generator) -> Picture:
    """Draw a picture, by how often those of its source are to be drawn."""
    most = max([1.0, *sources.values()])
    while True:
        picture = pictures[choice(g, len(pictures))]
        if not sources or chance(g, sources.get(picture.source, 1.0) / most):
            return picture


def close_up(planes: np.ndarray, g: torch.Generator) -> np.ndarray:
    """Cut out a part around some place in the subject of a picture's planes, uint8 (H, W, 5) → (H', W', 5).

    Its sides are 1.3 to 2.2 times smaller. It is taken again, a few times, where it shows the subject alone, or nothing
    of it.
    """
    height, width = planes.shape[:2]
    inside = np.argwhere(planes[..., 3] > 127)
    part = planes
    for _ in range(CLOSE_TRIES if len(inside) else 0):
        zoom = math.exp(uniform(g, *map(math.log, CLOSE_ZOOM)))
        h, w = round(height / zoom), round(width / zoom)
        y, x = inside[choice(g, len(inside))]
        top, left = min(max(0, int(y) - h // 2), height - h), min(max(0, int(x) - w // 2), width - w)
        part = planes[top : top + h, left : left + w]
        if CLOSE_SHARE[0] < (part[..., 3] > 127).mean() < CLOSE_SHARE[1]:
            break
    return part


def _built(material: Material, mix: Mix, size: tuple[int, int], g: torch.Generator) -> Triplet:
    """Draw a triplet that was built, all its pictures in one view."""
    shards = material.triplets
    assert shards is not None

    def usable(record: dict[str, Any]) -> bool:
        one_meant = (
            mix.sharp or mix.two > 0 or not record["others"]
        )  # the task says which object is meant, or there is one
        return one_meant and (mix.masks or record["alpha"] == "matte") and (mix.photo > 0 or record["kind"] != "photo")

    sample, views = draw_sample(shards, usable, size, PHOTO, g)
    foreground, scene, background = views["foreground"], views["scene"][:3], views.get("background")
    if background is not None and sample.effects and not mix.effects:
        scene = over(foreground, background[:3])
    background = None if background is None else background[:3]
    return Triplet(foreground, scene, background, sample.label, torch.ones(1, *size), sample.captions)


def draw_alone(material: Material, size: tuple[int, int], g: torch.Generator) -> Triplet:
    """Draw a cut-out on nothing, as its name is to bring it forth."""
    picture = material.cutouts[choice(g, len(material.cutouts))]
    rgba = view(picture.rgba, size, ALONE, g, fit="contain")
    label = named(picture.label) if chance(g, 0.5) else picture.label
    return Triplet(rgba, rgba[:3], None, label, torch.ones(1, *size))


def _composite(material: Material, kind: str, mix: Mix, size: tuple[int, int], g: torch.Generator) -> Triplet:
    sources = material.foregrounds if kind == "recomposed" or not material.cutouts else material.cutouts
    picture = sources[choice(g, len(sources))]
    backdrop = _backdrop(material, mix, size, g)
    place = PLACED
    if chance(g, mix.two) and (other := _other(material, picture, g)):
        place, beside = _places(g)
        second = _subject(other, beside, size, g)
        backdrop = over(second, _shadow(backdrop, second[3:], g) if chance(g, 0.4) else backdrop)
    foreground = _subject(picture, place, size, g)
    if chance(g, mix.both):
        foreground = _joined(foreground, _subject(sources[choice(g, len(sources))], PLACED, size, g))
    alpha = foreground[3:]
    shadowed = _shadow(backdrop, alpha, g) if chance(g, mix.shadow) else backdrop
    if chance(g, 0.3):  # harmonise: pull the foreground's mean towards the backdrop's
        mean = (foreground[:3] * alpha).sum((1, 2)) / alpha.sum().clamp(min=1)
        shift = (backdrop.mean((1, 2)) - mean) * uniform(g, 0.1, 0.4)
        foreground = torch.cat(((foreground[:3] + shift[:, None, None]).clamp(0, 1), alpha))
    return Triplet(foreground, over(foreground, shadowed), backdrop, picture.label, torch.ones_like(alpha))


def _joined(front: Tensor, back: Tensor) -> Tensor:
    """Return two straight RGBA layers (4, h, w) as one."""
    behind = back[3:] * (1 - front[3:])
    alpha = front[3:] + behind
    return torch.cat(((front[:3] * front[3:] + back[:3] * behind) / alpha.clamp(min=1e-4), alpha))


def draw_pair(material: Material, size: tuple[int, int], g: torch.Generator) -> Pair:
    """Return two objects of different names on a canvas of `size` (h, w), before a backdrop without one in focus."""
    scene, other = _backdrop(material, Mix(), size, g), None
    while other is None:
        sources = material.foregrounds if chance(g, 0.5) or not material.cutouts else material.cutouts
        picture = sources[choice(g, len(sources))]
        other = _other(material, picture, g) if picture.label else None
    alphas: list[Tensor] = []
    for one, place in zip((picture, other), _places(g), strict=True):
        layer = _subject(one, place, size, g)
        scene = over(layer, _shadow(scene, layer[3:], g) if chance(g, 0.4) else scene)
        alphas = [alpha * (1 - layer[3]) for alpha in alphas] + [layer[3]]
    return Pair(degrade(draw_colour(g)(scene), g), (picture.label, other.label), torch.stack(alphas))


def _subject(picture: Picture, place: Geometry, size: tuple[int, int], g: torch.Generator) -> Tensor:
    foreground = view(picture.rgba, size, place, g, fit="contain")
    colour = draw_colour(g, 0.5)
    return torch.cat((colour(foreground[:3]), foreground[3:]))


def _backdrop(material: Material, mix: Mix, size: tuple[int, int], g: torch.Generator) -> Tensor:
    if chance(g, mix.plain):
        return _plain(size, g)
    use_landscape = bool(material.backgrounds) and chance(g, 0.5)
    pictures = material.backgrounds if use_landscape else material.photos
    backdrop = view(pictures[choice(g, len(pictures))].rgba, size, BACKDROP, g, fit="stretch")[:3]
    # A photograph as backdrop has a subject of its own: unless the task tells which object is meant, it must be out of
    # focus, or the label would be wrong.
    if not use_landscape and not mix.sharp:
        return blur(backdrop, uniform(g, 4, 12))
    return blur(backdrop, uniform(g, 1.5, 5)) if chance(g, 0.3) else backdrop


def _plain(size: tuple[int, int], g: torch.Generator) -> Tensor:
    """Draw a wall, a table or a sheet of paper: one colour that goes over into another, with a little grain."""
    h, w = size
    first = torch.rand(3, generator=g) if chance(g, 0.5) else torch.full((3,), uniform(g, 0.7, 1))
    second = (first + torch.randn(3, generator=g) * 0.12).clamp(0, 1)
    ramp = torch.linspace(0, 1, h)[:, None].expand(h, w) if chance(g, 0.6) else torch.linspace(0, 1, w).expand(h, w)
    colour = torch.lerp(first[:, None, None], second[:, None, None], ramp[None].contiguous())  # (3, h, w)
    return (colour + torch.randn(3, h, w, generator=g) * uniform(g, 0, 0.02)).clamp(0, 1)


def _other(material: Material, picture: Picture, g: torch.Generator) -> Picture | None:
    """Return an object with another name than that of `picture`, if a few tries find one."""
    pictures = material.cutouts if material.cutouts and chance(g, 0.5) else material.foregrounds
    picks = (pictures[choice(g, len(pictures))] for _ in range(4))
    return next((p for p in picks if p.label and p.label != picture.label), None)


def _places(g: torch.Generator) -> tuple[Geometry, Geometry]:
    """Draw two places beside each other, or one above the other, with little overlap."""
    along, across = uniform(g, 0.35, 0.6), uniform(g, -0.2, 0.2)
    centre = (along, across) if chance(g, 0.7) else (across, along)
    places = replace(BESIDE, centre=centre), replace(BESIDE, centre=(-centre[0], -centre[1]))
    return places if chance(g, 0.5) else places[::-1]


def _shadow(backdrop: Tensor, alpha: Tensor, g: torch.Generator) -> Tensor:
    _, h, w = alpha.shape
    down, right = int(uniform(g, 0, 0.1) * h), int(uniform(g, -0.1, 0.1) * w)
    return backdrop * (1 - drop_shadow(alpha, down, right, uniform(g, 0.012, 0.04) * min(h, w), uniform(g, 0.2, 0.6)))
