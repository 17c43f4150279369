"""Plan items from what was typed: which task, which files or prompts, which hints."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path

from ..hints import Hints, find_hints, leave_out_hints, starting_at
from ..inputs import Found, Source, find_inputs, read_list
from ..item import Item
from ..media.formats import FORMATS, SOURCE
from ..picture.settings import Settings
from ..plan import plan, plan_prompts, plan_together
from ..status import NoInputsError, UsageError, rewording
from ..tasks import LAYERS, TASKS, Command, Task, most_layers, of_pictures, with_layers
from ..weights import store
from .options import Bounds, HintOptions, InputOptions, Options
from .streams import PIPED, Pipe, counted, say_if_slow
from .watch import check_watch

LIST_BYTES = 512 * 2**20  # of a list of names or prompts: some millions


@dataclass(frozen=True)
class Order:
    """Hold what is to be made: items of one task in the folder `output`, and remarks for the user.

    `finding` is how they were found; `again` plans it anew, to go on with what comes.
    """

    task: Task
    items: list[Item]
    output: Path
    finding: InputOptions
    remarks: tuple[str, ...] = ()
    pipe: Pipe | None = None
    again: Callable[[], "Order"] | None = None


def choose_task(command: Command, hints: HintOptions) -> tuple[Task, str]:
    """Return the task of a command with at most one hint, and what was given with its option, empty without a hint."""
    values = {field.name.replace("_", "-"): getattr(hints, field.name) for field in fields(hints)}
    given = {name: value for name, value in values.items() if isinstance(value, str)}
    if len(given) > 1:
        names = " and ".join(f"--{name}" for name in given)
        raise UsageError(f"{names} exclude each other; give one")
    for hint, value in given.items():
        if not value.strip():
            raise UsageError(f"--{hint} is empty")
        return TASKS[f"{command}.{hint}"], value
    return TASKS[f"{command}.auto"], ""


def choose_layers(task: Task, layers: str, limit: int, options: Options) -> tuple[Task, bool, tuple[str, ...]]:
    """Return a decomposition with the layers of `--layers`, whether fewer may do, and remarks. Raises UsageError."""
    if layers != "auto":
        if not (layers.isdecimal() and int(layers) in LAYERS):
            raise UsageError(f"--layers {layers}: give a number from {LAYERS[0]} to {LAYERS[-1]}, or auto")
        return with_layers(task, int(layers)), False, ()
    weights = store.find(options.model)
    weights.require()
    most = limit if options.untrained else most_layers(task, weights.tasks, limit)
    if most > len(task.outputs):
        return with_layers(task, most), True, ()
    remark = f"weights {weights.name} know {task.name} with a background and one foreground: --layers auto makes these"
    return task, False, (remark,) if limit > most else ()


def plan_pictures(
    task: Task,
    names: Sequence[str],
    options: Options,
    finding: InputOptions,
    given: str,
    steady: bool = False,
    bounds: Bounds | None = None,
) -> Order:
    """Plan the items for the pictures named. Raises UsageError, or NoInputsError if there is no picture.

    `given` is the text of a task that needs one, or where its hints are.
    """
    if list(names) == [PIPED]:
        pipe = Pipe(options, finding.files_from)
        with rewording(pipe.shown):
            piped = replace(options, output=pipe.output)
            order = plan_pictures(task, [str(pipe.picture)], piped, finding, given, steady, bounds)
        if any(len(item.outputs) > 1 for item in order.items):
            one = ", ".join(name for name, row in FORMATS.items() if row.several == "file")
            raise UsageError(f"- gives one file, and these layers would be several: choose --format {one}")
        return replace(order, pipe=pipe)
    output = options.output or Path(task.command)
    if finding.watch:
        check_watch(names, options, finding, steady)
    log = check_spaces(finding.input_space, options.output_space)
    sources: tuple[Source, ...] = ()
    remarks: tuple[str, ...] = ()
    places: dict[str, str] = {task.hint: given} if len(task.inputs) > 1 else {}
    places |= {name.replace("_", "-"): place for name, place in vars(bounds or Bounds()).items() if place is not None}
    hints: dict[str, Hints] = {}
    try:
        with say_if_slow("looking for pictures", options.quiet or finding.watch):
            found = _find(names, finding, output)
        remarks = found.remarks
        sources, hints = _hints(places, found)
    except NoInputsError:
        if not finding.watch:
            raise
    if steady and not any(source.frame for source in sources):
        raise UsageError("--steady needs a sequence among the inputs, named by a pattern such as shot.####.exr")
    if steady and task.hint_is_data and (starts := starting_at(given, sources)):
        patterns = {source.frame.pattern for source in sources if source.frame and source.path in starts}
        others = {one.path for one in sources if one.frame and one.frame.pattern in patterns} - starts
        hints[task.hint] = {path: hint for path, hint in hints[task.hint].items() if path not in others}
        remarks = *remarks, f"{given} is of one frame; the others go on from there"
    with say_if_slow(f"planning {counted(len(sources), 'picture')}", options.quiet):
        items = plan(
            sources, task, output=output, template=options.name, hints=hints, steady=steady,
            text=given if task.needs_text else None, format=options.format, depth=options.depth, log=log,
        )  # fmt: skip
    again = partial(plan_pictures, task, names, options, finding, given, steady, bounds) if finding.watch else None
    return Order(task, items, output, finding, remarks, again=again)


def check_spaces(input_space: str | None, output_space: str | None) -> bool:
    """Return whether the pictures are in a log space. Raises UsageError for a name that no colour space has."""
    if input_space is None and output_space in (None, SOURCE):
        return False
    from ..media.colour import find_space

    if output_space not in (None, SOURCE):
        find_space(output_space)
    return input_space is not None and find_space(input_space).is_log


def plan_words(task: Task, prompts: Sequence[str], options: Options, finding: InputOptions, count: int) -> Order:
    """Plan the items for the prompts, each with `count` seeds that follow one another. Raises UsageError."""
    check_spaces(None, options.output_space)
    output, seeds = options.output or Path(task.command), range(options.seed, options.seed + count)
    items = plan_prompts(
        prompts, task, output=output, template=options.name, seeds=seeds,
        format=options.format, depth=options.depth,
    )  # fmt: skip
    return Order(task, items, output, finding)


def plan_run(prompt: str, names: Sequence[str], options: Options, finding: InputOptions, layers: int) -> Order:
    """Plan the one item of the model itself, with all pictures named, perhaps none. Raises UsageError."""
    if not names and finding.files_from is None:
        return plan_words(of_pictures(0, layers), [prompt], options, finding, 1)
    output = options.output or Path("run")
    found = _find(names, finding, output)
    task = of_pictures(len(found.sources), layers)
    items = plan_together(
        found.sources, task, output=output, template=options.name, text=prompt, format=options.format,
        depth=options.depth,
    )  # fmt: skip
    return Order(task, items, output, finding, found.remarks)


def check_formats(items: Sequence[Item], settings: Settings) -> None:
    """Raise UsageError where an option is not for the format of any result."""
    rows = [FORMATS[name] for name in sorted({item.format for item in items})]
    if settings.flatten is not None:
        if settings.alpha_only:
            raise UsageError("--alpha-only and --flatten exclude each other; give one")
        if settings.steady:
            raise UsageError("--steady needs the transparency of the frame before; leave --flatten out")
        if any(len(item.task.outputs) > 1 for item in items):
            raise UsageError("--flatten puts one picture on a colour, not layers; use it with another command")
    if settings.trim is not None and settings.steady:
        raise UsageError("--steady needs the whole frame of the one before; leave --trim out")
    for row in rows:
        if settings.alpha_only and not row.grey:
            raise UsageError(f"--alpha-only: --format {row.name} holds no pictures of one channel; give another")
        if settings.steady and not row.readable:
            raise UsageError(f"--steady: results of --format {row.name} cannot be read back; give another")
        layers = {layer for item in items if item.format == row.name for layer in item.task.outputs}
        if not row.transparent and settings.flatten is None and "foreground" in layers:
            others = ", ".join(name for name, other in FORMATS.items() if other.transparent)
            raise UsageError(f"--format {row.name} has no transparency: put results on a colour with --flatten white, "
                             f"or give {others}")  # fmt: skip
    if settings.premultiplied and all(row.alpha == "straight" for row in rows):
        raise UsageError("--premultiplied is for --format tiff; exr always is, and other formats never are")
    for option, is_given in {"--exr-parts": settings.exr_parts, "--keep-layers": settings.keep_layers}.items():
        if is_given and all(row.name != "exr" for row in rows):
            raise UsageError(f"{option} is for --format exr")


def without_effect(order: Order, settings: Settings) -> Iterator[str]:
    """Say which options change nothing in what is planned, and why."""
    task, bounded = order.task, any(item.beside for item in order.items)
    if order.finding.nul and order.finding.files_from is None:
        yield "-0 does nothing without --files-from"
    if settings.negative and (settings.guidance or 0) <= 1:
        yield "--negative-prompt does nothing without guidance: give --guidance above 1"
    if settings.mask_slack is not None and task.hint not in ("mask", "rough-mask"):
        yield "--mask-slack does nothing without --mask or --rough-mask"
    if settings.anyway and not task.needs_text:
        yield "--anyway does nothing without --text"
    if settings.hint_layer is not None and len(task.inputs) < 2 and not bounded:
        yield "--hint-layer does nothing without a hint, such as --mask"
    if settings.trim is not None and not {"foreground", "image"} & set(task.outputs):
        yield f"--trim does nothing: what {task.command} makes is opaque"


def read_option_file(path: Path, option: str) -> bytes:
    """Return the content of a file given with an option; `-` is standard input. Raises UsageError."""
    try:
        if str(path) == "-":
            data = sys.stdin.buffer.read(LIST_BYTES + 1)
        else:
            with path.open("rb") as file:
                data = file.read(LIST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{option} {path}: {reason}") from error
    if len(data) > LIST_BYTES:
        raise UsageError(f"{option} {path}: longer than {LIST_BYTES >> 20} MiB; make several runs of it")
    return data


def _find(names: Sequence[str], finding: InputOptions, output: Path) -> Found:
    if not names and finding.files_from is None:
        raise UsageError("no inputs: give files, globs or folders, or --files-from")
    data = b"" if finding.files_from is None else read_option_file(finding.files_from, "--files-from")
    listed = read_list(data, finding.nul)
    found = find_inputs(
        names, listed, output=output, recursive=finding.recursive, frames=finding.frames, root=finding.root
    )
    if not found.sources:
        hint = "" if finding.recursive or found.remarks else "; --recursive also walks the folders in a folder"
        raise NoInputsError("; ".join(("no pictures found", *found.remarks)) + hint)
    return found


def _hints(places: Mapping[str, str], found: Found) -> tuple[tuple[Source, ...], dict[str, Hints]]:
    """Return the sources that are no hints, and the hints at several places, by their options' names."""
    sources: tuple[Source, ...] = found.sources
    hints: dict[str, Hints] = {}
    for name, place in places.items():
        hints[name] = find_hints(place, f"--{name}", found.sources)
        sources = leave_out_hints(place, sources, hints[name])
        if not sources:
            raise NoInputsError(f"no pictures found but those that serve as hints of --{name} {place}")
    return sources, hints
