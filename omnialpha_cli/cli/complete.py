"""Run `omnialpha complete`."""

from typing import Annotated, Literal

import typer

from ..picture.settings import Settings
from ..status import UsageError
from ..tasks import TASKS
from .options import INPUTS, InputOptions, Inputs, Options, option, takes_options

EXAMPLES = """Examples:

omnialpha complete cutouts/*.png --given foreground --want scene --prompt 'on a beach at dusk'

omnialpha complete room.jpg --given background --want foreground --prompt 'a red balloon' -o balloons"""


@takes_options
def complete(
    options: Options,
    finding: InputOptions,
    prompt: Annotated[str, option("--prompt", panel=INPUTS, metavar="TEXT", help="What the result should show.")],
    given: Annotated[Literal["foreground", "background"], option("--given", panel=INPUTS, help="What the inputs are.")],
    want: Annotated[Literal["scene", "background", "foreground"], option("--want", panel=INPUTS, help="What to make.")],
    inputs: Inputs = None,
) -> None:
    """Make what is missing to a foreground or a background: the other layer, or the whole scene.

    The embedded weights draw sketches, and say what they drew where that is not what was asked.
    """
    from .execute import execute
    from .planning import plan_pictures

    task = TASKS.get(f"complete.{given}-{want}")
    if task is None:
        raise UsageError(f"--given {given} --want {want}: there is nothing to complete")
    if not prompt.strip():
        raise UsageError("--prompt is empty")
    order = plan_pictures(task, inputs or [], options, finding, prompt)
    raise typer.Exit(execute(order, options, Settings.of(options, finding)))
