"""Run `omnialpha matte`."""

from typing import Annotated

import typer

from ..picture.settings import MatteFinish, Settings
from ..status import UsageError
from ..tasks import with_shadow
from .options import INPUTS, OUTPUT, Bounds, InputOptions, Inputs, MatteHints, Options, option, takes_options

EXAMPLES = """Examples:

omnialpha matte photos/*.jpg -o mattes

omnialpha matte photos --recursive --trimap trimaps --alpha-only --json > mattes.ndjson"""


@takes_options
def matte(
    options: Options,
    finding: InputOptions,
    hints: MatteHints,
    bounds: Bounds,
    finishing: MatteFinish,
    inputs: Inputs = None,
    steady: Annotated[
        bool,
        option(
            "--steady",
            panel=INPUTS,
            help="In a sequence, carry the matte of each frame to the next. A mask named after one frame starts "
            "there, and goes on both ways.",
        ),
    ] = False,
    alpha_only: Annotated[
        bool, option("--alpha-only", panel=OUTPUT, help="Write the alpha alone, as a greyscale picture.")
    ] = False,
    keep_shadow: Annotated[
        bool,
        option(
            "--keep-shadow", panel=OUTPUT,
            help="Keep the object's shadow and reflection, as translucent black under it: in tiff, exr, psd and ora a "
            "layer of its own.",
        ),
    ] = False,
) -> None:  # fmt: skip
    """Cut the foreground out of photographs: straight RGBA of the same size, with true soft edges.

    Output paths go to standard output, all else to standard error. Run again, it goes on where it stopped.
    """
    from .execute import execute
    from .planning import choose_task, plan_pictures

    task, given = choose_task("matte", hints)
    if keep_shadow and (steady or alpha_only):
        other = "--steady" if steady else "--alpha-only"
        raise UsageError(f"{other} is for the object alone; leave --keep-shadow out")
    if keep_shadow and options.flatten is None:
        task = with_shadow(task)
    order = plan_pictures(task, inputs or [], options, finding, given, steady, bounds.places())
    more = {"anyway": hints.anyway, "alpha_only": alpha_only, "steady": steady, "effects": keep_shadow}
    raise typer.Exit(execute(order, options, Settings.of(options, finding, finishing, **more)))
