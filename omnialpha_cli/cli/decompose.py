"""`omnialpha decompose`."""

import typer

from .options import HintOptions, InputOptions, Inputs, Options, takes_options

EXAMPLES = """Examples:

omnialpha decompose photos/*.jpg -o layers

omnialpha decompose portrait.png --text 'the woman in red'"""


@takes_options
def decompose(options: Options, finding: InputOptions, hints: HintOptions, inputs: Inputs = None) -> None:
    """Take photographs apart: a complete background, and the foreground with its soft edges.

    Each becomes a folder with a PNG file a layer and layers.json. The layers, one over the other, are the photograph.
    """
    from .execute import execute
    from .planning import choose_task, plan_pictures

    task, given = choose_task("decompose", hints)
    items, remarks = plan_pictures(task, inputs or [], options, finding, given)
    raise typer.Exit(execute(task, items, options, remarks=remarks))
