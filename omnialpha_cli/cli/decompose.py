"""`omnialpha decompose`."""

from typing import Annotated

import typer

from ..picture.settings import MatteFinish, Settings
from ..tasks import with_layers
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
        int, option("--layers", panel=OUTPUT, min=2, max=9, help="Layers, the background being one of them.")
    ] = 2,
) -> None:
    """Take photographs apart: a complete background, and the foreground with its soft edges.

    Each becomes a folder with a PNG file a layer and layers.json, or, with another --format, one file with all layers.
    The layers, one over the other, are the photograph.
    """
    from .execute import execute
    from .planning import choose_task, plan_pictures

    task, given = choose_task("decompose", hints)
    order = plan_pictures(with_layers(task, layers), inputs or [], options, finding, given)
    raise typer.Exit(execute(order, options, Settings.of(options, finding, finishing, anyway=hints.anyway)))
