"""Train the generator: rectified flow from words to cut-outs on nothing, and to backgrounds (paper §3).

Each picture is encoded once in each view: what a pass costs is the transformer's share alone. Sketches of the names
that are trained on are mostly made without them: so the transformer learns what to make of a name that is not known,
and does not learn names by heart.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...imaging.canvas import choose_canvas
from ...model.mini.generator import Generator
from ...model.mini.light_vae import LightVAE
from ...model.mini.model import Mini
from ...model.mini.sketch import Sketch, read
from ...model.omnialpha import OmniAlpha, Request
from ...model.positions import Layout
from ...model.transformer import pack
from ...tasks import TASKS
from ..data.captions import named
from . import crops
from .augment import Geometry, chance, choice, view
from .loop import Objective, Schedule
from .packs import Picture
from .pictures import sheet
from .sft import MAX_WEIGHT, Flow, draw_sigma
from .triplets import ALONE

OBJECT, BACKGROUND = TASKS["generate.foreground"], TASKS["generate.background"]
FLOW = Flow(at_one=0.1, logit_mean=0.5, prompt_dropout=0.1)
MOST_TAGS = 3
# How often a sketch is made as if its name were not known. What a background is called tells little of how another one
# looks (left out, 3 % less error than the mean of all; objects 25 %): what it draws should be one that it knows.
OBJECTS_LEFT_OUT, BACKGROUNDS_LEFT_OUT = 0.7, 0.3
BACKGROUNDS = 0.65  # of the batches, where there are any
TURNED = Geometry(scale=(0.8, 0.8), aspect=0.1, rotation=10.0, shift=0.03, slack=0.0, flip=0.0)
VIEWS = ALONE, replace(ALONE, flip=1.0), TURNED, replace(TURNED, flip=1.0)
ENCODED = 64  # pictures at once
SHOWN = 12, 24  # cut-outs of the training and held-out ones, in validation pictures


SketchOf = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Drawn:
    """Hold what a batch is made of: the index of its `Kind`, what prompts mean (B, D), and where its pictures are.

    `places` and `views` (B,) index the kind's, `left_out` (B,) says which are left out of their sketch; sigma is (B,),
    noise (B, N, C·p²).
    """

    kind: int
    meanings: Tensor
    places: Tensor
    views: Tensor
    left_out: Tensor
    sigma: Tensor
    noise: Tensor


@dataclass(frozen=True)
class Batch:
    """Hold tokens of the sketches, clean ones and noise (B, N, C·p²), sigma (B,), and the targets' size.

    `figure` is the log's name of their error from pure noise.
    """

    sketch: Tensor
    clean: Tensor
    noise: Tensor
    sigma: Tensor
    layout: Layout
    figure: str


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


def caption(picture: Picture, g: torch.Generator) -> str:
    """Return what one would say to get such a cut-out: its name, often with an article, or with tags, or tags alone."""
    tags = [picture.tags[int(i)] for i in torch.randperm(len(picture.tags), generator=g)[: 1 + choice(g, MOST_TAGS)]]
    if not tags or chance(g, 0.5):
        return named(picture.label) if chance(g, 0.5) else picture.label
    return " ".join(tags if chance(g, 0.3) else [f"{picture.label},", *tags])


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


class Sketches:
    """Make sketches in every view, of names that are known, and of those that are not: each without itself."""

    def __init__(self, sketch: Sketch, cutouts: Sequence[Picture], views: Tensor):
        """Fits `sketch` to the first of the views (V, n, C, h, w), on whose device all is."""
        self.sketch, self.shape = sketch.to(views.device), views.shape[2:]
        self.inverse = sketch.fit([c.label for c in cutouts], [c.tags for c in cutouts], views[0])  # (n, n)
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
    """Crops of backgrounds, on canvases of every shape."""
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


def objective(
    cutouts: Sequence[Picture],
    held_out: Sequence[Picture],
    backgrounds: Sequence[Picture],
    model: OmniAlpha,
    generator: Generator,
    schedule: Schedule,
) -> Objective:
    """Return what `loop.train` optimises, of a generator: the error of the clean latents of named pictures.

    A batch has one kind of them; of backgrounds, which have about twice the tokens, half as many.
    """
    device, of = torch.device(model.device), model.transformer.config
    batch = schedule.micro_batch
    kinds = [objects(cutouts, model, generator.sketch, schedule.size, batch)]
    if generator.backgrounds is not None and backgrounds:
        kinds[0] = replace(kinds[0], share=1 - BACKGROUNDS)
        of_backgrounds = behind(backgrounds, model, generator.backgrounds, max(1, batch // 2))
        kinds += [replace(kind, share=kind.share * BACKGROUNDS) for kind in of_backgrounds]
    tokenizer, table = generator.sketch.tokenizer, generator.sketch.table.cpu().clone()  # to read in other processes
    shares = torch.tensor([kind.share for kind in kinds])
    layouts = [kind.layout(of.patch_size) for kind in kinds]

    def draw(step: int, micro: int, g: torch.Generator) -> Drawn:
        which = int(torch.multinomial(shares, 1, generator=g))
        kind, count = kinds[which], kinds[which].batch
        places = torch.multinomial(kind.often, count, replacement=True, generator=g)
        prompts = [kind.prompt.replace("{text}", caption(kind.pictures[int(i)], g)) for i in places]
        prompts = ["" if chance(g, FLOW.prompt_dropout) else prompt for prompt in prompts]
        return Drawn(
            which,
            read(prompts, tokenizer, table),
            places,
            torch.multinomial(kind.seldom, count, replacement=True, generator=g),
            torch.rand(count, generator=g) < kind.left_out,
            draw_sigma(count, FLOW, g, one_step=True),
            torch.randn((count, layouts[which].num_targets, of.in_channels), generator=g),
        )

    @torch.no_grad()
    def ready(drawn: Drawn) -> Batch:
        kind = kinds[drawn.kind]
        chosen = drawn.views.to(device), drawn.places.to(device)
        with torch.autocast(device.type, enabled=False):  # an inverse of 1,500 rows is not for 8 bits
            sketch = kind.sketch(drawn.meanings.to(device), chosen[1], chosen[0], drawn.left_out.to(device))
        noise, sigma = drawn.noise.to(device), drawn.sigma.to(device)
        clean = pack(kind.views[chosen], of.patch_size)
        figure = "background from noise" if kind.prompt == BACKGROUND.prompt else "from noise"
        return Batch(pack(sketch, of.patch_size), clean, noise, sigma, layouts[drawn.kind], figure)

    def loss(trained: nn.Module, batch: Batch, term: int) -> tuple[Tensor, dict[str, float]]:
        s = batch.sigma[:, None, None]
        found = trained((1 - s) * batch.clean + s * batch.noise, batch.sigma, batch.sketch, batch.layout)
        error = F.mse_loss(found.float(), batch.clean, reduction="none").mean((1, 2))  # (B,)
        value = (error * (1 / batch.sigma**2).clamp(max=MAX_WEIGHT)).mean()
        started = error[batch.sigma == 1]
        return value, {batch.figure: float(started.mean().detach())} if len(started) else {}

    def picture() -> Tensor:
        names = (
            evenly_spaced(cutouts, SHOWN[0]),
            evenly_spaced(held_out, SHOWN[1]),
            evenly_spaced(backgrounds, SHOWN[0]),
        )
        return drawings(model, generator, (*names[0], *names[1]), names[2], schedule.size)

    return Objective(draw, loss, picture=picture, ready=ready)


def evenly_spaced(pictures: Sequence[Picture], count: int) -> list[str]:
    """Return the names of so many of them, from the first to the last."""
    return [picture.label for picture in pictures[:: max(1, len(pictures) // count)][:count]]


def drawings(
    model: OmniAlpha, generator: Generator, objects: Sequence[str], backgrounds: Sequence[str], side: int
) -> Tensor:
    """Draw names of objects, on squares of `side` pixels, and of backgrounds: RGB (3, H, W) in [0, 1]."""
    defaults = model.defaults.of(BACKGROUND.name)
    wide = choose_canvas(9, 16, defaults.canvas, defaults.multiple).size
    requests = [
        Request(task.prompt.replace("{text}", named(label)), (), (size,), task=task.name)
        for task, labels, size in ((OBJECT, objects, (side, side)), (BACKGROUND, backgrounds, wide))
        for label in labels
    ]
    assert isinstance(model, Mini)  # only it has a generator
    drawing = replace(model, specialists={**model.specialists, "generator": generator})
    pictures = [layers[0] for layers in drawing.run(requests, defaults.steps, defaults.guidance)]
    return sheet([pictures[i : i + SHOWN[0]] for i in range(0, len(pictures), SHOWN[0])])
