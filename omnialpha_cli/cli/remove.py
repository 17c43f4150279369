"""`omnialpha remove`."""

import typer

from .options import HintOptions, InputOptions, Inputs, Options, takes_options

EXAMPLES = """Examples:

omnialpha remove photos --mask masks -o clean

omnialpha remove 'shots/*.png' --rough-mask 'masks/{stem}.png' --dry-run"""


@takes_options
def remove(options: Options, finding: InputOptions, hints: HintOptions, inputs: Inputs = None) -> None:
    """Take the object out of photographs: the background alone, complete, of the same size.

    White in a mask is what goes; outside of it the pixels are the photograph's own.
    """
    from .execute import execute
    from .planning import choose_task, plan_pictures

    task, given = choose_task("remove", hints)
    items, remarks = plan_pictures(task, inputs or [], options, finding, given)
    raise typer.Exit(execute(task, items, options, remarks=remarks, max_pixels=finding.max_pixels))
