"""Run `omnialpha run`."""

from typing import Annotated

import typer

from ..picture.settings import Settings
from ..status import UsageError
from .options import INPUTS, OUTPUT, InputOptions, Inputs, Options, option, parse_size, takes_options

EXAMPLES = """Examples:

omnialpha run scene.png mask.png --prompt 'Remove the masked object.' --model omnialpha

omnialpha run --prompt 'A glass of water on a transparent background.' --layers 2 --model omnialpha"""


@takes_options
def run(
    options: Options,
    finding: InputOptions,
    prompt: Annotated[str, option("--prompt", panel=INPUTS, metavar="TEXT", help="What the model is told.")],
    inputs: Inputs = None,
    negative_prompt: Annotated[
        str, option("--negative-prompt", panel=INPUTS, metavar="TEXT", help="What guidance leads away from.")
    ] = "",
    layers: Annotated[int, option("--layers", panel=OUTPUT, min=1, max=5, help="Pictures to make.")] = 1,
    size: Annotated[
        str | None,
        option("--size", panel=OUTPUT, metavar="WxH", help="Size in pixels; by default that of the first picture."),
    ] = None,
) -> None:
    """Ask the model itself: any pictures, any words, any number of pictures to make, by any weights.

    All INPUTS, none, one or several, are the pictures of one item, in their order, with their transparency. Nothing is
    added to the prompt, and the results are as the model painted them.
    """
    from .execute import execute
    from .planning import plan_run

    if not prompt.strip():
        raise UsageError("--prompt is empty")
    order = plan_run(prompt, inputs or [], options, finding, layers)
    width, height = parse_size(size) or (None, None)
    settings = Settings.of(options, width=width, height=height, negative=negative_prompt)
    raise typer.Exit(execute(order, options, settings))
