"""Train the transformer: rectified flow on all targets of an example, at random sigma (paper §3).

The VAE is frozen. With the embedded context its projections are trained too, and the context stream, which the last
block leaves unused, learns the alpha of its own cells: that keeps what the image features know alive in the blocks.
The published context is frozen, and with LoRA so is all of the transformer but the adapters.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...model.mini.context import PATCH, MiniContext
from ...model.omnialpha import OmniAlpha, Request
from ...model.parts import Context
from ...model.transformer import Transformer, pack, rounded
from .examples import Example, as_bytes, as_floats, canvas_side, draw_example, draw_task, shape
from .image_encoder import EPSILON, CanvasOf
from .loop import Objective, Schedule
from .material import Material
from .pictures import validation_sheet
from .triplets import Mix

MIX = Mix()
CELL = 4  # the auxiliary alpha of a stride-16 token has CELL × CELL values
INVISIBLE = 0.03  # a difference of colour below what people notice
MAX_WEIGHT = 8.0  # of the clean-latent error, which is the velocity error over sigma²


@dataclass(frozen=True)
class Flow:
    """Say how sigma is drawn, what is weighted how, and how often the prompt is left out.

    The defaults are the embedded weights': half of the samples of what is done in one step are at sigma 1, where it
    starts; the error is that of the clean latents, up to a limit. The published ones have uniform sigma and the
    velocity's plain error. With `balanced` the logarithm of a batch's error is made small: a tenth less of it counts
    alike in every task, where one is ten times harder than another. `effects` is what an object's shadow and reflection
    outside of its mask count for in a removal, beside all else; they are small, and easily left.
    """

    sigma: Literal["logit-normal", "uniform"] = "logit-normal"
    at_one: float = 0.5
    balanced: bool = False
    effects: float = 1.0
    logit_mean: float = 0.8
    logit_std: float = 1.0
    error: Literal["clean", "velocity"] = "clean"
    auxiliary: float = 0.2  # only where the embedded context is trained
    prompt_dropout: float = 0.15  # pictures are kept

    def __post_init__(self) -> None:
        """Refuse words that mean nothing."""
        if self.sigma not in ("logit-normal", "uniform") or self.error not in ("clean", "velocity"):
            raise TypeError(f"flow: sigma {self.sigma}, error {self.error}")


class Trained(nn.Module):
    """Hold what the optimiser is given: the transformer, the embedded context's projections, the auxiliary head.

    A `context` of None is frozen, as it is.
    """

    def __init__(self, transformer: Transformer, context: MiniContext | None):
        super().__init__()
        self.transformer = transformer
        self.context = context
        if context is not None:
            self.alpha_head = nn.Linear(transformer.config.inner_dim, CELL * CELL)
            self.requires_grad_(True)  # loaded weights come frozen
            context.image_encoder.requires_grad_(False)
            context.words.requires_grad_(False)
            context.relevance.requires_grad_(False)


@dataclass(frozen=True)
class Drawn:
    """Hold examples of one task and canvas, as bytes, the prompts that are given, and what is drawn beside them."""

    prompts: list[str]
    examples: list[Example]
    noise: Tensor  # (B, N_targets, C·p²)
    sigma: Tensor  # (B,)
    weight: Tensor  # (B, N_targets, 1), of each token's error


@dataclass(frozen=True)
class Batch:
    """Hold what was drawn, on the device and encoded; `context` is None where it is trained."""

    requests: list[Request]
    examples: list[Example]
    noise: Tensor  # (B, N_targets, C·p²)
    sigma: Tensor  # (B,)
    weight: Tensor  # (B, N_targets, 1)
    context: Context | None
    inputs: list[Tensor]  # latents, for input k (B, 16, h, w)
    clean: Tensor  # (B, N_targets, C·p²)


def draw_sigma(batch: int, flow: Flow, g: torch.Generator, *, one_step: bool) -> Tensor:
    """Draw sigma (B,) in (0, 1] as `flow` says: often 1 for what is done in one step."""
    if flow.sigma == "uniform":
        sigma = 1 - torch.rand(batch, generator=g)
    else:
        sigma = (flow.logit_mean + flow.logit_std * torch.randn(batch, generator=g)).sigmoid()
    share = flow.at_one if one_step else 0.0
    return torch.where(torch.rand(batch, generator=g) < share, torch.ones(batch), sigma)


def to_request(example: Example, prompt: str) -> Request:
    """Return the request that an example answers."""
    sizes = tuple((t.shape[-2], t.shape[-1]) for t in example.targets)
    return Request(prompt, tuple(example.inputs), sizes, task=example.task.name)


def token_weights(example: Example, effects: float) -> Tensor:
    """Return what each token's error counts, (N_targets, 1).

    1; up to `effects` where a removal's object changes the picture outside of its mask; and in a foreground the mean
    weight of its alpha there.
    """
    if example.task.command != "remove" or len(example.inputs) < 2 or effects == 1:
        roles = zip(example.task.outputs, example.targets, strict=True)
        weights = [example.weight if role == "foreground" else torch.ones_like(image[:1]) for role, image in roles]
        return torch.cat([F.avg_pool2d(weight, PATCH).flatten() for weight in weights])[:, None]
    (scene, hint), (background,) = example.inputs, example.targets
    changed = ((scene - background)[:3].abs().amax(0) > INVISIBLE) & (hint[0] == 0)  # (H, W)
    share = F.avg_pool2d(changed[None].float(), PATCH).flatten()  # (H/16 · W/16,)
    return 1 + (effects - 1) * share[:, None]


def auxiliary_alpha(hidden: Tensor, context: Context, examples: list[Example], head: nn.Module) -> Tensor:
    """Return the weighted BCE of the foreground's alpha, read from the stride-16 context tokens of each first input.

    Examples are of one task and canvas.
    """
    task = examples[0].task
    if not task.inputs or "foreground" not in task.outputs:
        return hidden.new_zeros(())
    place = task.outputs.index("foreground")
    alpha = torch.stack([example.targets[place][3:] for example in examples]).to(hidden)  # (B, 1, H, W)
    weight = torch.stack([example.weight for example in examples]).to(hidden)
    h, w = alpha.shape[-2] // PATCH, alpha.shape[-1] // PATCH
    assert context.positions is not None
    image_tokens = hidden[context.positions[..., 0] == -1]  # tokens of input 0 (B · L, D), stride 16 first in each L
    logits = head(image_tokens.unflatten(0, (len(examples), -1))[:, : h * w]).float()  # (B, h·w, 16)
    wanted, share = (
        F.pixel_unshuffle(F.interpolate(plane.float(), size=(h * CELL, w * CELL), mode="area"), CELL).flatten(2).mT
        for plane in (alpha * weight, weight)
    )  # (B, h·w, 16) each
    error = F.binary_cross_entropy_with_logits(logits, wanted / share.clamp(min=EPSILON), reduction="none")
    return (error * share).sum() / share.sum().clamp(min=1)


def objective(
    material: Material, model: OmniAlpha, tasks: dict[str, float], schedule: Schedule, canvas: CanvasOf, flow: Flow,
    context_is_trained: bool = True, held_out: Material | None = None,
) -> Objective:  # fmt: skip
    """Return what `loop.train` optimises, of a `Trained`: one task and one canvas a micro-batch.

    `held_out` gives the validation pictures' examples.
    """

    def draw(step: int, micro: int, g: torch.Generator) -> Drawn:
        task = draw_task(tasks, g)
        size = canvas(*shape(material, task, g), canvas_side(model.defaults, task, schedule.size))
        count, fill = schedule.micro_batch, model.defaults.fill
        examples = [draw_example(material, MIX, task, size, g, fill=fill) for _ in range(count)]
        dropped = torch.rand(len(examples), generator=g) < flow.prompt_dropout
        prompts = ["" if d else e.prompt for e, d in zip(examples, dropped, strict=True)]
        tokens = to_request(examples[0], "").layout.num_targets
        noise = torch.randn(count, tokens, model.transformer.config.in_channels, generator=g)
        sigma = draw_sigma(count, flow, g, one_step=model.defaults.of(task.name).steps == 1)
        weight = torch.stack([token_weights(example, flow.effects) for example in examples])
        return Drawn(prompts, [as_bytes(e) for e in examples], noise, sigma, weight)

    @torch.no_grad()
    def ready(drawn: Drawn) -> Batch:
        examples = [as_floats(example, torch.device(model.device)) for example in drawn.examples]
        requests = [to_request(e, prompt) for e, prompt in zip(examples, drawn.prompts, strict=True)]
        clean, sigma = encode_targets(model, examples), drawn.sigma.to(model.device)
        if model.transformer.config.timestep_rounding:  # the noise is mixed by the sigma that the network is given
            sigma = rounded(sigma, model.dtype)
        return Batch(
            requests=requests,
            examples=examples,
            noise=drawn.noise.to(clean),
            sigma=sigma,
            weight=drawn.weight.to(clean),
            context=None if context_is_trained else model.context(requests, guided=False)[0],
            inputs=[z.to(model.dtype) for z in model.encode(requests)],
            clean=clean,
        )

    def loss(trained: nn.Module, batch: Batch, term: int) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(trained, Trained)
        if trained.context is not None:
            trained.context.image_encoder.eval()
        context = batch.context or model.context(batch.requests, guided=False)[0]
        layout, sigma = batch.requests[0].layout, batch.sigma
        s = sigma[:, None, None]
        x = (1 - s) * batch.clean + s * batch.noise
        prepared = model.prepare(batch.inputs, context, layout)
        output, hidden = trained.transformer.hidden(x.to(model.dtype), sigma, prepared)
        velocity = model.as_velocity(output.float(), x, sigma, model.anchor(batch.inputs, layout))
        # Squared velocity error times sigma² is the squared error of the clean latents.
        weight = (MAX_WEIGHT * sigma**2).clamp(max=1)[:, None, None] if flow.error == "clean" else 1.0
        value = (weight * batch.weight * (velocity - (batch.noise - batch.clean)).square()).mean()
        flow_error = float(value.detach())
        if flow.balanced:
            value = value.log()
        figures = {"flow": flow_error, f"flow/{batch.examples[0].task.name}": flow_error}
        if trained.context is not None:
            extra = auxiliary_alpha(hidden, context, batch.examples, trained.alpha_head)
            value, figures["aux"] = value + flow.auxiliary * extra, float(extra.detach())
        return value, figures

    def picture() -> Tensor:
        return validation_sheet(model, held_out or material, MIX, tasks, schedule.size, canvas)

    return Objective(draw, loss, picture=picture, ready=ready)


def encode_targets(model: OmniAlpha, examples: list[Example]) -> Tensor:
    """Clean tokens (B, N_targets, C·p²), float32, of examples of one task and canvas."""
    patch = model.transformer.config.patch_size
    images = [torch.stack(targets) for targets in zip(*(e.targets for e in examples), strict=True)]
    latents = [model.vae.encode((x * 2 - 1).to(model.device, model.dtype)).float() for x in images]
    return torch.cat([pack(z, patch) for z in latents], dim=1)
