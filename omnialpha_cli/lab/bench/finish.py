"""Run `omnialpha bench finish`: time what brings a matte to full size."""

from dataclasses import asdict
from typing import Annotated

import typer

from ...cli.streams import record_line
from ..table import print_table
from .shared import Json, parse_size

EXAMPLES = "Examples:\n\nomnialpha bench finish\n\nomnialpha bench finish --size 1920x1080 --json"


def finish(
    size: Annotated[str, typer.Option("--size", metavar="WxH", help="Size of the picture.")] = "3840x2160",
    canvas: Annotated[
        int, typer.Option("--canvas", min=64, metavar="PIXELS", help="The model's canvas, as for `omnialpha matte`.")
    ] = 256,
    json: Json = False,
) -> None:
    """Bring the matte of synthetic hair from the canvas to full size, every way: its error and its seconds."""
    import torch

    from ..evaluate.full_size import measure

    width, height = parse_size(size)
    trials = measure(height, width, canvas)
    if json:
        for trial in trials:
            typer.echo(record_line("bench.finish", {"width": width, "height": height, **asdict(trial)}), nl=False)
        return
    print_table(
        f"Error of alpha in the unknown band: hair, {width}×{height}, from a canvas of {canvas}² "
        f"({torch.get_num_threads()} threads)",
        ("--refine", "mean absolute", "mean squared", "less than none", "seconds"),
        [
            (t.refine, f"{t.mad:.4f}", f"{t.mse:.5f}", f"{1 - t.mad / trials[0].mad:.0%}", f"{t.seconds:.2f}")
            for t in trials
        ],
    )
