"""Run `omnialpha generate`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from ..picture.settings import Settings
from ..status import NoInputsError, UsageError
from ..tasks import TASKS
from .options import INPUTS, OUTPUT, Options, Prompts, option, parse_size, takes_options

EXAMPLES = """Examples:

omnialpha generate 'a glass of water' 'a feather' --count 4 -o cutouts

omnialpha generate --from prompts.txt --scene --size 768x512"""


@takes_options
def generate(
    options: Options,
    prompts: Prompts = None,
    source: Annotated[
        Path | None,
        option(
            "--from",
            panel=INPUTS,
            metavar="FILE",
            allow_dash=True,
            help="Read more prompts from FILE, one a line; - is standard input.",
        ),
    ] = None,
    scene: Annotated[
        bool, option("--scene", panel=INPUTS, help="Make whole scenes; by default objects without a background.")
    ] = False,
    count: Annotated[
        int, option("--count", panel=INPUTS, min=1, metavar="N", help="Results of each prompt, with N seeds in a row.")
    ] = 1,
    size: Annotated[
        str | None,
        option("--size", panel=OUTPUT, metavar="WxH", help="Size in pixels; by default the square of --canvas."),
    ] = None,
) -> None:
    """Make pictures from words: objects with true transparency, or whole scenes.

    The embedded weights draw sketches, and say what they drew where that is not what was asked.

    Results are named {index:04}_{seed}.png, by the number of the prompt, from 0, and the seed.
    """
    from .execute import execute
    from .planning import plan_words

    task = TASKS["generate.scene" if scene else "generate.foreground"]
    order = replace(plan_words(task, _prompts(prompts or [], source), options, count), names_from=source)
    width, height = parse_size(size) or (None, None)
    raise typer.Exit(execute(order, options, Settings.of(options, width=width, height=height)))


def _prompts(given: list[str], source: Path | None) -> list[str]:
    from .planning import read_option_file

    if not given and source is None:
        raise UsageError("no prompts: give some, or --from")
    if any(not prompt.strip() for prompt in given):
        raise UsageError("a prompt is empty")
    data = b"" if source is None else read_option_file(source, "--from")
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UsageError(f"--from {source} is not UTF-8 text (byte {error.start})") from error
    prompts = [*given, *(line.strip() for line in lines if line.strip())]
    if not prompts:
        raise NoInputsError(f"no prompt in {source}")
    return prompts
