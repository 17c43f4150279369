"""One training loop for every network: AdamW, warm-up and cosine, EMA, clipping, checkpoints, a JSONL log.

Step k draws everything random from a generator seeded by (seed, k): a resumed run sees the examples that an
uninterrupted one would have seen.
"""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

Loss = Callable[[nn.Module, int, torch.Generator], tuple[Tensor, dict[str, float]]]


@dataclass(frozen=True)
class Schedule:
    """Numbers of one training stage; `lr_scale` multiplies the rate of parameters whose name starts with its key."""

    steps: int
    lr: float
    batch: int = 16
    size: int = 128  # side of the square that has the canvas's area, pixels
    warmup: float = 0.05  # share of the steps
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.995
    seed: int = 0
    bf16: bool = True
    channels_last: bool = False
    lr_scale: tuple[tuple[str, float], ...] = ()
    save_every: int = 500
    log_every: int = 25


def learning_rate(step: int, schedule: Schedule) -> float:
    """Factor in [0, 1] at a step: linear warm-up, then a cosine to 1 % of the rate."""
    warmup = max(1, round(schedule.warmup * schedule.steps))
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, schedule.steps - warmup)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def step_generator(seed: int, step: int) -> torch.Generator:
    """The generator of one step."""
    return torch.Generator().manual_seed((seed + 1) * 1_000_003 + step)


def _groups(model: nn.Module, schedule: Schedule) -> list[dict[str, object]]:
    """Parameter groups: no weight decay on vectors, the rate scaled by name."""
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, p in model.named_parameters():
        if p.requires_grad:
            scale = next((s for prefix, s in schedule.lr_scale if name.startswith(prefix)), 1.0)
            groups.setdefault((scale, schedule.weight_decay if p.ndim > 1 else 0.0), []).append(p)
    return [{"params": ps, "scale": s, "weight_decay": d} for (s, d), ps in groups.items()]


def train(
    model: nn.Module,
    loss: Loss,
    schedule: Schedule,
    folder: Path,
    report: Callable[[str], None],
    device: torch.device | str = "cpu",
) -> nn.Module:
    """Train `model` in place to the end of the schedule and return it with the averaged (EMA) weights.

    `folder` receives `checkpoint.pt`, resumed from when it is there, and `log.jsonl`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint = folder / "checkpoint.pt"
    model.to(device).train()
    if schedule.channels_last:
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(_groups(model, schedule), lr=schedule.lr, betas=(0.9, 0.99))
    ema = {k: v.detach().clone() for k, v in model.state_dict().items()}
    first = 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        ema, first = state["ema"], state["step"]
        report(f"{folder.name}: resumed at step {first}")
    sums: dict[str, float] = {}
    started, seen = time.monotonic(), 0
    for step in range(first, schedule.steps):
        for group in optimiser.param_groups:
            group["lr"] = schedule.lr * group["scale"] * learning_rate(step, schedule)
        with torch.autocast(torch.device(device).type, dtype=torch.bfloat16, enabled=schedule.bf16):
            value, parts = loss(model, step, step_generator(schedule.seed, step))
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
        optimiser.step()
        _average(ema, model, min(schedule.ema, (1 + step) / (10 + step)))
        seen += schedule.batch
        for key, part in {"loss": float(value.detach()), **parts}.items():
            sums[key] = sums.get(key, 0.0) + part
        if (step + 1) % schedule.log_every == 0 or step + 1 == schedule.steps:
            count = seen / schedule.batch
            rate = seen / (time.monotonic() - started)
            entry = {"step": step + 1, **{k: round(v / count, 5) for k, v in sums.items()}, "rate": round(rate, 2)}
            with (folder / "log.jsonl").open("a") as log:
                log.write(json.dumps(entry) + "\n")
            figures = " ".join(f"{k} {v}" for k, v in entry.items() if k != "step")
            report(f"{folder.name} {step + 1}/{schedule.steps} {figures}")
            started, sums, seen = time.monotonic(), {}, 0
        if (step + 1) % schedule.save_every == 0 or step + 1 == schedule.steps:
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "ema": ema, "step": step + 1}
            torch.save(state, checkpoint.with_suffix(".tmp"))
            checkpoint.with_suffix(".tmp").replace(checkpoint)
    model.load_state_dict(ema)
    return model.eval()


@torch.no_grad()
def _average(ema: dict[str, Tensor], model: nn.Module, decay: float) -> None:
    for key, value in model.state_dict().items():
        if value.is_floating_point():
            ema[key].lerp_(value, 1 - decay)
        else:
            ema[key].copy_(value)
