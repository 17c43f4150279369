"""The commands that judge one model, or one folder of results."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from ...status import UsageError
from ..options import takes_options
from .options import FolderOptions, HintKind, ModelOptions, Photos, ShowOptions


@takes_options
def matting(
    model: ModelOptions, folders: FolderOptions, output: ShowOptions, photos: Photos = None, hint: HintKind = "none"
) -> None:
    """Judge mattes at full size, over the whole picture and in the unknown band of a trimap.

    Of a model, on held-out photographs; or, with --predictions and --truth, of any tool: cut-outs or mattes alone, of 8
    or 16 bits.
    """
    _judge("matting", photos, hint, model, folders, output)


@takes_options
def removal(
    model: ModelOptions, folders: FolderOptions, output: ShowOptions, photos: Photos = None, hint: HintKind = "mask"
) -> None:
    """Judge what is painted behind objects that were taken out.

    Of a model, on composites of held-out photographs, every second one with a shadow. A mean colour, and OpenCV's
    inpainting after Telea where that is installed, stand beside it; both know exactly where the object is. Without a
    hint the backdrop is out of focus, as nothing else tells what the object is. With --predictions and --truth, of any
    tool.
    """
    _judge("removal", photos, hint, model, folders, output)


@takes_options
def decomposition(
    model: ModelOptions, folders: FolderOptions, output: ShowOptions, photos: Photos = None, hint: HintKind = "none"
) -> None:
    """Judge pictures taken apart into background and foreground.

    Of a model, on composites of held-out photographs; without a hint their backdrop is out of focus. With --predictions
    and --truth, of any tool: NAME_background.png and NAME_foreground.png, or as `omnialpha decompose` writes them.
    """
    _judge("decomposition", photos, hint, model, folders, output)


@takes_options
def referring(
    photos: Annotated[
        Path,
        typer.Argument(metavar="PHOTOS.tar", help="As of `eval matting`.", exists=True, dir_okay=False),
    ],
    cutouts: Annotated[
        Path,
        typer.Argument(metavar="CUTOUTS.tar", help="Cut-outs with names, as of training.", exists=True, dir_okay=False),
    ],
    model: ModelOptions,
    output: ShowOptions,
) -> None:
    """Judge whether words choose the object: of two beside each other, each is named in turn.

    Both are held out from training. A model that does not listen is right half the time.
    """
    from itertools import islice

    from ...evaluation import held_out
    from ...training.packs import read_packs
    from .judged import load
    from .show import show

    loaded, packs = load(model.model, "matte.text"), read_packs(photos, cutouts)
    judged = held_out.referring(loaded, packs.photos_val, packs.cutouts_val, model.canvas)
    about = {"model": model.model, "canvas": model.canvas}
    raise typer.Exit(show("referring", islice(judged, model.limit), output, about))


def _judge(
    task: Literal["matting", "removal", "decomposition"],
    photos: Path | None,
    hint: HintKind,
    model: ModelOptions,
    folders: FolderOptions,
    output: ShowOptions,
) -> None:
    if (photos is None) == (folders.predictions is None) or (photos is not None and folders.truth is not None):
        raise UsageError("give either PHOTOS.tar, to judge a model, or --predictions and --truth, to judge a folder")
    from .judged import judge_folder, judge_model
    from .show import show

    if folders.predictions is not None:
        judged = judge_folder(task, folders.predictions, folders, model.limit)
        raise typer.Exit(show(task, judged, output, {"predictions": str(folders.predictions)}))
    assert photos is not None
    about = {"model": model.model, "hint": hint, "canvas": model.canvas}
    raise typer.Exit(show(task, judge_model(task, photos, hint, model), output, about))
