"""Train the generator: rectified flow from words to cut-outs on nothing, and to backgrounds (paper §3)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...imaging.canvas import choose_canvas
from ...model.mini.generator import Generator
from ...model.mini.model import Mini
from ...model.mini.sketch import read
from ...model.omnialpha import OmniAlpha
from ...model.positions import Layout
from ...model.request import Request
from ...model.transformer import pack
from ..data.captions import named
from .augment import chance, choice
from .kinds import BACKGROUND, OBJECT, behind, objects
from .loop import Objective, Schedule
from .packs import Picture
from .pictures import sheet
from .sft import MAX_WEIGHT, Flow, draw_sigma

FLOW = Flow(at_one=0.1, logit_mean=0.5, prompt_dropout=0.1)
MOST_TAGS = 3
BACKGROUNDS = 0.65  # of the batches, where there are any
SHOWN = 12, 24  # cut-outs of the training and held-out ones, in validation pictures


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


def caption(picture: Picture, g: torch.Generator) -> str:
    """Return what one would say to get such a cut-out: its name, often with an article, or with tags, or tags alone."""
    tags = [picture.tags[int(i)] for i in torch.randperm(len(picture.tags), generator=g)[: 1 + choice(g, MOST_TAGS)]]
    if not tags or chance(g, 0.5):
        return named(picture.label) if chance(g, 0.5) else picture.label
    return " ".join(tags if chance(g, 0.3) else [f"{picture.label},", *tags])


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
