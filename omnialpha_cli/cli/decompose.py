"""Run `omnialpha decompose`."""

from dataclasses import replace
from typing import Annotated

import typer

from ..picture.settings import MatteFinish, Settings
from ..tasks import with_shadow
from .options import OUTPUT, HintOptions, InputOptions, Inputs, Options, option, takes_options

EXAMPLES = """Examples:

omnialpha decompose photos/*.jpg -o layers

omnialpha decompose portrait.png --text 'the woman in red' --format psd --depth 8"""


@takes_options
def decompose(
    options: Options,
    finding: InputOptions,
    hints: HintOptions,
    finishing: MatteFinish,
    inputs: Inputs = None,
    layers: Annotated[
        str,
        option(
            "--layers",
            panel=OUTPUT,
            metavar="N|auto",
            help="Layers, 2 to 9, one of them the background; auto makes as many as a picture needs, where the weights "
            "know several.",
        ),
    ] = "2",
    max_layers: Annotated[
        int, option("--max-layers", panel=OUTPUT, min=2, max=9, help="The most that --layers auto makes.")
    ] = 5,
    effects: Annotated[
        bool, option("--effects", panel=OUTPUT, help="Also make a layer of the object's shadow and reflection.")
    ] = False,
) -> None:
    """Take photographs apart: a complete background, and the foreground with its soft edges.

    Each becomes a folder with a PNG file a layer and layers.json, or, with another --format, one file with all layers.
    The layers, one over the other, are the photograph.
    """
    from .execute import execute
    from .planning import choose_layers, choose_task, plan_pictures

    task, given = choose_task("decompose", hints)
    task, auto, remarks = choose_layers(task, layers, max_layers, options)
    order = plan_pictures(with_shadow(task) if effects else task, inputs or [], options, finding, given)
    more = {"anyway": hints.anyway, "auto_layers": auto, "effects": effects}
    settings = Settings.of(options, finding, finishing, **more)
    raise typer.Exit(execute(replace(order, remarks=(*order.remarks, *remarks)), options, settings))
