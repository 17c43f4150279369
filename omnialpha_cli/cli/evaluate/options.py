"""The options that the commands of `omnialpha eval` share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..options import INPUTS, MODEL, OUTPUT, option

Photos = Annotated[
    Path,
    typer.Argument(
        metavar="PHOTOS.tar",
        help="Photographs with mattes; its split `val` is used, which training leaves out.",
        exists=True,
        dir_okay=False,
    ),
]
HintKind = Annotated[
    Literal["none", "trimap", "mask", "rough-mask"],
    option("--hint", panel=INPUTS, help="What the model is told, made from the known matte as in training."),
]


# fmt: off
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
class ShowOptions:
    """Where the figures go."""

    worst: Annotated[Path | None, option(
        "--worst", panel=OUTPUT, metavar="FILE.png", help="Write a PNG of the ten worst.")] = None
    json: Annotated[bool, option(
        "--json", panel=OUTPUT, help="Print the scores of every picture and their summary as NDJSON.")] = False
# fmt: on
