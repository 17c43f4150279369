"""From packs to examples: a triplet (foreground, background, scene), then one of the 21 tasks drawn from it.

A photograph with a matte gives a triplet without a background; a foreground put over another picture gives all three.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ...imaging.composite import opaque, over
from ...imaging.removal.fill import paint_over
from ...model.config import by_task
from ...model.omnialpha import Defaults
from ...tasks import TASKS, Task
from ..data.captions import Captions, named
from ..data.effects import drop_shadow
from ..data.shards import Shards
from ..data.views import draw_sample, until
from .augment import (
    BACKDROP,
    Geometry,
    blur,
    chance,
    choice,
    degrade,
    draw_colour,
    drawn,
    extend_colours,
    uniform,
    view,
)
from .hints import rough_mask, trimap
from .packs import Packs, Picture


@dataclass(frozen=True)
class Triplet:
    """Images in [0, 1] of one canvas: `foreground` (4, h, w) straight, `scene` and `background` (3, h, w), sRGB.

    `weight` (1, h, w) is what alpha counts in a loss: less than 1 where a drawn mask is not sure of its outline.
    """

    foreground: Tensor
    scene: Tensor
    background: Tensor | None
    label: str
    weight: Tensor
    captions: Captions | None = None

    def words(self, task: Task) -> str:
        """What a user would say: of what is to be made its caption, of what is to be found its label."""
        if self.captions is None:
            return self.label
        if task.command in ("generate", "complete"):
            return str(getattr(self.captions, task.outputs[0]))
        return self.label or self.captions.foreground


@dataclass(frozen=True)
class Mix:
    """Shares of the kinds of triplets (they need not sum to 1), and how foregrounds are placed."""

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


@dataclass(frozen=True)
class Example:
    """What the model sees: `inputs` and `targets` are lists of RGBA (4, h, w) in [0, 1].

    `weight` (1, h, w) is what the foreground's alpha counts in a loss.
    """

    task: Task
    prompt: str
    inputs: list[Tensor]
    targets: list[Tensor]
    weight: Tensor


def as_bytes(example: Example) -> Example:
    """Convert an example's images to uint8, a quarter as much to pass from one process to another."""
    return _mapped(example, lambda image: (image * 255).round().byte())


def as_floats(example: Example, device: torch.device) -> Example:
    """Convert what `as_bytes` made back to floats in [0, 1], on a device."""
    return _mapped(example, lambda image: image.to(device).float() / 255)


def _mapped(example: Example, convert: Callable[[Tensor], Tensor]) -> Example:
    inputs, targets = ([convert(image) for image in images] for images in (example.inputs, example.targets))
    return replace(example, inputs=inputs, targets=targets, weight=convert(example.weight))


@dataclass(frozen=True)
class Pair:
    """Two named objects in a `scene` (3, h, w); `alphas` (2, h, w) are what each covers of it."""

    scene: Tensor
    labels: tuple[str, str]
    alphas: Tensor


@dataclass(frozen=True)
class Material:
    """Packs made ready: `foregrounds` are the photographs with their subject's colours extended past its edge."""

    photos: list[Picture]
    foregrounds: list[Picture]
    cutouts: list[Picture]
    backgrounds: list[Picture]
    triplets: Shards | None = None

    def words(self) -> set[str]:
        """All labels and captions."""
        records = [self.triplets.record(i) for i in range(len(self.triplets))] if self.triplets else []
        told = {words for r in records for words in (r["label"], *r["captions"].values())}
        return told | {p.label for p in (*self.photos, *self.cutouts)}


def make_material(packs: Packs, triplets: Shards | None = None) -> Material:
    """Extend colours once, so that foregrounds bring no edge of their old background.

    Masks that people drew become a pixel smaller, and soft, before their subjects are put over something else. Those
    that leave a part open serve in their own photograph alone.
    """
    whole = [_softened(p) for p in packs.photos if not _is_open(p)]
    subjects = [replace(p, rgba=subject) for p in whole if (subject := crop_to_subject(p.rgba)) is not None]
    with ThreadPoolExecutor() as pool:

        def extended(pictures: list[Picture], solid: float) -> list[Picture]:
            return list(pool.map(lambda p: replace(p, rgba=extend_colours(p.rgba, solid)), pictures))

        foregrounds, cutouts = extended(subjects, 0.97), extended(packs.cutouts, 0.3)
    return Material(packs.photos, foregrounds, cutouts, packs.backgrounds, triplets)


def _softened(picture: Picture) -> Picture:
    """Return a picture whose hard mask became a pixel smaller, and two pixels soft; any other as it is."""
    if picture.weights is None:
        return picture
    alpha = torch.from_numpy(picture.rgba[..., 3].astype(np.float32))[None, None]  # (1, 1, H, W)
    shrunk = -F.max_pool2d(-alpha, 3, 1, 1)
    soft = F.avg_pool2d(shrunk, 3, 1, 1, count_include_pad=False)[0, 0].round().byte().numpy()
    return replace(picture, rgba=np.dstack((picture.rgba[..., :3], soft)), weights=None)


def _is_open(picture: Picture) -> bool:
    """Tell whether a mask leaves a part open, not only pixels of its outline."""
    if picture.weights is None:
        return False
    unlabelled = torch.from_numpy(picture.weights == 0)[None, None].float()
    return bool((-F.max_pool2d(-unlabelled, 3, 1) > 0).any())


def crop_to_subject(rgba: np.ndarray) -> np.ndarray | None:
    """The picture cropped to its subject; None when there is little of one, or the frame cuts it on several sides."""
    alpha = rgba[..., 3] > 25
    edges = (alpha[0].mean(), alpha[-1].mean(), alpha[:, 0].mean(), alpha[:, -1].mean())
    if not 0.02 < alpha.mean() < 0.85 or sum(e > 0.02 for e in edges) > 1:
        return None
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    return rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


PHOTO = Geometry(scale=(0.8, 1.5), shift=0.06)
ALONE = Geometry(scale=(0.92, 0.92), aspect=0.0, rotation=0.0, shift=0.0, slack=0.0, flip=0.0)  # a cut-out on nothing
PLACED = Geometry(scale=(0.4, 1.1), rotation=15.0, shift=0.1)
BESIDE = Geometry(scale=(0.35, 0.6), rotation=15.0, shift=0.0)  # one of two


def draw_triplet(material: Material, mix: Mix, size: tuple[int, int], g: torch.Generator) -> Triplet:
    """One triplet on a canvas of `size` (h, w)."""
    kinds = {"photo": mix.photo, "recomposed": mix.recomposed, "cutout": mix.cutout} if material.photos else {}
    if material.triplets is not None:
        kinds["built"] = mix.built if material.photos else 1.0
    kind = drawn(kinds, g)
    if kind == "built":
        triplet = _built(material, mix, size, g)
    else:
        triplet = _photo(material, size, g) if kind == "photo" else _composite(material, kind, mix, size, g)
    colour = draw_colour(g)
    foreground = torch.cat((colour(triplet.foreground[:3]), triplet.foreground[3:]))
    background = colour(triplet.background) if triplet.background is not None else None
    scene = colour(triplet.scene)
    scene = degrade(scene, g) if mix.degraded else scene
    return replace(triplet, foreground=foreground, scene=scene, background=background)


def canvas_side(defaults: Defaults, task: Task, side: int) -> int:
    """Side in pixels of the square that has the canvas's area: `side`, unless the task's command has its own."""
    return int(by_task(defaults.commands, task.name).get("canvas", side))


def shape(material: Material, task: Task, g: torch.Generator) -> tuple[int, int]:
    """(H, W) that a task's canvas is to have, up to scale: a photograph's, and square for cut-outs on nothing."""
    return (1, 1) if _is_alone(material, task) else photo_of_shape(material, g)


def _is_alone(material: Material, task: Task) -> bool:
    """Whether the task makes an object of words alone, which cut-outs show best."""
    return task.name == "generate.foreground" and bool(material.cutouts)


def photo_of_shape(material: Material, g: torch.Generator) -> tuple[int, int]:
    """(H, W) of one random photograph or triplet: canvases are drawn as photographs come."""
    if not material.photos and material.triplets is not None:
        w, h = material.triplets.record(choice(g, len(material.triplets)))["size"]
        return h, w
    h, w = material.photos[choice(g, len(material.photos))].rgba.shape[:2]
    return h, w


def _photo(material: Material, size: tuple[int, int], g: torch.Generator) -> Triplet:
    wanted = size[0] / size[1]
    # Of a few, the photograph whose shape is nearest to the canvas: seen as the product would show it.
    picks = [material.photos[choice(g, len(material.photos))] for _ in range(4)]
    picture = min(picks, key=lambda p: abs(p.rgba.shape[0] / p.rgba.shape[1] - wanted))
    planes = view(picture.planes(), size, PHOTO, g, fit="stretch")  # (5, h, w)
    return Triplet(planes[:4], planes[:3], None, picture.label, planes[4:])


def _built(material: Material, mix: Mix, size: tuple[int, int], g: torch.Generator) -> Triplet:
    """A view of a triplet that was built, the same of all its pictures."""
    shards = material.triplets
    assert shards is not None

    def usable(record: dict[str, Any]) -> bool:
        told = mix.sharp or mix.two > 0 or not record["others"]  # the task says which object is meant, or there is one
        return told and (mix.masks or record["alpha"] == "matte") and (mix.photo > 0 or record["kind"] != "photo")

    sample, views = draw_sample(shards, usable, size, PHOTO, g)
    foreground, scene, background = views["foreground"], views["scene"][:3], views.get("background")
    if background is not None and sample.effects and not mix.effects:
        scene = over(foreground, background[:3])
    background = None if background is None else background[:3]
    return Triplet(foreground, scene, background, sample.label, torch.ones(1, *size), sample.captions)


def _alone(material: Material, size: tuple[int, int], g: torch.Generator) -> Triplet:
    """A cut-out on nothing, as it was drawn: what its name is to bring forth."""
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
    alpha = foreground[3:]
    shadowed = _shadow(backdrop, alpha, g) if chance(g, mix.shadow) else backdrop
    if chance(g, 0.3):  # harmonise: pull the foreground's mean towards the backdrop's
        mean = (foreground[:3] * alpha).sum((1, 2)) / alpha.sum().clamp(min=1)
        shift = (backdrop.mean((1, 2)) - mean) * uniform(g, 0.1, 0.4)
        foreground = torch.cat(((foreground[:3] + shift[:, None, None]).clamp(0, 1), alpha))
    return Triplet(foreground, over(foreground, shadowed), backdrop, picture.label, torch.ones_like(alpha))


def draw_pair(material: Material, size: tuple[int, int], g: torch.Generator) -> Pair:
    """Two objects of different names on a canvas of `size` (h, w), before a backdrop without one in focus."""
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
    use_landscape = bool(material.backgrounds) and chance(g, 0.5)
    pictures = material.backgrounds if use_landscape else material.photos
    backdrop = view(pictures[choice(g, len(pictures))].rgba, size, BACKDROP, g, fit="stretch")[:3]
    # A photograph as backdrop has a subject of its own: unless the task tells which object is meant, it must be out of
    # focus, or the label would be wrong.
    if not use_landscape and not mix.sharp:
        return blur(backdrop, uniform(g, 4, 12))
    return blur(backdrop, uniform(g, 1.5, 5)) if chance(g, 0.3) else backdrop


def _other(material: Material, picture: Picture, g: torch.Generator) -> Picture | None:
    """An object with another name than that of `picture`, if a few tries find one."""
    pictures = material.cutouts if material.cutouts and chance(g, 0.5) else material.foregrounds
    picks = (pictures[choice(g, len(pictures))] for _ in range(4))
    return next((p for p in picks if p.label and p.label != picture.label), None)


def _places(g: torch.Generator) -> tuple[Geometry, Geometry]:
    """Two places beside each other, or one above the other, with little overlap."""
    along, across = uniform(g, 0.35, 0.6), uniform(g, -0.2, 0.2)
    centre = (along, across) if chance(g, 0.7) else (across, along)
    places = replace(BESIDE, centre=centre), replace(BESIDE, centre=(-centre[0], -centre[1]))
    return places if chance(g, 0.5) else places[::-1]


def _shadow(backdrop: Tensor, alpha: Tensor, g: torch.Generator) -> Tensor:
    _, h, w = alpha.shape
    down, right = int(uniform(g, 0, 0.1) * h), int(uniform(g, -0.1, 0.1) * w)
    return backdrop * (1 - drop_shadow(alpha, down, right, uniform(g, 0.012, 0.04) * min(h, w), uniform(g, 0.2, 0.6)))


def draw_task(weights: Mapping[str, float], g: torch.Generator) -> Task:
    """A task drawn by weight."""
    return TASKS[drawn(weights, g)]


def draw_example(
    material: Material, mix: Mix, task: Task, size: tuple[int, int], g: torch.Generator, *, fill: bool = False
) -> Example:
    """An example of `task`, from a triplet with a background or a label where it needs them.

    Where words choose the object there are often two to choose from. `fill` is that of the weights' defaults.
    """
    if _is_alone(material, task):
        return make_example(_alone(material, size, g), task, g)
    if task.hint == "text":
        mix = replace(mix, photo=0.3, recomposed=0.3, cutout=0.4, two=0.7)
    mix = replace(mix, sharp=task.hint not in ("none", "text"))
    if "background" in task.inputs + task.outputs:
        mix = replace(mix, photo=0.0)
    # The layers of a decomposition make up the scene; only what an object does not show serves where all is a mask.
    mix = replace(mix, effects=task.command != "decompose", masks="foreground" not in task.inputs + task.outputs)
    if task.command == "remove":  # its background is the scene's own, not a sharper one, and its shadows are to go
        mix = replace(mix, degraded=False, shadow=0.7)
    triplet = until(
        lambda: draw_triplet(material, mix, size, g),
        lambda one: not task.needs_text or bool(one.words(task)),
        f"{task.name} needs words",
    )
    return make_example(triplet, task, g, fill=fill)


def make_example(triplet: Triplet, task: Task, g: torch.Generator, *, fill: bool = False) -> Example:
    """Inputs, targets and prompt of `task` from a triplet; with `fill` a removal sees the object painted over."""
    images = {
        "scene": triplet.scene,
        "background": triplet.background,
        "foreground": triplet.foreground,
        "trimap": trimap(triplet.foreground[3:], g) if "trimap" in task.inputs else None,
        "mask": (triplet.foreground[3:] > 0.5).float() if "mask" in task.inputs else None,
        "rough-mask": rough_mask(triplet.foreground[3:], g) if "rough-mask" in task.inputs else None,
    }

    def rgba(role: str) -> Tensor:
        image = images[role]
        if image is None:
            raise ValueError(f"{task.name} needs a {role}, which this triplet lacks")
        return image if len(image) == 4 else opaque(image.expand(3, -1, -1))  # masks are grey

    prompt = task.prompt.replace("{text}", triplet.words(task))
    inputs = [rgba(r) for r in task.inputs]
    if fill and task.command == "remove" and len(inputs) > 1:
        inputs[0] = paint_over(inputs[0], inputs[1][0])
    return Example(task, prompt, inputs, [rgba(r) for r in task.outputs], triplet.weight)
