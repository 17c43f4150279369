"""Define the options that the commands of `omnialpha eval` share."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from ....cli.options import INPUTS, MODEL, OUTPUT, option
from ....status import UsageError

Photos = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="PHOTOS",
        help="Photographs with mattes, tars or folders in a layout of docs/data.md, such as AIM-500: a model is "
        "judged on those that are held out, which training leaves out.",
        exists=True,
        show_default=False,
    ),
]
HintKind = Annotated[
    Literal["none", "trimap", "mask", "rough-mask"],
    option("--hint", panel=INPUTS, help="The hint that the model is given, made from the known matte as in training."),
]


Names = Annotated[
    Path | None,
    option(
        "--names",
        panel=INPUTS,
        metavar="FILE.csv",
        help="Lines of a picture's name, a comma, and the name of its result, where they differ; several lines for one "
        "picture where tools name its results differently.",
    ),
]
Predictions = Annotated[
    Path | None,
    option("--predictions", panel=INPUTS, metavar="DIR", help="Results of any tool, judged in place of a model."),
]


class Measure(StrEnum):  # Typer takes no list of a Literal
    """Name a measure that needs a network of others."""

    lpips = "lpips"
    fid = "fid"
    clip = "clip"


# fmt: off
@dataclass(frozen=True)
class TruthOptions:
    """Name the truth that results in a folder are judged by. Pictures are matched by their paths, without endings."""

    truth: Annotated[Path | None, option(
        "--truth", panel=INPUTS, metavar="DIR", help="The true results, named as those to judge.")] = None
    trimaps: Annotated[Path | None, option(
        "--trimaps", panel=INPUTS, metavar="DIR",
        help="Matting: also score the unknown band of these trimaps. Removal: also score where these trimaps or masks "
             "show the object. To judge a model, also the hint of --hint.")] = None
    sources: Annotated[Path | None, option(
        "--sources", panel=INPUTS, metavar="DIR",
        help="The pictures that the results were made from; without results a model makes them.")] = None
    names: Names = None


@dataclass(frozen=True)
class FolderOptions(TruthOptions):
    """Name results of any tool, in place of a model's."""

    predictions: Predictions = None


@dataclass(frozen=True)
class ReconstructionOptions:
    """Name pictures with alpha, and what any tool made of them, or nothing for the model's own VAE."""

    truth: Annotated[Path | None, option(
        "--truth", panel=INPUTS, metavar="DIR", help="Pictures with alpha, as they were before.")] = None
    predictions: Annotated[Path | None, option(
        "--predictions", panel=INPUTS, metavar="DIR",
        help="What came back of them, from any tool, judged in place of the model's VAE.")] = None
    names: Names = None


@dataclass(frozen=True)
class GenerationOptions:
    """Name pictures that any tool made from words, in place of a model's; names need not match those of the truth."""

    predictions: Predictions = None
    truth: Annotated[Path | None, option(
        "--truth", panel=INPUTS, metavar="DIR", help="What such pictures look like, as a set.")] = None
    prompts: Annotated[Path | None, option(
        "--prompts", panel=INPUTS, metavar="FILE",
        help="The words, of which a model makes pictures where there are none: a prompt a line, as for `omnialpha "
             "generate --from`, whose results are known by their numbers; or a CSV file with lines of a picture's "
             "name, a comma, and its prompt.")] = None


@dataclass(frozen=True)
class MeasureOptions:
    """Choose measures that need networks of others."""

    require: Annotated[list[Measure] | None, option(
        "--require", panel=MODEL, show_default=False,
        help="Fail, with what is missing, rather than leave out a measure whose network is not installed; may be given "
             "several times.")] = None

    def required(self, command: str, *given: Measure) -> Sequence[Measure]:
        """Return the measures that have to be there, of those that a command gives. Raises UsageError for any other."""
        if unknown := [measure for measure in self.require or () if measure not in given]:
            raise UsageError(f"--require {unknown[0].value}: `omnialpha eval {command}` gives "
                             f"{' and '.join(measure.value for measure in given)}")
        return self.require or ()


@dataclass(frozen=True)
class WordOptions(MeasureOptions):
    """Choose measures that need networks of others, and the network that reads words."""

    clip: Annotated[str, option(
        "--clip", panel=MODEL, metavar="NAME|DIR",
        help="The CLIP model of the CLIP score: a folder, or a name in the cache of the hub.")] = (
        "openai/clip-vit-base-patch32")


@dataclass(frozen=True)
class ModelOptions:
    """Choose which weights are judged, and on how much."""

    limit: Annotated[int | None, option(
        "--limit", panel=INPUTS, min=1, metavar="N", help="Only the first N pictures.")] = None
    model: Annotated[str, option(
        "--model", panel=MODEL, metavar="NAME|DIR", help="The weights: a name, or a folder.")] = "mini"
    canvas: Annotated[int | None, option(
        "--canvas", panel=MODEL, min=64, metavar="PIXELS", help="The model's canvas, as for `omnialpha matte`.")] = None


@dataclass(frozen=True)
class RecordOptions:
    """Choose where the figures go."""

    # A variable of its own: the report of other commands is another format.
    report: Annotated[Path | None, typer.Option(
        "--report", rich_help_panel=OUTPUT, metavar="FILE.html", envvar="OMNIALPHA_EVAL_REPORT",
        help="Write a page with the scores and small pictures of every result, worst first.")] = None
    json: Annotated[bool, option(
        "--json", panel=OUTPUT, help="Print the scores of every picture and their summary as NDJSON.")] = False


@dataclass(frozen=True)
class ShowOptions(RecordOptions):
    """Choose where the figures go, and a sheet to look at."""

    worst: Annotated[Path | None, option(
        "--worst", panel=OUTPUT, metavar="FILE.png", help="Write a PNG of the ten worst.")] = None
# fmt: on
