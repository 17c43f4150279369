"""Reinforce the transformer by group-relative policy optimisation (GRPO) on decoded layers.

A group is one request sampled several times by the SDE of `sde`; a sample's advantage is what its rewards are worth
beside its group's. Each step of a trajectory is an action, and its density's ratio to that at sampling is clipped, as
in PPO. As the published trainings of flow models do (Flow-GRPO, DanceGRPO), the log-densities are averaged over the
dimensions before they are compared: their sum over 10⁵ numbers would leave any clip range with the first update.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ...model.omnialpha import OmniAlpha, Request
from ...model.parts import Context
from ...model.sampler import Schedule as Sigmas
from ...model.sampler import schedule as sigmas_of
from ...status import UsageError
from .examples import Example, canvas_side, draw_example, draw_task, shape
from .image_encoder import CanvasOf
from .loop import Objective, Schedule
from .lora import Adapted, without_adapters
from .material import Material
from .pictures import validation_sheet
from .rewards import TERMS, advantages, used
from .sde import Trajectory, log_density, roll_out, transition
from .sft import MIX, to_request

Score = Callable[[Example, Sequence[Tensor]], Tensor]  # made layers, RGBA (4, H, W) in [0, 1] → (4,)


@dataclass(frozen=True)
class GRPO:
    """Hold the numbers of the method; the defaults are the published ones, but for `kl`, `updates` and `at_once`.

    `updates` optimiser steps are taken on one sampling. `kl` weighs the divergence from the model without adapters.
    `at_once` samples go through the network together.
    """

    group: int = 8
    steps: int = 20
    eta: float = 0.3
    shift: float = 3.0
    fraction: float = 0.6  # of the steps that are trained on, drawn anew for every group
    clip: float = 1e-4
    kl: float = 0.0
    updates: int = 1
    at_once: int = 8

    def __post_init__(self) -> None:
        """Refuse what cannot be: raises ValueError."""
        if self.group % self.at_once or self.group < 2 or self.steps < 2:
            raise ValueError(f"grpo: groups of {self.group} in parts of {self.at_once}, {self.steps} steps")

    @property
    def trained_steps(self) -> int:
        """Tell how many of a trajectory's steps are trained on; the last one has no density."""
        return min(self.steps - 1, max(1, round(self.fraction * self.steps)))

    @property
    def parts(self) -> int:
        """Return parts of a group that go through the network one after the other."""
        return self.group // self.at_once


@dataclass(frozen=True)
class Drawn:
    """Hold what a group is sampled from: an example, and a generator's state; none where the last sampling goes on."""

    micro: int
    example: Example | None = None
    state: Tensor = field(default_factory=lambda: torch.empty(0))


@dataclass(frozen=True)
class Part:
    """Hold some of a group's samples: their conditions, trajectory, and advantages (B,)."""

    request: Request
    inputs: list[Tensor]
    context: Context
    trajectory: Trajectory
    advantages: Tensor


@dataclass(frozen=True)
class Rollout:
    """Hold a group: its parts, the steps to train on, and figures for the log."""

    parts: list[Part]
    chosen: list[int]
    figures: dict[str, float]


def objective(
    material: Material, model: OmniAlpha, tasks: dict[str, float], score: Score, schedule: Schedule, canvas: CanvasOf,
    grpo: GRPO, held_out: Material | None = None,
) -> Objective:  # fmt: skip
    """Return what `loop.train` optimises, of a `sft.Trained` whose context is frozen: one group a micro-batch.

    The schedule's batch is in groups. Raises UsageError for settings that do not go together.
    """
    for name in tasks:
        used(draw_task({name: 1.0}, torch.Generator()))
    if schedule.micro_batch != 1:
        raise UsageError("a group is a micro-batch of its own: set micro = 1")
    if schedule.save_every % grpo.updates:
        raise UsageError(f"save_every = {schedule.save_every} would part the {grpo.updates} updates of a sampling")
    if grpo.kl and not any(isinstance(m, Adapted) for m in model.transformer.modules()):
        raise UsageError("kl is the divergence from the model without adapters: it needs [lora]")
    kept: dict[int, Rollout] = {}  # by micro-batch

    def draw(step: int, micro: int, g: torch.Generator) -> Drawn:
        if step % grpo.updates:
            return Drawn(micro)
        task = draw_task(tasks, g)
        size = canvas(*shape(material, task, g), canvas_side(model.defaults, task, schedule.size))
        return Drawn(micro, draw_example(material, MIX, task, size, g, fill=model.defaults.fill), g.get_state())

    def ready(drawn: Drawn) -> Rollout:
        if drawn.example is not None:
            g = torch.Generator()
            g.set_state(drawn.state)
            kept[drawn.micro] = sample_group(model, drawn.example, score, grpo, g)
        return kept[drawn.micro]

    def loss(trained: nn.Module, rollout: Rollout, term: int) -> tuple[Tensor, dict[str, float]]:
        number, part = divmod(term, grpo.parts)
        value, figures = policy_loss(model, rollout.parts[part], rollout.chosen[number], grpo)
        return value, {**rollout.figures, **figures}

    def picture() -> Tensor:
        return validation_sheet(model, held_out or material, MIX, tasks, schedule.size, canvas)

    return Objective(draw, loss, grpo.trained_steps * grpo.parts, picture, ready=ready)


@torch.no_grad()
def sample_group(model: OmniAlpha, example: Example, score: Score, grpo: GRPO, g: torch.Generator) -> Rollout:
    """Sample one example's request as often as the group is large, and score what comes out."""
    request = to_request(example, example.prompt)
    layout = request.layout
    context = _repeated(model.context([request], guided=False)[0], grpo.at_once)
    inputs = [z.to(model.dtype).expand(grpo.at_once, -1, -1, -1) for z in model.encode([request])]
    shift = math.log(grpo.shift)
    sigmas = sigmas_of(grpo.steps, layout.num_targets, Sigmas(shift, shift, shift_terminal=None))
    prepared, anchor = model.prepare(inputs, context, layout), model.anchor(inputs, layout)

    def velocity(x: Tensor, sigma: float) -> Tensor:
        return model.denoise(x, x.new_full((len(x),), sigma), prepared, anchor).float()

    channels = model.transformer.config.in_channels
    trajectories, scores = [], []
    for _ in range(grpo.parts):
        noise = torch.randn(grpo.at_once, layout.num_targets, channels, generator=g).to(model.device)
        trajectories.append(roll_out(velocity, noise, sigmas, grpo.eta, g))
        for layers in model.decode(trajectories[-1].states[-1], layout):
            scores.append(score(example, [layer.to(model.device) for layer in layers]))
    table = torch.stack(scores).float().cpu()  # (G, 4)
    wanted = used(example.task)
    parts = [
        Part(request, inputs, context, trajectory, a.to(model.device))
        for trajectory, a in zip(trajectories, advantages(table, wanted).split(grpo.at_once), strict=True)
    ]
    chosen = torch.randperm(grpo.steps - 1, generator=g)[: grpo.trained_steps].tolist()
    rewards = table[:, torch.tensor(wanted)].mean(1)  # (G,)
    reward, spread = float(rewards.mean()), float(rewards.std())  # without spread there is nothing to learn from
    terms = {name: float(column.mean()) for name, column, on in zip(TERMS, table.T, wanted, strict=True) if on}
    figures = {"reward": reward, "spread": spread, f"reward/{example.task.name}": reward, **terms}
    return Rollout(parts, chosen, figures)


def policy_loss(model: OmniAlpha, part: Part, k: int, grpo: GRPO) -> tuple[Tensor, dict[str, float]]:
    """Return the clipped surrogate, to be made small, of step k of a part's trajectories, and the divergence."""
    trajectory = part.trajectory
    x, following = trajectory.states[k], trajectory.states[k + 1]
    sigma, below = trajectory.sigmas[k], trajectory.sigmas[k + 1]
    layout = part.request.layout
    anchor = model.anchor(part.inputs, layout)

    def mean_of_policy() -> tuple[Tensor, float]:
        prepared = model.prepare(part.inputs, part.context, layout)
        velocity = model.denoise(x, x.new_full((len(x),), sigma), prepared, anchor).float()
        return transition(x, velocity, sigma, below, grpo.eta)

    mean, std = mean_of_policy()
    dimensions = x[0].numel()
    change = (log_density(following, mean, std) - trajectory.log_densities[k]) / dimensions
    value, figures = clipped_surrogate(change.exp(), part.advantages, grpo.clip)
    if grpo.kl:
        with torch.no_grad(), without_adapters(model.transformer):
            reference, _ = mean_of_policy()
        divergence = ((mean - reference) / std).square().mean() / 2  # of normals with one deviation
        value = value + grpo.kl * divergence
        figures["kl"] = float(divergence.detach())
    return value, figures


def clipped_surrogate(ratio: Tensor, advantage: Tensor, clip: float) -> tuple[Tensor, dict[str, float]]:
    """Return −E min(r·A, clip(r, 1 ± clip)·A) of ratios and advantages (B,), and the share that is clipped."""
    limited = ratio.clamp(1 - clip, 1 + clip)
    value = -torch.minimum(ratio * advantage, limited * advantage).mean()
    clipped = (ratio * advantage > limited * advantage).float().mean()
    return value, {"clipped": float(clipped)}


def _repeated(context: Context, count: int) -> Context:
    positions = context.positions
    return Context(
        context.tokens.expand(count, -1, -1),
        context.mask.expand(count, -1),
        None if positions is None else positions.expand(count, -1, -1),
    )
