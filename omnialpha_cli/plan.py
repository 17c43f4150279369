"""Plan where each result comes out: sources (or prompts) and a task become a list of items. No pixels, no torch.

`photos` with `photos/a/x.jpg` in it becomes `<output>/a/x.png`, or, where a task has several layers, the folder
`<output>/a/x` with a file a layer. What the format is called, and whether it takes all layers in one file, is in
`media.formats`.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from .hints import Hints
from .inputs import Source
from .item import STEADY_TASK, Item
from .media.formats import DEPTHS, FORMATS, MANIFEST, Depth, Format, choose_format
from .media.sequence import Frame, find_frames
from .media.signatures import check_file, depth_of, is_log
from .names import check_template, checked, fields_of
from .status import ItemError, UsageError
from .tasks import Task

NAME_FIELDS = ("stem", "name", "ext", "parent", "frame", "index")
PROMPT_FIELDS = ("index", "seed")
METERED = 3  # frames, of which the first may be damaged


def plan(
    sources: Sequence[Source],
    task: Task,
    *,
    output: Path,
    template: str | None = None,
    hints: Mapping[str, Hints] | None = None,
    text: str | None = None,
    steady: bool = False,
    format: str | None = None,
    depth: Depth | None = None,
    log: bool = False,
) -> list[Item]:
    """Give every source its output paths.

    `template` names a result, by default `{stem}` and, for frames of a sequence, `{stem}_{command}.{frame}`.
    `hints` by option are the second inputs of tasks that have one, called by the task's hint, and further mattes.
    With `steady` every frame of a sequence is given the result of the one before; where only one of them has a
    hint, they go on from there in both directions. `log` tells that all sources are in a log space, whatever their
    headers say. Without a `format` the depth chooses: the source's, or `depth`, which stands for it.

    Raises UsageError on a clash, on a path that leaves the output folder, or on a format that cannot hold the
    depth.
    """
    template = template or None  # an empty one asks for nothing
    if template is not None:
        check_template(template, NAME_FIELDS, "--name")
    items = []
    meters: dict[str, tuple[Path, ...]] = {}  # sequence → its first frames
    hints = hints or {}
    beside = tuple(name for name in hints if name != task.hint)
    folders: dict[tuple[str, Path], Path] = {}  # an input's folder and root → the result's
    for index, source in enumerate(sources):
        row, error = _look(source.path, format, depth, log)
        inputs: tuple[Path, ...] = (source.path,)
        for given in (found.get(source.path) for found in hints.values()):
            if isinstance(given, Path):
                inputs = *inputs, given
                error = error or _unusable(given)
            error = error or given if isinstance(given, ItemError) else error
        if template is None and source.frame is None:
            name = source.path.stem
        else:
            name = _fill(template or f"{{stem}}_{task.command}.{{frame}}", {**source.fields, "index": index})
        if template is not None and source.frame and "frame" not in fields_of(template):
            name += f".{source.frame.number}"  # it stays last
        if source.frame:
            name += source.frame.suffix  # and what follows it stays behind it
        place = source.spelled_out.rpartition(os.sep)[0], source.root
        if place not in folders:
            folders[place] = output / source.place
        is_merged = task.command == "matte" and row.several == "folder"  # its shadow and the object are one picture
        own = replace(task, shadow=False) if task.shadow and is_merged else task
        outputs, manifest = _files(folders[place], name, own, row)
        meter = _meter(source.frame, meters) if source.frame else ()
        items.append(Item(own, inputs, outputs, error, text, None, manifest, None, row.name, meter, beside))
    if steady:
        patterns = [source.frame.pattern if source.frame else "" for source in sources]
        items = [item for chain in _sequences(items, patterns) for item in chain]
    return checked(items, output, template)


def _sequences(items: Sequence[Item], patterns: Sequence[str]) -> Iterator[list[Item]]:
    """Yield items together whose frames, of one pattern, build on one another, each after the one that it builds on."""
    frames: dict[str, list[Item]] = {}
    for item, pattern in zip(items, patterns, strict=True):
        if pattern:
            frames.setdefault(pattern, []).append(item)
        else:
            yield [item]
    for chain in frames.values():
        start = next((i for i, item in enumerate(chain) if not item.lacks_mask), 0)
        yield [*_built_on(chain[start:]), *_built_on(chain[start::-1])[1:]]


def _built_on(frames: Sequence[Item]) -> list[Item]:
    """Return frames, each with the last one before it that can be used; none can without the mask that it starts by."""
    first = last = frames[0]
    built = [first]
    for frame in frames[1:]:
        if frame.lacks_mask:
            lost = ItemError("hint", f"{frame.label}: the frame that it starts by cannot be used: {first.error}")
            error = frame.error or (lost if first.error else None)
            frame = replace(frame, task=STEADY_TASK, start=(first.outputs[0], first.label), error=error)
        built.append(frame if last.error else replace(frame, previous=last.outputs[0], before=last.label))
        if not frame.error:
            last = frame
    return built


def plan_together(
    sources: Sequence[Source],
    task: Task,
    *,
    output: Path,
    template: str | None = None,
    text: str | None = None,
    format: str | None = None,
    depth: Depth | None = None,
) -> list[Item]:
    """Plan one item of all sources, at least one, named after the first. Raises as `plan` does."""
    (item,) = plan(sources[:1], task, output=output, template=template, text=text, format=format, depth=depth)
    inputs = tuple(source.path for source in sources)
    error = item.error or next(filter(None, map(_unusable, inputs[1:])), None)
    return checked([replace(item, inputs=inputs, error=error)], output, template)


def plan_prompts(
    prompts: Sequence[str],
    task: Task,
    *,
    output: Path,
    template: str | None = None,
    seeds: Sequence[int] = (0,),
    format: str | None = None,
    depth: Depth | None = None,
) -> list[Item]:
    """Plan an item for every prompt and seed, named by `template`, or `{index:04}_{seed}`; errors as of `plan`."""
    template = "{index:04}_{seed}" if template is None else template
    check_template(template, PROMPT_FIELDS, "--name")
    row = choose_format(format, "8", depth)
    items = []
    for index, prompt in enumerate(prompts):
        for seed in seeds:
            outputs, manifest = _files(output, _fill(template, {"index": index, "seed": seed}), task, row)
            items.append(Item(task, (), outputs, None, prompt, seed, manifest, format=row.name))
    return checked(items, output, template)


def _meter(frame: Frame, known: dict[str, tuple[Path, ...]]) -> tuple[Path, ...]:
    """Return the first frames on disk of a frame's sequence, whichever of them are asked for."""
    if frame.pattern not in known:
        known[frame.pattern] = tuple(first.path for first in find_frames(frame.pattern)[0][:METERED])
    return known[frame.pattern]


def _fill(template: str, fields: Mapping[str, str | int]) -> str:
    try:
        return template.format(**fields)
    except ValueError as error:
        raise UsageError(f"--name {template}: {error}") from error


def _look(path: Path, name: str | None, wanted: Depth | None, log: bool) -> tuple[Format, ItemError | None]:
    """Return the format of a source's result, and what is wrong with the source's file, if anything is.

    Its header is read only where its depth decides. A log of a scene's light is linearised in EXR, because nothing else
    holds all of it.
    """
    source: Depth = "8"  # also of a file without a depth, which fails when it is read
    fault = None
    try:
        if name is None and wanted is None and (log or is_log(path)):
            check_file(path)
            return FORMATS["exr"], None
        if wanted is None and (name is None or len(FORMATS[name].depths) < len(DEPTHS)):
            source = depth_of(path) or source
        else:
            check_file(path)
    except ItemError as error:
        fault = error
    try:
        return choose_format(name, source, wanted), fault
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _files(folder: Path, name: str, task: Task, row: Format) -> tuple[tuple[Path, ...], Path | None]:
    """Return output files and manifest of a result called `name`: one file, or a folder with a file a layer."""
    layers, suffix = task.layers, row.suffix
    if len(layers) == 1 or row.several == "file":
        return (folder / (name if name.lower().endswith(suffix) else name + suffix),), None
    folder = folder / name
    return tuple(folder / f"{i:02}_{layer}{suffix}" for i, layer in enumerate(layers)), folder / MANIFEST


def _unusable(path: Path) -> ItemError | None:
    try:
        check_file(path)
    except ItemError as error:
        return error
    return None
