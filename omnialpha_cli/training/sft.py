"""Training of the transformer: rectified flow on all targets of an example, at random sigma (paper §3; facts §6).

The VAE and the image encoder are frozen. The context stream, which the last block leaves unused, learns the alpha of
its own cells: that keeps what the image features know alive through the blocks.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..model.context import Context
from ..model.context.mini import PATCH, MiniContext
from ..model.omnialpha import OmniAlpha, Request
from ..model.transformer import Transformer, pack
from .examples import Example, Material, Mix, draw_example, draw_task, photo_of_shape
from .image_encoder import CanvasOf
from .loop import Loss, Schedule

MIX = Mix()
CELL = 4  # the auxiliary alpha of a stride-16 token has CELL × CELL values
MAX_WEIGHT = 8.0  # of the clean-latent error, which is the velocity error over sigma²


@dataclass(frozen=True)
class Flow:
    """How sigma is drawn, and the small weights: half of the samples stand at sigma 1, where a single step starts."""

    at_one: float = 0.5
    logit_mean: float = 0.8
    logit_std: float = 1.0
    auxiliary: float = 0.2
    prompt_dropout: float = 0.15


class Trained(nn.Module):
    """What the optimiser sees: the transformer, the context's projections, and the auxiliary head."""

    def __init__(self, transformer: Transformer, context: MiniContext):
        super().__init__()
        self.transformer = transformer
        self.context = context
        self.alpha_head = nn.Linear(transformer.config.inner_dim, CELL * CELL)
        self.requires_grad_(True)  # loaded weights come frozen
        context.image_encoder.requires_grad_(False)
        context.words.requires_grad_(False)
        context.relevance.requires_grad_(False)


def draw_sigma(batch: int, flow: Flow, g: torch.Generator) -> Tensor:
    """Sigma (B,) in (0, 1]: 1, or sigmoid of a normal."""
    logits = flow.logit_mean + flow.logit_std * torch.randn(batch, generator=g)
    return torch.where(torch.rand(batch, generator=g) < flow.at_one, torch.ones(batch), logits.sigmoid())


def to_request(example: Example, prompt: str) -> Request:
    """The request that an example answers."""
    sizes = tuple((t.shape[-2], t.shape[-1]) for t in example.targets)
    return Request(prompt, tuple(example.inputs), sizes)


def auxiliary_alpha(hidden: Tensor, context: Context, examples: list[Example], head: nn.Module) -> Tensor:
    """BCE of the foreground's alpha, read from the stride-16 context tokens of each first input."""
    losses = []
    for i, example in enumerate(examples):
        if not example.inputs or "foreground" not in example.task.outputs:
            continue
        alpha = example.targets[example.task.outputs.index("foreground")][3:]  # (1, H, W)
        h, w = alpha.shape[-2] // PATCH, alpha.shape[-1] // PATCH
        assert context.positions is not None
        first = int((context.positions[i, :, 0] == -1).nonzero()[0])  # tokens of input 0, stride 16 first
        logits = head(hidden[i, first : first + h * w]).float()  # (h·w, 16)
        wanted = F.interpolate(alpha[None], size=(h * CELL, w * CELL), mode="area")
        losses.append(F.binary_cross_entropy_with_logits(logits, F.pixel_unshuffle(wanted, CELL)[0].flatten(1).T))
    return torch.stack(losses).mean() if losses else hidden.new_zeros(())


def make_loss(
    material: Material, model: OmniAlpha, tasks: dict[str, float], schedule: Schedule, canvas: CanvasOf, flow: Flow
) -> Loss:
    """The loss of one step, for `loop.train`: one task and one canvas a step, mixed over steps."""

    def loss(trained: nn.Module, step: int, g: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(trained, Trained)
        trained.context.image_encoder.eval()
        task = draw_task(tasks, g)
        size = canvas(*photo_of_shape(material, g), schedule.size)
        examples = [draw_example(material, MIX, task, size, g, fill=model.defaults.fill) for _ in range(schedule.batch)]
        dropped = torch.rand(len(examples), generator=g) < flow.prompt_dropout
        requests = [to_request(e, "" if d else e.prompt) for e, d in zip(examples, dropped, strict=True)]
        layout = requests[0].layout
        patch = trained.transformer.config.patch_size
        with torch.no_grad():
            inputs = [z.float() for z in model.encode(requests)]
            targets = [torch.stack(images) for images in zip(*(e.targets for e in examples), strict=True)]
            clean = torch.cat([pack(model.vae.encode(t * 2 - 1).float(), patch) for t in targets], dim=1)
        (context,) = model.context(requests, guided=False)
        noise = torch.randn(clean.shape, generator=g)
        sigma = draw_sigma(len(examples), flow, g)
        s = sigma[:, None, None]
        x = (1 - s) * clean + s * noise
        output, hidden = trained.transformer.hidden(x, sigma, model.prepare(inputs, context, layout))
        velocity = model.as_velocity(output.float(), x, sigma, model.anchor(inputs, layout))
        # Squared velocity error times sigma² is the squared error of the clean latents.
        weight = (MAX_WEIGHT * sigma**2).clamp(max=1)[:, None, None]
        flow_loss = (weight * (velocity - (noise - clean)).square()).mean()
        extra = auxiliary_alpha(hidden, context, examples, trained.alpha_head)
        return flow_loss + flow.auxiliary * extra, {"flow": float(flow_loss.detach()), "aux": float(extra.detach())}

    return loss


