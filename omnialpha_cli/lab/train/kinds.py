"""Make the kinds of pictures that the generator is trained on: cut-outs on nothing, and backgrounds of every shape.

Each picture is encoded once in each view: what a pass costs is the transformer's share alone. Sketches of the names
that are trained on are mostly made without them: so the transformer learns what to make of a name that is not known,
and does not learn names by heart.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from ...model.mini.light_vae import LightVAE
from ...model.mini.sketch import Sketch
from ...model.omnialpha import OmniAlpha
from ...model.positions import Layout
from ...tasks import TASKS
from . import crops
from .augment import Geometry, view
from .packs import Picture
from .triplets import ALONE

OBJECT, BACKGROUND = TASKS["generate.foreground"], TASKS["generate.background"]
# How often a sketch is made as if its name were not known. What a background is called tells little of how another one
# looks (left out, 3 % less error than the mean of all; objects 25 %): what it draws should be one that it knows.
OBJECTS_LEFT_OUT, BACKGROUNDS_LEFT_OUT = 0.7, 0.3
TURNED = Geometry(scale=(0.8, 0.8), aspect=0.1, rotation=10.0, shift=0.03, slack=0.0, flip=0.0)
VIEWS = ALONE, replace(ALONE, flip=1.0), TURNED, replace(TURNED, flip=1.0)
ENCODED = 64  # pictures at once

SketchOf = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
RIDGE = 0.5
TAGS = 0.5  # of a name, in what is like it


@dataclass(frozen=True)
class Kind:
    """Hold pictures with names on canvases of one size.

    `prompt` is the task's, `share` that of the batches, `batch` the pictures of one, `left_out` how many of its
    sketches are made without their own picture; `views` are clean latents (V, n, C, h, w), of which each picture is
    drawn as `often` as it says (n,), and each view as `seldom` (V,). `sketch` makes the sketches (B, C, h, w) of what
    is meant (B, D), of places, of views, and of which are left out (B,).
    """

    prompt: str
    share: float
    batch: int
    left_out: float
    pictures: Sequence[Picture]
    often: Tensor
    seldom: Tensor
    views: Tensor
    sketch: SketchOf

    def layout(self, patch: int) -> Layout:
        """Return the size of the target."""
        h, w = self.views.shape[3:]
        return Layout(((h // patch, w // patch),))


def rarity(cutouts: Sequence[Picture]) -> Tensor:
    """Return how often each is drawn (n,): the less, the more names begin alike, as those of flags do."""
    first = [picture.label.lower().partition(" ")[0] for picture in cutouts]
    counts = Counter(first)
    return torch.tensor([counts[word] ** -0.5 for word in first])


def view_cutouts(cutouts: Sequence[Picture], side: int, geometry: Geometry) -> Tensor:
    """Return a view of each cut-out on nothing (n, 4, side, side)."""

    def one(cutout: Picture) -> Tensor:
        return view(cutout.rgba, (side, side), geometry, torch.Generator().manual_seed(0), fit="contain")

    with ThreadPoolExecutor() as pool:
        return torch.stack(list(pool.map(one, cutouts)))


@torch.no_grad()
def encode(pictures: Tensor, vae: LightVAE, device: torch.device) -> Tensor:
    """Encode RGBA (n, 4, H, W) to latents (n, C, H/8, W/8)."""
    return torch.cat([vae.encode((part * 2 - 1).to(device)) for part in pictures.split(ENCODED)])


def fit(sketch: Sketch, names: Sequence[str], tags: Sequence[Sequence[str]], latents: Tensor) -> Tensor:
    """Let a sketch learn the latents (names, C, h, w) of `names`; `tags` are other words for each.

    Returns the inverse (names, names) of the kernel matrix with its ridge, by which one name can be left out again.
    """
    every = sorted({tag for of_one in tags for tag in of_one})
    of_tag = dict(zip(every, sketch.read(every), strict=True))
    sketch.meanings.copy_(sketch.read(names))
    nothing = torch.zeros_like(sketch.meanings[0])
    means = torch.stack([sum((of_tag[t] for t in of_one), nothing) / max(1, len(of_one)) for of_one in tags])
    sketch.tagged.copy_(F.normalize(sketch.meanings + TAGS * means, dim=1))
    known = latents.flatten(1)
    kernel = sketch.nearness(sketch.meanings.float())
    inverse = torch.linalg.inv(kernel + RIDGE * torch.eye(len(names), device=kernel.device))
    sketch.mean.copy_(known.mean(0))
    sketch.weights.copy_(inverse @ (known - sketch.mean))
    return inverse


class Sketches:
    """Make sketches in every view, of names that are known, and of those that are not: each without itself."""

    def __init__(self, sketch: Sketch, cutouts: Sequence[Picture], views: Tensor):
        """Fit `sketch` to the first of the views (V, n, C, h, w), on whose device all is."""
        self.sketch, self.shape = sketch.to(views.device), views.shape[2:]
        self.inverse = fit(self.sketch, [c.label for c in cutouts], [c.tags for c in cutouts], views[0])  # (n, n)
        self.means = views.flatten(2).mean(1)  # (V, C·h·w)
        # What each adds (V, n, C·h·w), in a view as `Sketch.weights` in the first.
        self.weights = self.inverse @ (views.flatten(2) - self.means[:, None])

    def __call__(self, meanings: Tensor, places: Tensor, views: Tensor, left_out: Tensor) -> Tensor:
        """Return (B, C, h, w), of what is meant (B, D).

        What is meant is not moved to the nearest known name: with such sketches, often of another thing, the network
        learnt to trust none, and drew known names worse.
        """
        nearness = self.sketch.nearness(meanings)  # (B, n)
        own = (nearness * self.inverse[places]).sum(1) / self.inverse.diagonal()[places]  # (B,)
        shares = nearness.scatter_add(1, places[:, None], -(own * left_out)[:, None])
        latents = self.means[views]  # (B, C·h·w)
        for v, weights in enumerate(self.weights):
            latents[views == v] += shares[views == v] @ weights
        return latents.unflatten(1, self.shape)


def objects(cutouts: Sequence[Picture], model: OmniAlpha, sketch: Sketch, side: int, batch: int) -> Kind:
    """Make the kind of cut-outs on nothing, on a square canvas; half of the time as they are."""
    assert isinstance(model.vae, LightVAE)
    device = torch.device(model.device)
    views = torch.stack([encode(view_cutouts(cutouts, side, geometry), model.vae, device) for geometry in VIEWS])
    sketches = Sketches(sketch, cutouts, views)
    seldom = torch.tensor([1.0] + [1 / (len(VIEWS) - 1)] * (len(VIEWS) - 1))
    return Kind(OBJECT.prompt, 1.0, batch, OBJECTS_LEFT_OUT, cutouts, rarity(cutouts), seldom, views, sketches)


def behind(pictures: Sequence[Picture], model: OmniAlpha, sketch: Sketch, batch: int) -> list[Kind]:
    """Return kinds of crops of backgrounds, on canvases of every shape."""
    assert isinstance(model.vae, LightVAE)
    vae, device, defaults = model.vae, torch.device(model.device), model.defaults.of(BACKGROUND.name)
    _, h, w = sketch.shape
    frames = [crops.Crop((0.0, 0.0, 1.0, 1.0), flip) for flip in (False, True)]
    both = torch.stack(
        [encode(crops.crop_backgrounds(pictures, frame, (8 * h, 8 * w)), vae, device) for frame in frames]
    )
    sketches = Sketches(sketch, pictures, both)
    g, kinds = torch.Generator().manual_seed(0), []
    sizes = crops.canvases(int(defaults.canvas), int(defaults.multiple))
    for size in sizes:
        drawn = crops.draw_crops(size, g)
        views = torch.stack([encode(crops.crop_backgrounds(pictures, crop, size), vae, device) for crop in drawn])
        even = torch.ones(len(pictures)), torch.ones(len(drawn))
        kinds.append(
            Kind(
                BACKGROUND.prompt, 1 / len(sizes), batch, BACKGROUNDS_LEFT_OUT, pictures, *even, views,
                parts(sketches, drawn, views),
            )
        )  # fmt: skip
    return kinds


def parts(sketches: Sketches, drawn: Sequence[crops.Crop], views: Tensor) -> SketchOf:
    """Sketch crops of backgrounds: the part of a sketch of the whole, or of its mirror image, that the crop has."""
    flipped = torch.tensor([int(crop.flip) for crop in drawn], device=views.device)  # (V,)
    to_frame = torch.stack([crop.to_frame for crop in drawn]).to(views)  # (V, 2, 3)
    size = views.shape[3], views.shape[4]

    def sketch_of(meanings: Tensor, places: Tensor, views: Tensor, left_out: Tensor) -> Tensor:
        return crops.of_sketches(sketches(meanings, places, flipped[views], left_out), to_frame[views], size)

    return sketch_of
