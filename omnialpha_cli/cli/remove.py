"""`omnialpha remove`."""

from typing import Annotated

import typer

from .options import OUTPUT, HintOptions, InputOptions, Inputs, Options, option, takes_options

EXAMPLES = """Examples:

omnialpha remove photos --mask masks --grow 3 -o clean

omnialpha remove 'shots/*.png' --text car --effects --dry-run"""


@takes_options
def remove(
    options: Options,
    finding: InputOptions,
    hints: HintOptions,
    inputs: Inputs = None,
    effects: Annotated[
        bool,
        option(
            "--effects", panel=OUTPUT,
            help="Take out the object's shadows and reflections, too, outside of the mask.",
        ),
    ] = False,
    grow: Annotated[
        int,
        option(
            "--grow", panel=OUTPUT, min=0, metavar="PIXELS",
            help="Reach so many pixels beyond the object: a mask that is cut sharply leaves its soft rim behind.",
        ),
    ] = 0,
) -> None:  # fmt: skip
    """Take the object out of photographs: the background alone, complete, of the same size.

    White in a mask is what goes; outside of it the pixels are the photograph's own. Without a mask the object is what
    --text names, or the one that stands out.
    """
    from .execute import execute
    from .planning import choose_task, plan_pictures

    task, given = choose_task("remove", hints)
    items, remarks = plan_pictures(task, inputs or [], options, finding, given)
    status = execute(task, items, options, remarks=remarks, effects=effects, grow=grow, max_pixels=finding.max_pixels)
    raise typer.Exit(status)
