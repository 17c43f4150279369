"""Run `omnialpha remove`."""

import typer

from ..picture.settings import RemovalFinish, Settings
from .options import HintOptions, InputOptions, Inputs, Options, takes_options

EXAMPLES = """Examples:

omnialpha remove photos --mask masks --grow 3 -o clean

omnialpha remove 'shots/*.png' --text car --effects --dry-run"""


@takes_options
def remove(
    options: Options, finding: InputOptions, hints: HintOptions, finishing: RemovalFinish, inputs: Inputs = None
) -> None:
    """Take the object out of photographs: the background alone, complete, of the same size.

    White in a mask is what goes; outside of it the pixels are the photograph's own. Without a mask the object is what
    --text names, or the one that stands out.
    """
    from .execute import execute
    from .planning import choose_task, plan_pictures

    task, given = choose_task("remove", hints)
    order = plan_pictures(task, inputs or [], options, finding, given)
    raise typer.Exit(execute(order, options, Settings.of(options, finding, finishing, anyway=hints.anyway)))
