"""Run the commands that make pictures: `matte`, `remove`, `decompose`, `generate`, `complete` and `run`.

Each says which task it is, with which settings; `planning` finds what is to be made, `execute` has it made.
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn

import typer

from ..picture.settings import MatteFinish, RemovalFinish, Settings
from ..status import NoInputsError, UsageError
from ..tasks import TASKS, with_shadow
from .options import (
    INPUTS,
    OUTPUT,
    Bounds,
    HintOptions,
    InputOptions,
    Inputs,
    MatteHints,
    Options,
    option,
    takes_options,
)

if TYPE_CHECKING:
    from .planning import Order

EXAMPLES = {
    "matte": (
        "omnialpha matte photos/*.jpg -o mattes",
        "omnialpha matte photos --recursive --trimap trimaps --alpha-only --json > mattes.ndjson",
    ),
    "remove": (
        "omnialpha remove photos --mask masks --grow 3 -o clean",
        "omnialpha remove 'shots/*.png' --text car --effects --dry-run",
    ),
    "decompose": (
        "omnialpha decompose photos/*.jpg -o layers",
        "omnialpha decompose portrait.png --text 'the woman in red' --format psd --depth 8",
    ),
    "generate": (
        "omnialpha generate 'a glass of water' 'a feather' --count 4 -o cutouts",
        "omnialpha generate --from prompts.txt --scene --size 768x512",
    ),
    "complete": (
        "omnialpha complete cutouts/*.png --given foreground --want scene --prompt 'on a beach at dusk'",
        "omnialpha complete room.jpg --given background --want foreground --prompt 'a red balloon' -o balloons",
    ),
    "run": (
        "omnialpha run scene.png mask.png --prompt 'Remove the masked object.' --model omnialpha",
        "omnialpha run --prompt 'A glass of water on a transparent background.' --layers 2 --model omnialpha",
    ),
}


# Parameters are tables of options: one a row where it fits.
# fmt: off
@takes_options
def matte(
    options: Options,
    finding: InputOptions,
    hints: MatteHints,
    bounds: Bounds,
    finishing: MatteFinish,
    inputs: Inputs = None,
    steady: Annotated[bool, option(
        "--steady", panel=INPUTS,
        help="In a sequence, carry the matte of each frame to the next. A mask named after one frame starts there, and "
             "goes on both ways.")] = False,
    alpha_only: Annotated[bool, option(
        "--alpha-only", panel=OUTPUT, help="Write the alpha alone, as a greyscale picture.")] = False,
    keep_shadow: Annotated[bool, option(
        "--keep-shadow", panel=OUTPUT,
        help="Keep the object's shadow and reflection, as translucent black under it: in tiff, exr, psd and ora a "
             "layer of its own.")] = False,
) -> None:
    """Cut the foreground out of photographs: straight RGBA of the same size, with true soft edges.

    Output paths go to standard output, all else to standard error. Run again, it goes on where it stopped.
    """
    from .planning import choose_task, plan_pictures

    task, given = choose_task("matte", hints)
    if keep_shadow and (steady or alpha_only):
        other = "--steady" if steady else "--alpha-only"
        raise UsageError(f"{other} is for the object alone; leave --keep-shadow out")
    if keep_shadow and options.flatten is None:
        task = with_shadow(task)
    order = plan_pictures(task, inputs or [], options, finding, given, steady, bounds)
    more = {"anyway": hints.anyway, "alpha_only": alpha_only, "steady": steady, "effects": keep_shadow}
    _make(order, options, Settings.of(options, finding, finishing, **more))


@takes_options
def remove(
    options: Options, finding: InputOptions, hints: HintOptions, finishing: RemovalFinish, inputs: Inputs = None
) -> None:
    """Take the object out of photographs: the background alone, complete, of the same size.

    White in a mask is what goes; outside of it the pixels are the photograph's own. Without a mask the object is what
    --text names, or the one that stands out.
    """
    from .planning import choose_task, plan_pictures

    task, given = choose_task("remove", hints)
    order = plan_pictures(task, inputs or [], options, finding, given)
    _make(order, options, Settings.of(options, finding, finishing, anyway=hints.anyway))


@takes_options
def decompose(
    options: Options,
    finding: InputOptions,
    hints: HintOptions,
    finishing: MatteFinish,
    inputs: Inputs = None,
    layers: Annotated[str, option(
        "--layers", panel=OUTPUT, metavar="N|auto",
        help="Layers, 2 to 9, one of them the background; auto makes as many as a picture needs, where the weights "
             "know several.")] = "2",
    max_layers: Annotated[int, option(
        "--max-layers", panel=OUTPUT, min=2, max=9, help="The most that --layers auto makes.")] = 5,
    effects: Annotated[bool, option(
        "--effects", panel=OUTPUT, help="Also make a layer of the object's shadow and reflection.")] = False,
) -> None:
    """Take photographs apart: a complete background, and the foreground with its soft edges.

    Each becomes a folder with a PNG file a layer and layers.json, or, with another --format, one file with all layers.
    The layers, one over the other, are the photograph.
    """
    from .planning import choose_layers, choose_task, plan_pictures

    task, given = choose_task("decompose", hints)
    task, auto, remarks = choose_layers(task, layers, max_layers, options)
    order = plan_pictures(with_shadow(task) if effects else task, inputs or [], options, finding, given)
    settings = Settings.of(options, finding, finishing, anyway=hints.anyway, auto_layers=auto, effects=effects)
    _make(replace(order, remarks=(*order.remarks, *remarks)), options, settings)


@takes_options
def generate(
    options: Options,
    prompts: Annotated[list[str] | None, typer.Argument(
        metavar="PROMPTS", help="What to make, each in quotes.", show_default=False)] = None,
    source: Annotated[Path | None, option(
        "--from", panel=INPUTS, metavar="FILE", allow_dash=True,
        help="Read more prompts from FILE, one a line; - is standard input.")] = None,
    scene: Annotated[bool, option(
        "--scene", panel=INPUTS, help="Make whole scenes; by default objects without a background.")] = False,
    count: Annotated[int, option(
        "--count", panel=INPUTS, min=1, metavar="N", help="Results of each prompt, with N seeds in a row.")] = 1,
    size: Annotated[str | None, option(
        "--size", panel=OUTPUT, metavar="WxH", help="Size in pixels; by default the square of --canvas.")] = None,
) -> None:
    """Make pictures from words: objects with true transparency, or whole scenes.

    The embedded weights draw sketches, and say what they drew where that is not what was asked.

    Results are named {index:04}_{seed}.png, by the number of the prompt, from 0, and the seed.
    """
    from .planning import plan_words

    task = TASKS["generate.scene" if scene else "generate.foreground"]
    order = plan_words(task, _prompts(prompts or [], source), options, InputOptions(files_from=source), count)
    _make(order, options, Settings.of(options, **_size(size)))


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
    from .planning import plan_pictures

    task = TASKS.get(f"complete.{given}-{want}")
    if task is None:
        raise UsageError(f"--given {given} --want {want}: there is nothing to complete")
    if not prompt.strip():
        raise UsageError("--prompt is empty")
    _make(plan_pictures(task, inputs or [], options, finding, prompt), options, Settings.of(options, finding))


@takes_options
def run(
    options: Options,
    finding: InputOptions,
    prompt: Annotated[str, option("--prompt", panel=INPUTS, metavar="TEXT", help="What the model is told.")],
    inputs: Inputs = None,
    negative_prompt: Annotated[str, option(
        "--negative-prompt", panel=INPUTS, metavar="TEXT", help="What guidance leads away from.")] = "",
    layers: Annotated[int, option("--layers", panel=OUTPUT, min=1, max=5, help="Pictures to make.")] = 1,
    size: Annotated[str | None, option(
        "--size", panel=OUTPUT, metavar="WxH", help="Size in pixels; by default that of the first picture.")] = None,
) -> None:
    """Ask the model itself: any pictures, any words, any number of pictures to make, by any weights.

    All INPUTS, none, one or several, are the pictures of one item, in their order, with their transparency. Nothing is
    added to the prompt, and the results are as the model painted them.
    """
    from .planning import plan_run

    if not prompt.strip():
        raise UsageError("--prompt is empty")
    order = plan_run(prompt, inputs or [], options, finding, layers)
    _make(order, options, Settings.of(options, negative=negative_prompt, **_size(size)))
# fmt: on


def _make(order: "Order", options: Options, settings: Settings) -> NoReturn:
    from .execute import execute

    raise typer.Exit(execute(order, options, settings))


def _size(text: str | None) -> dict[str, int]:
    """Return the settings that `--size` says, none without it. Raises UsageError."""
    if text is None:
        return {}
    width, x, height = text.lower().partition("x")
    if not (x and width.isdecimal() and height.isdecimal() and int(width) >= 16 and int(height) >= 16):
        raise UsageError(f"--size {text}: give WxH in pixels, from 16, for example 768x512")
    return {"width": int(width), "height": int(height)}


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
