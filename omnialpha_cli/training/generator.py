"""Training of the generator: rectified flow from words to cut-outs on nothing (paper §3; facts §6).

Each cut-out is encoded once, and drawn as it is: what a pass costs is the transformer's share alone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..model.generator import Generator
from ..model.light_vae import LightVAE
from ..model.omnialpha import OmniAlpha, Request
from ..model.positions import Layout
from ..model.transformer import pack
from ..tasks import TASKS
from .augment import chance, choice, view
from .data.captions import named
from .examples import ALONE
from .loop import Objective, Schedule
from .packs import Picture
from .pictures import sheet
from .sft import MAX_WEIGHT, Flow, draw_sigma

TASK = TASKS["generate.foreground"]
FLOW = Flow(at_one=0.1, logit_mean=0.5, prompt_dropout=0.1)
MOST_TAGS = 3
SHOWN = 12, 24  # cut-outs of the training and held-out ones, in validation pictures


@dataclass(frozen=True)
class Batch:
    """Prompts, clean tokens and noise (B, N, C·p²), and sigma (B,)."""

    prompts: list[str]
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
def encode(cutouts: Sequence[Picture], vae: LightVAE, side: int, patch: int, device: torch.device) -> Tensor:
    """Cut-outs on nothing as clean tokens (n, N, C·p²) on the CPU, of a square canvas of `side` pixels."""
    g = torch.Generator().manual_seed(0)  # the view is always the same
    views = (view(picture.rgba, (side, side), ALONE, g, fit="contain") for picture in cutouts)
    return torch.cat([pack(vae.encode((v * 2 - 1)[None].to(device)), patch).cpu() for v in views])


def objective(
    cutouts: Sequence[Picture], held_out: Sequence[Picture], model: OmniAlpha, generator: Generator, schedule: Schedule
) -> Objective:
    """What `loop.train` optimises, of a generator: the error of the clean latents of cut-outs with names."""
    assert isinstance(model.vae, LightVAE)
    device, patch = torch.device(model.device), generator.transformer.config.patch_size
    cutouts = [picture for picture in cutouts if picture.label]
    weights = rarity(cutouts)
    known = encode(cutouts, model.vae, schedule.size, patch, device)
    layout = Layout(((schedule.size // 8 // patch,) * 2,))

    def draw(step: int, micro: int, g: torch.Generator) -> Batch:
        count = schedule.micro_batch
        places = torch.multinomial(weights, count, replacement=True, generator=g)
        told = [TASK.prompt.replace("{text}", caption(cutouts[int(i)], g)) for i in places]
        prompts = ["" if chance(g, FLOW.prompt_dropout) else prompt for prompt in told]
        clean = known[places]
        noise = torch.randn(clean.shape, generator=g)
        return Batch(prompts, clean, noise, draw_sigma(count, FLOW, g, one_step=True))

    def ready(drawn: Batch) -> Batch:
        return Batch(drawn.prompts, drawn.clean.to(device), drawn.noise.to(device), drawn.sigma.to(device))

    def loss(trained: nn.Module, batch: Batch, term: int) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(trained, Generator)
        s = batch.sigma[:, None, None]
        prepared = model.drawing(trained).prepare([], trained.context.read(batch.prompts), layout)
        found = trained.transformer.step((1 - s) * batch.clean + s * batch.noise, batch.sigma, prepared)
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
    with_generator = model.drawing(generator)
    pictures = [layers[0] for layers in with_generator.run(requests, defaults.steps, defaults.guidance)]
    return sheet([pictures[i : i + SHOWN[0]] for i in range(0, len(pictures), SHOWN[0])])
