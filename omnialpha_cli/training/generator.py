"""Training of the generator: rectified flow from words to cut-outs on nothing (paper §3; facts §6).

Each cut-out is encoded once in each view: what a pass costs is the transformer's share alone. Sketches of the names
that are trained on are mostly made without them: so the transformer learns what to make of a name that is not known,
and does not learn names by heart.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..model.generator import Generator
from ..model.light_vae import LightVAE
from ..model.omnialpha import OmniAlpha, Request
from ..model.positions import Layout
from ..model.sketch import Sketch, read
from ..model.transformer import pack
from ..tasks import TASKS
from .augment import Geometry, chance, choice, view
from .data.captions import named
from .examples import ALONE
from .loop import Objective, Schedule
from .packs import Picture
from .pictures import sheet
from .sft import MAX_WEIGHT, Flow, draw_sigma

TASK = TASKS["generate.foreground"]
FLOW = Flow(at_one=0.1, logit_mean=0.5, prompt_dropout=0.1)
MOST_TAGS = 3
LEFT_OUT = 0.7  # how often a sketch is made as if its name were not known
TURNED = Geometry(scale=(0.8, 0.8), aspect=0.1, rotation=10.0, shift=0.03, slack=0.0, flip=0.0)
VIEWS = ALONE, replace(ALONE, flip=1.0), TURNED, replace(TURNED, flip=1.0)
ENCODED = 64  # cut-outs at once
SHOWN = 12, 24  # cut-outs of the training and held-out ones, in validation pictures


@dataclass(frozen=True)
class Drawn:
    """What prompts mean (B, D), the places of their cut-outs and of the views (B,), whether each is left out of its
    sketch, sigma (B,), noise (B, N, C·p²).
    """

    meanings: Tensor
    places: Tensor
    views: Tensor
    left_out: Tensor
    sigma: Tensor
    noise: Tensor


@dataclass(frozen=True)
class Batch:
    """Tokens of the sketches, clean ones and noise (B, N, C·p²), and sigma (B,)."""

    sketch: Tensor
    clean: Tensor
    noise: Tensor
    sigma: Tensor


def caption(picture: Picture, g: torch.Generator) -> str:
    """What one would say to get such a cut-out: its name, often with an article, or with tags, or tags alone."""
    tags = [picture.tags[int(i)] for i in torch.randperm(len(picture.tags), generator=g)[: 1 + choice(g, MOST_TAGS)]]
    if not tags or chance(g, 0.5):
        return named(picture.label) if chance(g, 0.5) else picture.label
    return " ".join(tags if chance(g, 0.3) else [f"{picture.label},", *tags])


def rarity(cutouts: Sequence[Picture]) -> Tensor:
    """How often each is drawn (n,): the less, the more names begin alike, as those of flags do."""
    first = [picture.label.lower().partition(" ")[0] for picture in cutouts]
    counts = Counter(first)
    return torch.tensor([counts[word] ** -0.5 for word in first])


@torch.no_grad()
def encode(cutouts: Sequence[Picture], vae: LightVAE, side: int, geometry: Geometry, device: torch.device) -> Tensor:
    """Cut-outs on nothing as latents (n, C, side/8, side/8), all in the same view."""

    def seen(cutout: Picture) -> Tensor:
        return view(cutout.rgba, (side, side), geometry, torch.Generator().manual_seed(0), fit="contain")

    with ThreadPoolExecutor() as pool:
        views = torch.stack(list(pool.map(seen, cutouts)))  # (n, 4, side, side)
    return torch.cat([vae.encode((part * 2 - 1).to(device)) for part in views.split(ENCODED)])


class Sketches:
    """Sketches in every view, as of names that are known, and of those that are not: each without itself."""

    def __init__(self, sketch: Sketch, cutouts: Sequence[Picture], views: Tensor):
        """Fits `sketch` to the first of the views (V, n, C, h, w), on whose device all is."""
        self.sketch, self.shape = sketch.to(views.device), views.shape[2:]
        self.inverse = sketch.fit([c.label for c in cutouts], [c.tags for c in cutouts], views[0])  # (n, n)
        self.means = views.flatten(2).mean(1)  # (V, C·h·w)
        # What each adds (V, n, C·h·w), in a view as `Sketch.weights` in the first.
        self.weights = self.inverse @ (views.flatten(2) - self.means[:, None])

    def __call__(self, meanings: Tensor, places: Tensor, views: Tensor, left_out: Tensor) -> Tensor:
        """(B, C, h, w), of what is meant (B, D).

        That is not settled on names: with sketches of what is like a name, and often is another thing, it learnt to
        trust none, and drew known names worse.
        """
        nearness = self.sketch.nearness(meanings)  # (B, n)
        own = (nearness * self.inverse[places]).sum(1) / self.inverse.diagonal()[places]  # (B,)
        shares = nearness.scatter_add(1, places[:, None], -(own * left_out)[:, None])
        latents = self.means[views]  # (B, C·h·w)
        for v, weights in enumerate(self.weights):
            latents[views == v] += shares[views == v] @ weights
        return latents.unflatten(1, self.shape)


def objective(
    cutouts: Sequence[Picture], held_out: Sequence[Picture], model: OmniAlpha, generator: Generator, schedule: Schedule
) -> Objective:
    """What `loop.train` optimises, of a generator: the error of the clean latents of cut-outs, all with names."""
    assert isinstance(model.vae, LightVAE)
    device, of = torch.device(model.device), model.transformer.config
    often = rarity(cutouts)
    views = torch.stack([encode(cutouts, model.vae, schedule.size, geometry, device) for geometry in VIEWS])
    tokenizer, table = generator.sketch.tokenizer, generator.sketch.table.cpu().clone()  # to read in other processes
    sketches = Sketches(generator.sketch, cutouts, views)
    layout = Layout(((schedule.size // 8 // of.patch_size,) * 2,))
    tokens = layout.num_targets, of.in_channels
    seldom = torch.tensor([1.0] + [1 / (len(VIEWS) - 1)] * (len(VIEWS) - 1))  # half as they are

    def draw(step: int, micro: int, g: torch.Generator) -> Drawn:
        count = schedule.micro_batch
        places = torch.multinomial(often, count, replacement=True, generator=g)
        told = [TASK.prompt.replace("{text}", caption(cutouts[int(i)], g)) for i in places]
        prompts = ["" if chance(g, FLOW.prompt_dropout) else prompt for prompt in told]
        return Drawn(
            read(prompts, tokenizer, table),
            places,
            torch.multinomial(seldom, count, replacement=True, generator=g),
            torch.rand(count, generator=g) < LEFT_OUT,
            draw_sigma(count, FLOW, g, one_step=True),
            torch.randn((count, *tokens), generator=g),
        )

    @torch.no_grad()
    def ready(drawn: Drawn) -> Batch:
        seen = drawn.views.to(device), drawn.places.to(device)
        with torch.autocast(device.type, enabled=False):  # an inverse of 1,500 rows is not for 8 bits
            sketch = sketches(drawn.meanings.to(device), seen[1], seen[0], drawn.left_out.to(device))
        noise, sigma = drawn.noise.to(device), drawn.sigma.to(device)
        return Batch(pack(sketch, of.patch_size), pack(views[seen], of.patch_size), noise, sigma)

    def loss(trained: nn.Module, batch: Batch, term: int) -> tuple[Tensor, dict[str, float]]:
        s = batch.sigma[:, None, None]
        found = trained((1 - s) * batch.clean + s * batch.noise, batch.sigma, batch.sketch, layout)
        error = F.mse_loss(found.float(), batch.clean, reduction="none").mean((1, 2))  # (B,)
        value = (error * (1 / batch.sigma**2).clamp(max=MAX_WEIGHT)).mean()
        started = error[batch.sigma == 1]
        return value, {"from noise": float(started.mean().detach())} if len(started) else {}

    def picture() -> Tensor:
        return drawings(model, generator, cutouts[:: max(1, len(cutouts) // SHOWN[0])], held_out, schedule.size)

    return Objective(draw, loss, picture=picture, ready=ready)


def drawings(
    model: OmniAlpha, generator: Generator, trained: Sequence[Picture], held_out: Sequence[Picture], side: int
) -> Tensor:
    """RGB (3, H, W) in [0, 1]: a few names that were trained on, then held-out ones, and what is drawn of each."""
    told = [p.label for p in (*trained[: SHOWN[0]], *held_out[:: max(1, len(held_out) // SHOWN[1])][: SHOWN[1]])]
    requests = [Request(TASK.prompt.replace("{text}", named(label)), (), ((side, side),)) for label in told]
    defaults = model.defaults.of(TASK.command)
    drawn = replace(model, generator=generator).run(requests, defaults.steps, defaults.guidance)
    pictures = [layers[0] for layers in drawn]
    return sheet([pictures[i : i + SHOWN[0]] for i in range(0, len(pictures), SHOWN[0])])
