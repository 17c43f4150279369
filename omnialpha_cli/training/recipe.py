"""A recipe: the numbers of a training run, read from TOML."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..status import UsageError
from .loop import Schedule


@dataclass(frozen=True)
class Part:
    """One network: what builds it (`network`) and the stages that train it, in order."""

    network: dict[str, Any]
    stages: tuple[Schedule, ...]


@dataclass(frozen=True)
class Recipe:
    """`tasks` maps task names to their share of the examples; the exported weights claim to know those in `claimed`, or
    all of them.

    `start` names weights (as `--model` does) that training goes on from: all parts are theirs, and the transformer is
    trained further.
    """

    tasks: dict[str, float]
    vae: Part
    image_encoder: Part
    transformer: Part
    defaults: dict[str, Any] = field(default_factory=dict)
    start: str | None = None
    claimed: tuple[str, ...] = ()


def _stage(values: dict[str, Any]) -> Schedule:
    scales = values.pop("lr_scale", {})
    return Schedule(**values, lr_scale=tuple(scales.items()))


def _part(values: dict[str, Any]) -> Part:
    stages = tuple(_stage(dict(s)) for s in values.pop("stages", []))
    return Part(values, stages)


def read_recipe(path: Path) -> Recipe:
    """Read a recipe; UsageError when it is not one."""
    try:
        values = tomllib.loads(path.read_text())
        parts = {name: _part(dict(values.get(name, {}))) for name in ("vae", "image_encoder", "transformer")}
        return Recipe(
            tasks=values["tasks"], defaults=values.get("defaults", {}), start=values.get("start"),
            claimed=tuple(values.get("claimed", ())), **parts,
        )  # fmt: skip
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: not a training recipe ({error})") from error
