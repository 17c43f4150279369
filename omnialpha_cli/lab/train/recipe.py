"""Read recipes, the numbers of training runs, from TOML."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from ...status import UsageError
from ...tasks import TASKS
from .grpo import GRPO
from .loop import Schedule
from .lora import LoRA
from .sft import Flow
from .vae import Weights

PARTS = ("vae", "image_encoder", "segmenter", "relevance", "effects", "inpainter", "generator", "transformer", "detail")
RECIPES = Path(__file__).with_name("recipes")  # those that come with the package

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """Describe one network: what builds it (`network`) and the stages that train it, in order."""

    network: dict[str, Any] = field(default_factory=dict)
    stages: tuple[Schedule, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """Hold what a recipe says.

    `tasks` maps task names to their share of the examples; exported weights list those in `claimed`, or all of them.
    A VAE has none.

    `start` names weights (as `--model` does) that training goes on from: all parts are theirs, and the transformer is
    trained further. With `lora` only adapters beside it are. `vae_loss` is there for the published VAE alone.
    """

    tasks: dict[str, float]
    vae: Part
    image_encoder: Part
    segmenter: Part
    relevance: Part
    effects: Part
    inpainter: Part
    generator: Part
    transformer: Part
    detail: Part
    defaults: dict[str, Any] = field(default_factory=dict)
    start: str | None = None
    claimed: tuple[str, ...] = ()
    flow: Flow = field(default_factory=Flow)
    lora: LoRA | None = None
    vae_loss: Weights | None = None
    grpo: GRPO | None = None
    grpo_stages: tuple[Schedule, ...] = ()


def _stage(values: dict[str, Any]) -> Schedule:
    scales = values.pop("lr_scale", {})
    if "betas" in values:
        values["betas"] = tuple(values["betas"])
    return Schedule(**values, lr_scale=tuple(scales.items()))


def _stages(table: dict[str, Any]) -> tuple[Schedule, ...]:
    return tuple(_stage(dict(s)) for s in table.pop("stages", []))


def _settings(kind: type[T], table: dict[str, Any]) -> T:
    return kind(**{key: tuple(value) if isinstance(value, list) else value for key, value in table.items()})


def read_recipe(path: Path) -> Recipe:
    """Read a recipe, by its path or by the name of one that comes with the package; UsageError when it is not one."""
    if not path.exists():
        if not (RECIPES / path).exists():
            ours = ", ".join(sorted(recipe.name for recipe in RECIPES.glob("*.toml")))
            raise UsageError(f"no recipe {path}: give a TOML file, or one of the package's: {ours}")
        path = RECIPES / path
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        tables = {name: dict(values.pop(name, {})) for name in (*PARTS, "grpo")}
        loss = tables["vae"].pop("loss", None)
        grpo_stages = _stages(tables["grpo"])
        recipe = Recipe(
            tasks=values.pop("tasks", {}),
            **{name: Part(stages=_stages(tables[name]), network=tables[name])
               for name in PARTS},
            defaults=values.pop("defaults", {}),
            start=values.pop("start", None),
            claimed=tuple(values.pop("claimed", ())),
            flow=_settings(Flow, values.pop("flow", {})),
            lora=_settings(LoRA, values.pop("lora")) if "lora" in values else None,
            vae_loss=None if loss is None else _settings(Weights, loss),
            grpo=_settings(GRPO, tables["grpo"]) if grpo_stages else None,
            grpo_stages=grpo_stages,
        )  # fmt: skip
        trainable = TASKS.keys() - {"run"}
        if unknown := [*values, *(name for name in (*recipe.tasks, *recipe.claimed) if name not in trainable)]:
            raise KeyError(f"unknown: {', '.join(unknown)}")
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError) as error:
        raise UsageError(f"{path}: not a training recipe ({error})") from error
    return recipe
