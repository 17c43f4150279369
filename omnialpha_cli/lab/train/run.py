"""Describe a training run, and take a network through its stages: what is done is not done again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ...status import UsageError
from . import checkpoint
from .distributed import ALONE, Group
from .log import Report
from .loop import Objective, train
from .loop import Schedule as Stage
from .recipe import Recipe


@dataclass(frozen=True)
class Run:
    """Describe a training run: its recipe, the folder it lives in, where it says how it goes, and its processes.

    `loras` are files with their strengths, merged into the weights that it starts from. `lpips` says
    whether LPIPS is the perceptual distance, in place of the features that the package has.
    """

    recipe: Recipe
    folder: Path
    report: Report
    group: Group = ALONE
    loras: Sequence[tuple[Path, float]] = ()
    lpips: bool = False
    tensorboard: bool = False


def train_stages(
    run: Run, name: str, model: nn.Module, stages: tuple[Stage, ...], objective: Callable[[Stage], Objective]
) -> None:
    """Train a network stage by stage, and leave its averaged weights as `NAME.pt`.

    Stages that are done are skipped. Raises UsageError where the recipe has none.
    """
    if not stages:
        raise UsageError(f"this recipe has no stages that train {name}")
    for number, stage in enumerate(stages, 1):
        done = run.folder / f"{name}-{number}.pt"
        if done.exists():
            checkpoint.restore(model, torch.load(done, map_location="cpu", weights_only=True))
            continue
        folder = run.folder / f"{name}-{number}"
        stage = stage.shared(run.group.world)
        train(model, objective(stage), stage, folder, run.report, run.group, run.tensorboard)
        checkpoint.keep(model, done, run.group)
    checkpoint.keep(model, run.folder / f"{name}.pt", run.group)
