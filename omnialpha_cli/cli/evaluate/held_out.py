"""The commands that judge weights on held-out material."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..console import say
from ..options import takes_options
from .options import HintKind, ModelOptions, Photos, ShowOptions
from .show import show

if TYPE_CHECKING:
    from ...api import OmniAlpha
    from ...evaluation.judge import Judged


@takes_options
def matting(photos: Photos, model: ModelOptions, output: ShowOptions, hint: HintKind = "none") -> None:
    """Judge mattes of photographs at full size: over the whole picture, and in the unknown band of a trimap."""
    from ...evaluation import held_out
    from ...training.packs import read_packs

    loaded = _load(model, f"matte.{_hint(hint)}")
    judged = held_out.matting(loaded, read_packs(photos).photos_val, hint, model.canvas)
    _show("matting", judged, model, output, hint)


@takes_options
def removal(photos: Photos, model: ModelOptions, output: ShowOptions, hint: HintKind = "mask") -> None:
    """Judge what is painted behind objects taken out of composites, every second one with its shadow.

    A mean colour, and OpenCV's inpainting after Telea where that is installed, stand beside it; both know exactly where
    the object is. Without a hint the backdrop is out of focus, as nothing else tells what the object is.
    """
    from ...evaluation import held_out
    from ...evaluation.baselines import fills
    from ...evaluation.perceptual import FeatureDistance
    from ...training.packs import read_packs

    loaded, baselines = _load(model, f"remove.{_hint(hint)}"), fills()
    if "telea" not in baselines:
        say("warning: OpenCV is not installed, so Telea's inpainting is left out; "
            "get it with: pip install opencv-python-headless")  # fmt: skip
    pictures = read_packs(photos).photos_val
    judged = held_out.removal(loaded, pictures, hint, model.canvas, FeatureDistance.load(), baselines)
    _show("removal", judged, model, output, hint)


@takes_options
def decomposition(photos: Photos, model: ModelOptions, output: ShowOptions, hint: HintKind = "none") -> None:
    """Judge composites taken apart into background and foreground; without a hint the backdrop is out of focus."""
    from ...evaluation import held_out
    from ...training.packs import read_packs

    loaded = _load(model, f"decompose.{_hint(hint)}")
    judged = held_out.decomposition(loaded, read_packs(photos).photos_val, hint, model.canvas)
    _show("decomposition", judged, model, output, hint)


@takes_options
def referring(
    photos: Photos,
    cutouts: Annotated[
        Path,
        typer.Argument(metavar="CUTOUTS.tar", help="Cut-outs with names, as of training.", exists=True, dir_okay=False),
    ],
    model: ModelOptions,
    output: ShowOptions,
) -> None:
    """Judge whether words choose the object: of two beside each other, each is named in turn.

    The photographs' subjects are held out; the cut-outs have no such split, and training may have seen them. A model
    that does not listen is right half the time.
    """
    from ...evaluation import held_out
    from ...training.packs import read_packs

    packs = read_packs(photos, cutouts)
    judged = held_out.referring(_load(model, "matte.text"), packs.photos_val, packs.cutouts, model.canvas)
    _show("referring", judged, model, output, None)


def _hint(hint: str) -> str:
    return "auto" if hint == "none" else hint


def _load(options: ModelOptions, task: str) -> "OmniAlpha":
    from ...api import OmniAlpha

    model = OmniAlpha.load(options.model)
    if task not in model.tasks:
        say(f"warning: {options.model} was not trained for {task}")
    return model


def _show(task: str, judged: "Iterator[Judged]", model: ModelOptions, output: ShowOptions, hint: str | None) -> None:
    about: dict[str, Any] = {"model": model.model, "hint": hint, "canvas": model.canvas}
    show(task, islice(judged, model.limit), output, about)
