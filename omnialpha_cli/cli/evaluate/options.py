"""The options that the commands of `omnialpha eval` share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..options import INPUTS, MODEL, OUTPUT, option

Photos = Annotated[
    Path | None,
    typer.Argument(
        metavar="PHOTOS.tar",
        help="Photographs with mattes: a model is judged on its split `val`, which training leaves out.",
        exists=True,
        dir_okay=False,
        show_default=False,
    ),
]
HintKind = Annotated[
    Literal["none", "trimap", "mask", "rough-mask"],
    option("--hint", panel=INPUTS, help="What the model is told, made from the known matte as in training."),
]


# fmt: off
@dataclass(frozen=True)
class TruthOptions:
    """The truth that results in a folder are judged by. Pictures are matched by their paths, without endings."""

    truth: Annotated[Path | None, option(
        "--truth", panel=INPUTS, metavar="DIR", help="The true results, named as those to judge.")] = None
    trimaps: Annotated[Path | None, option(
        "--trimaps", panel=INPUTS, metavar="DIR",
        help="Matting: also score the unknown band of these trimaps. Removal: also score where these trimaps or masks "
             "show the object.")] = None
    sources: Annotated[Path | None, option(
        "--sources", panel=INPUTS, metavar="DIR", help="The pictures that the results were made from.")] = None
    names: Annotated[Path | None, option(
        "--names", panel=INPUTS, metavar="FILE.csv",
        help="Lines of a truth's name, a comma, and the name of its result, where they differ.")] = None


@dataclass(frozen=True)
class FolderOptions(TruthOptions):
    """Results of any tool, in place of a model's."""

    predictions: Annotated[Path | None, option(
        "--predictions", panel=INPUTS, metavar="DIR", help="Results of any tool, judged in place of a model.")] = None


@dataclass(frozen=True)
class ModelOptions:
    """Which weights are judged, and on how much."""

    limit: Annotated[int | None, option(
        "--limit", panel=INPUTS, min=1, metavar="N", help="Only the first N pictures.")] = None
    model: Annotated[str, option(
        "--model", panel=MODEL, metavar="NAME|DIR", help="The weights: a name, or a folder.")] = "mini"
    canvas: Annotated[int | None, option(
        "--canvas", panel=MODEL, min=64, metavar="PIXELS", help="As of `omnialpha matte`.")] = None


@dataclass(frozen=True)
class RecordOptions:
    """Where the figures go."""

    # A variable of its own: the report of other commands is another format.
    report: Annotated[Path | None, typer.Option(
        "--report", rich_help_panel=OUTPUT, metavar="FILE.html", envvar="OMNIALPHA_EVAL_REPORT",
        help="Write a page with the scores and small pictures of every result, worst first.")] = None
    json: Annotated[bool, option(
        "--json", panel=OUTPUT, help="Print the scores of every picture and their summary as NDJSON.")] = False


@dataclass(frozen=True)
class ShowOptions(RecordOptions):
    """And a sheet to look at."""

    worst: Annotated[Path | None, option(
        "--worst", panel=OUTPUT, metavar="FILE.png", help="Write a PNG of the ten worst.")] = None
# fmt: on
