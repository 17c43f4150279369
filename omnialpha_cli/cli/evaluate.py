"""`omnialpha eval`: how good the weights are, on pictures whose results are known."""

from pathlib import Path
from typing import Annotated

import typer

from .console import say
from .options import MODEL, OUTPUT, option

app = typer.Typer(no_args_is_help=True, help="Measure the weights on pictures whose results are known.")


@app.callback()
def evaluate() -> None:
    """Measure the weights on pictures whose results are known."""


@app.command(
    epilog="Examples:\n\n"
    "omnialpha eval matting photo-mattes.tar --worst worst.png\n\n"
    "omnialpha eval matting photo-mattes.tar --model runs/mini/weights"
)
def matting(
    photos: Annotated[
        Path, typer.Argument(help="Tar of photographs with mattes: its split `val`.", exists=True, dir_okay=False)
    ],
    model: Annotated[str, option("--model", panel=MODEL, metavar="NAME|DIR", help="The weights.")] = "mini",
    canvas: Annotated[
        int | None, option("--canvas", panel=MODEL, min=64, metavar="PIXELS", help="As of `omnialpha matte`.")
    ] = None,
    worst: Annotated[
        Path | None, option("--worst", panel=OUTPUT, metavar="FILE", help="Write a PNG of the ten worst.")
    ] = None,
) -> None:
    """Automatic matting: mean squared error of alpha at full size, against the mattes of a training pack."""
    from ..api import OmniAlpha
    from ..evaluation import matting as judge
    from ..media.write import write_png
    from ..training.packs import read_packs

    loaded = OmniAlpha.load(model)
    scores = []
    for s in judge.score(read_packs(photos).photos_val, lambda rgb: loaded.matte(rgb, canvas=canvas)):
        scores.append(s)
        typer.echo(f"{s.picture.name}\t{s.mse:.5f}")
    figures = judge.summary(scores)
    say(f"mean {figures['mean']:.4f}, median {figures['median']:.4f} of {figures['count']} photographs "
        f"(an empty matte: {figures['all_zero']:.4f})")  # fmt: skip
    if worst:
        write_png(worst, judge.worst(scores, 10), "8")
