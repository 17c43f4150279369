"""Train any network: AdamW, warm-up, averaged (EMA) weights, clipping, checkpoints, logs, pictures.

A step's batch is cut into micro-batches, which processes share out among themselves and accumulate. Micro-batch m of
step k draws everything random from a generator seeded by (seed, k, m): a resumed run draws the examples of an
uninterrupted one, and two processes those of one that accumulates twice.
"""

import math
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from ...status import UsageError
from . import checkpoint
from .ahead import drawn_ahead
from .distributed import ALONE, Group, Step, gathered, parallelise
from .log import Log, Report
from .recompute import recompute_blocks

Loss = Callable[[nn.Module, Any, int], tuple[Tensor, dict[str, float]]]


def _as_drawn(drawn: Any) -> Any:
    return drawn


@dataclass(frozen=True)
class Objective:
    """Describe what a training optimises: batches, and their loss.

    `draw(step, micro, generator)` makes what a micro-batch is made of, on the CPU. It depends on its arguments alone
    and can be pickled: other processes may draw ahead. `ready(drawn)` makes the batch, without gradients, by frozen
    networks and on the device. `loss(model, batch, term)` gives a value and figures for the log. A batch has `terms`
    losses, whose mean counts: each is backpropagated on its own, so that only one graph is in memory. `picture()`
    shows, as RGB (3, H, W) in [0, 1], what the model makes now.
    """

    draw: Callable[[int, int, torch.Generator], Any]
    loss: Loss
    terms: int = 1
    picture: Callable[[], Tensor] | None = None
    ready: Callable[[Any], Any] = _as_drawn


@dataclass(frozen=True)
class Schedule:
    """Describe a training stage; `lr_scale` multiplies the rate of parameters whose name starts with its key."""

    steps: int
    lr: float
    batch: int = 16  # examples a step, of all processes together
    micro: int | None = None  # of them that go through the network together; by default each process's share at once
    size: int = 128  # side of the square that has the canvas's area, pixels
    warmup: float = 0.05  # share of the steps
    decay: Literal["cosine", "constant"] = "cosine"  # after the warm-up; cosine ends at 1 % of the rate
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.99)
    clip: float = 1.0  # the norm of all gradients; 0 is no clipping
    ema: float = 0.995  # decay of the averaged weights; 0 keeps the last ones
    seed: int = 0
    bf16: bool = True  # where the device computes in it
    channels_last: bool = False
    recompute: bool = False  # blocks' activations in the backward pass: less memory for a third more time
    shard: bool = False  # the transformer's weights over all processes (FSDP2), not a copy in each (DDP)
    ahead: int = 0  # processes that draw micro-batches while the network computes
    lr_scale: tuple[tuple[str, float], ...] = ()
    save_every: int = 500
    log_every: int = 25
    picture_every: int = 0  # steps between validation pictures; 0 makes none

    def __post_init__(self) -> None:
        """Refuse what cannot be: raises ValueError."""
        if self.decay not in ("cosine", "constant"):
            raise ValueError(f"decay = {self.decay!r} is neither cosine nor constant")
        if min(self.steps, self.batch, self.micro or 1, self.save_every, self.log_every) < 1:
            raise ValueError("steps, batch, micro, save_every and log_every are at least 1")

    def shared(self, world: int) -> "Schedule":
        """Return the schedule for so many processes. Raises UsageError if they cannot share a batch evenly."""
        micro = self.micro or max(1, self.batch // world)
        if self.batch % micro or self.batch // micro % world:
            raise UsageError(f"a batch of {self.batch} in parts of {micro} is not for {world} processes alike")
        return replace(self, micro=micro)

    @property
    def micro_batch(self) -> int:
        """Return how many examples go through the network together."""
        return self.micro or self.batch


def learning_rate(step: int, schedule: Schedule) -> float:
    """Return a factor in [0, 1] at a step: linear warm-up, then a cosine to 1 % of the rate, or the rate itself."""
    warmup = round(schedule.warmup * schedule.steps)
    if schedule.decay == "cosine":
        warmup = max(1, warmup)
    if step < warmup:
        return (step + 1) / warmup
    if schedule.decay == "constant":
        return 1.0
    progress = (step - warmup) / max(1, schedule.steps - warmup)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def computes_bf16(device: torch.device) -> bool:
    """Tell whether a device computes in bfloat16. A CPU without it imitates it, a dozen times slower than float32."""
    if device.type == "cpu":
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return device.type != "cuda" or torch.cuda.is_bf16_supported()


def step_generator(seed: int, step: int, micro: int = 0) -> torch.Generator:
    """Return the generator of one micro-batch of a step."""
    return torch.Generator().manual_seed((seed + 1) * 1_000_003 + step + micro * 1_000_000_000_039)


def train(
    model: nn.Module,
    objective: Objective,
    schedule: Schedule,
    folder: Path,
    report: Report,
    group: Group = ALONE,
    tensorboard: bool = False,
) -> nn.Module:
    """Train `model` in place to the end of the schedule and return it with the averaged weights.

    Parameters that do not require gradients stay as they are. `folder` receives `checkpoint.pt`, resumed from when it
    is there, `log.jsonl`, pictures, and with `tensorboard` its event files.
    """
    schedule = schedule.shared(group.world)
    micros = range(group.rank, schedule.batch // schedule.micro_batch, group.world)  # this process's
    device = group.device
    bf16 = schedule.bf16 and computes_bf16(device)
    if schedule.recompute:
        recompute_blocks(model)
    if not schedule.shard:
        model.to(device)
    if schedule.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    model.train()
    step_of = parallelise(Step(model, objective.loss), schedule.shard, group)
    optimiser = torch.optim.AdamW(_groups(model, schedule), lr=schedule.lr, betas=schedule.betas)
    ema = {name: tensor.detach().clone() for name, tensor in checkpoint.trained(model).items()}
    first = checkpoint.load(folder, model, optimiser, ema)
    if first and group.first:
        report.say(f"{folder.name}: resumed at step {first}")

    def draw(place: tuple[int, int]) -> Any:
        return objective.draw(*place, step_generator(schedule.seed, *place))

    places = product(range(first, schedule.steps), micros)
    all_drawn = drawn_ahead(draw, places, schedule.ahead)
    with Log(folder, schedule.steps, report if group.first else None, tensorboard) as log, closing(all_drawn):
        started, since, figures = time.monotonic(), first, _Means()
        for step in range(first, schedule.steps):
            for parameters in optimiser.param_groups:
                parameters["lr"] = schedule.lr * parameters["scale"] * learning_rate(step, schedule)
            optimiser.zero_grad(set_to_none=True)
            for micro in micros:
                with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
                    batch = objective.ready(next(all_drawn))
                for term in range(objective.terms):
                    last = micro == micros[-1] and term == objective.terms - 1
                    with nullcontext() if last else step_of.no_sync():
                        with torch.autocast(device.type, dtype=torch.bfloat16, enabled=bf16):
                            value, details = step_of(batch, term)
                        (value / (len(micros) * objective.terms)).backward()
                    figures.add({"loss": float(value.detach()), **details})
            if schedule.clip:
                nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
            optimiser.step()
            _average(ema, model, min(schedule.ema, (1 + step) / (10 + step)))
            done = step + 1
            log.step(done)
            if done % schedule.log_every == 0 or done == schedule.steps:
                rate = schedule.batch * (done - since) / (time.monotonic() - started)
                log.figures(done, {**figures.all(group), "rate": round(rate, 2)})
                started, since, figures = time.monotonic(), done, _Means()
            if objective.picture and schedule.picture_every and done % schedule.picture_every == 0:
                with checkpoint.averaged(model, ema):
                    log.picture(done, objective.picture())
            if done % schedule.save_every == 0 or done == schedule.steps:
                checkpoint.save(folder, model, optimiser, ema, done, group)
    checkpoint.restore(model, ema)
    return model.eval()


class _Means:
    """Average figures between two lines of the log; not every batch has every figure."""

    def __init__(self) -> None:
        self.sums: dict[str, tuple[float, int]] = {}

    def add(self, figures: dict[str, float]) -> None:
        for key, value in figures.items():
            total, count = self.sums.get(key, (0.0, 0))
            self.sums[key] = total + value, count + 1

    def all(self, group: Group) -> dict[str, float]:
        """Return the means over all processes."""
        means: dict[str, float] = {}
        each = gathered(self.sums, group)
        for key in dict.fromkeys(key for sums in each for key in sums):
            totals, counts = zip(*(sums[key] for sums in each if key in sums), strict=True)
            means[key] = float(f"{sum(totals) / sum(counts):.5g}")
        return means


def _groups(model: nn.Module, schedule: Schedule) -> list[dict[str, object]]:
    """Group parameters: no weight decay on vectors, the rate scaled by name."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, p in model.named_parameters():
        if p.requires_grad:
            scale = next((s for prefix, s in schedule.lr_scale if name.startswith(prefix)), 1.0)
            groups.setdefault((scale, schedule.weight_decay if p.ndim > 1 else 0.0), []).append(p)
    return [{"params": ps, "scale": s, "weight_decay": d} for (s, d), ps in groups.items()]


@torch.no_grad()
def _average(ema: dict[str, Tensor], model: nn.Module, decay: float) -> None:
    for key, value in checkpoint.trained(model).items():
        if value.is_floating_point():
            ema[key].lerp_(value, 1 - decay)
        else:
            ema[key].copy_(value)
