"""Run `omnialpha eval compare`."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ....cli.options import INPUTS, MODEL, option, takes_options
from ....status import ItemError, UsageError
from .options import HintKind, ModelOptions, RecordOptions, TruthOptions

if TYPE_CHECKING:
    from ..judge import Judged


@takes_options
def compare(
    a: Annotated[str, typer.Argument(metavar="A", help="A folder of results; with --photos, weights.")],
    b: Annotated[str, typer.Argument(metavar="B", help="The other.")],
    truth: TruthOptions,
    output: RecordOptions,
    task: Annotated[
        Literal["matting", "removal", "decomposition", "vae"],
        option("--task", panel=INPUTS, help="What they are results of."),
    ] = "matting",
    photos: Annotated[
        list[Path] | None,
        option(
            "--photos",
            panel=INPUTS,
            metavar="PHOTOS",
            exists=True,
            show_default=False,
            help="Compare two models on this pack; may be given several times.",
        ),
    ] = None,
    hint: HintKind = "none",
    limit: Annotated[
        int | None, option("--limit", panel=INPUTS, min=1, metavar="N", help="Only the first N pictures.")
    ] = None,
    canvas: Annotated[
        int | None,
        option("--canvas", panel=MODEL, min=64, metavar="PIXELS", help="The model's canvas, as for `omnialpha matte`."),
    ] = None,
) -> None:
    """Compare two folders of results, or two models, picture by picture.

    The difference of the means comes with its 95 % interval, by a paired bootstrap over the pictures. Where it holds
    zero, these pictures do not tell which is better.
    """
    if (not photos) == (truth.truth is None):
        raise UsageError("give either --truth, to compare two folders, or --photos, to compare two models")
    from .judged import judge_folder, judge_model
    from .versus import report

    def judged(name: str) -> "Iterator[Judged | ItemError]":
        if not photos:
            return judge_folder(task, Path(name), truth, limit)
        return judge_model(task, photos, hint, ModelOptions(limit, name, canvas))

    raise typer.Exit(report(task, (a, b), (judged(a), judged(b)), output))
