"""`omnialpha matte`."""

from typing import Annotated

import typer

from .options import OUTPUT, HintOptions, InputOptions, Inputs, Options, option, takes_options

EXAMPLES = """Examples:

omnialpha matte photos/*.jpg -o mattes

omnialpha matte photos --recursive --trimap trimaps --alpha-only --json > mattes.ndjson"""


@takes_options
def matte(
    options: Options,
    finding: InputOptions,
    hints: HintOptions,
    inputs: Inputs = None,
    alpha_only: Annotated[
        bool, option("--alpha-only", panel=OUTPUT, help="Write the alpha alone, as a greyscale picture.")
    ] = False,
) -> None:
    """Cut the foreground out of photographs: straight RGBA of the same size, with true soft edges.

    Output paths go to standard output, all else to standard error. Run again, it goes on where it stopped.
    """
    from .execute import execute
    from .planning import choose_task, plan_pictures

    task, given = choose_task("matte", hints)
    items, remarks = plan_pictures(task, inputs or [], options, finding, given)
    raise typer.Exit(execute(task, items, options, remarks=remarks, alpha_only=alpha_only))
