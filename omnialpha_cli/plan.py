"""Plan where each result comes out: sources (or prompts) and a task become a list of items. No pixels, no torch.

`photos` with `photos/a/x.jpg` in it becomes `<output>/a/x.png`, or, where a task has several layers, the folder
`<output>/a/x` with a file a layer. What the format is called, and whether it takes all layers in one file, is in
`media.formats`.
"""

import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .files import TEMPORARY, Resolver, exists, is_folder, real, spelled_out
from .inputs import STATE_FOLDER, Source, absolute
from .media.depth import depth_of, is_log
from .media.formats import DEPTHS, FORMATS, Depth, Format, choose_format
from .media.sequence import Frame, find_frames
from .media.signatures import check_file
from .status import ItemError, UsageError
from .tasks import TASKS, Task, with_layers
from .template import check_template, fields_of

NAME_FIELDS = ("stem", "name", "ext", "parent", "frame", "index")
PROMPT_FIELDS = ("index", "seed")
MANIFEST = "layers.json"
METERED = 3  # frames, of which the first may be damaged
STEADY_TASK = TASKS["matte.rough-mask"]


@dataclass(frozen=True)
class Item:
    """Describe one unit of work: `inputs` in the order of the task's, `outputs` bottom layer first.

    `error` is set where planning already knows that the item cannot be done. `text` is the user's words, `seed` stands
    for the run's own seed if it is not None. `manifest` is a file that describes several layers. `previous` is the
    result of the frame before, whose alpha is to serve as a rough mask. `format` names a row of `media.formats`; where
    it takes several layers in one file, there is one output. `meter` are files, the first of which that can be read
    decides about the exposure of a whole sequence.
    """

    task: Task
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    error: ItemError | None = None
    text: str | None = None
    seed: int | None = None
    manifest: Path | None = None
    previous: Path | None = None
    format: str = "png"
    meter: tuple[Path, ...] = ()

    def as_it_stands(self) -> "Item":
        """Return the item as it can be done now: with the frame before as its rough mask if that frame was made."""
        if self.previous is None or not exists(self.previous):
            return self
        return replace(self, task=STEADY_TASK, inputs=(*self.inputs, self.previous), previous=None)

    def with_layers(self, count: int) -> "Item":
        """Return the item with the lowest `count` of its layers, as where fewer were needed than were planned."""
        outputs = self.outputs if len(self.outputs) == 1 else self.outputs[:count]
        return replace(self, task=with_layers(self.task, count), outputs=outputs)

    @property
    def files(self) -> tuple[Path, ...]:
        """Return all files that it makes."""
        return self.outputs if self.manifest is None else (*self.outputs, self.manifest)

    @property
    def label(self) -> Path:
        """Return what it is called in messages: its first input; without inputs its first output."""
        return (self.inputs or self.outputs)[0]


def plan(
    sources: Iterable[Source],
    task: Task,
    *,
    output: Path,
    template: str | None = None,
    hints: Mapping[Path, Path | ItemError] | None = None,
    text: str | None = None,
    steady: bool = False,
    format: str | None = None,
    depth: Depth | None = None,
    log: bool = False,
) -> list[Item]:
    """Give every source its output paths; raise UsageError on a clash, on a path that leaves the output folder, or on a
    `format` that cannot hold the source's depth, or the `depth` that stands for it. Without a format the depth chooses.

    `template` names a result, by default `{stem}` and, for frames of a sequence, `{stem}_{command}.{frame}`. `hints` by
    the source's path are the second inputs of tasks that have one. With `steady` every frame of a sequence is given the
    result of the one before. `log` tells that all sources are in a log space, whatever their headers say.
    """
    _check_output(output)
    if template is not None:
        check_template(template, NAME_FIELDS, "--name")
    items = []
    before: dict[str, Path] = {}  # sequence → the result of its last frame so far
    meters: dict[str, tuple[Path, ...]] = {}  # sequence → its first frames
    folders: dict[tuple[str, Path], Path] = {}  # an input's folder and root → the result's
    for index, source in enumerate(sources):
        hint = hints[source.path] if hints is not None else None
        inputs = (source.path, hint) if isinstance(hint, Path) else (source.path,)
        error = next(filter(None, map(_unusable, inputs)), None) or (hint if isinstance(hint, ItemError) else None)
        if template is None and source.frame is None:
            name = source.path.stem
        else:
            name = _fill(template or _default_template(source, task), {**source.fields, "index": index})
        if template is not None and source.frame and "frame" not in fields_of(template):
            name += f".{source.frame.number}"  # it stays last
        if source.frame:
            name += source.frame.suffix  # and what follows it stays behind it
        row = _format(source.path, format, depth, error, log)
        place = os.path.dirname(source.spelled_out), source.root  # noqa: PTH120
        if place not in folders:
            folders[place] = output / source.place
        own = replace(task, shadow=False) if task.shadow and is_merged(task, row) else task
        outputs, manifest = _files(folders[place], name, own, row)
        sequence = source.frame.pattern if steady and source.frame else ""
        previous = before.get(sequence)
        meter = _meter(source.frame, meters) if source.frame else ()
        items.append(Item(own, inputs, outputs, error, text, None, manifest, previous, row.name, meter))
        if sequence and not error:
            before[sequence] = outputs[0]
    return _checked(items, output, template)


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
    """Plan one item whose inputs are all sources, at least one, in order; it is named after the first. Errors as of
    `plan`.
    """
    (item,) = plan(sources[:1], task, output=output, template=template, text=text, format=format, depth=depth)
    inputs = tuple(source.path for source in sources)
    error = next(filter(None, map(_unusable, inputs)), None)
    return _checked([replace(item, inputs=inputs, error=error)], output, template)


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
    _check_output(output)
    template = "{index:04}_{seed}" if template is None else template
    check_template(template, PROMPT_FIELDS, "--name")
    row = choose_format(format, "8", depth)
    items = []
    for index, prompt in enumerate(prompts):
        for seed in seeds:
            outputs, manifest = _files(output, _fill(template, {"index": index, "seed": seed}), task, row)
            items.append(Item(task, (), outputs, None, prompt, seed, manifest, format=row.name))
    return _checked(items, output, template)


def is_merged(task: Task, row: Format) -> bool:
    """Tell whether a matte's shadow and the object are one picture: where a format has no layers."""
    return task.command == "matte" and row.several == "folder"


def _meter(frame: Frame, known: dict[str, tuple[Path, ...]]) -> tuple[Path, ...]:
    """Return the first frames on disk of a frame's sequence, whichever of them are asked for."""
    if frame.pattern not in known:
        known[frame.pattern] = tuple(first.path for first in find_frames(frame.pattern)[0][:METERED])
    return known[frame.pattern]


def _default_template(source: Source, task: Task) -> str:
    return f"{{stem}}_{task.command}.{{frame}}" if source.frame else "{stem}"


def _fill(template: str, fields: Mapping[str, str | int]) -> str:
    try:
        return template.format(**fields)
    except ValueError as error:
        raise UsageError(f"--name {template}: {error}") from error


def _format(path: Path, name: str | None, wanted: Depth | None, error: ItemError | None, log: bool) -> Format:
    """Return the format of a source's result. Its header is read only where its depth decides.

    A log of a scene's light is linearised in EXR, because nothing else holds all of it.
    """
    if name is None and wanted is None and (log or (error is None and is_log(path))):
        return FORMATS["exr"]
    decides = error is None and wanted is None and (name is None or len(FORMATS[name].depths) < len(DEPTHS))
    source = (depth_of(path) if decides else None) or "8"  # a file without a depth fails when it is read
    try:
        return choose_format(name, source, wanted)
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


def _check_output(output: Path) -> None:
    if exists(output) and not is_folder(output):
        raise UsageError(f"the output {output} is a file; give a folder with -o")


def _checked(items: list[Item], output: Path, template: str | None) -> list[Item]:
    inside = _Inside(output)
    for item in items:
        inside.check(item.outputs[0], template)
    _refuse_clashes(items)
    return items


class _Inside:
    """Refuses output paths that leave the output folder, by `..`, by an absolute name, or through a link, and names of
    the tool's own.
    """

    def __init__(self, output: Path):
        self.lexical, self.real = absolute(output), Path(real(output))
        self.known: set[str] = set()  # parents already found to be inside

    def check(self, path: Path, template: str | None) -> None:
        if path.name.startswith(TEMPORARY):
            raise UsageError(f"{path}: names that begin with {TEMPORARY} are for temporary files; choose another name")
        folder = os.path.dirname(spelled_out(path))  # noqa: PTH120
        if folder in self.known:
            return
        parent = Path(folder)
        if STATE_FOLDER in parent.relative_to(self.lexical).parts if parent.is_relative_to(self.lexical) else ():
            raise UsageError(f"{path}: folders called {STATE_FOLDER} are for journals; choose another name")
        for place, inside in ((parent, self.lexical), (Path(real(parent)), self.real)):
            if not place.is_relative_to(inside):
                because = "" if template is None else f"--name {template}: "
                raise UsageError(f"{because}{path} lies outside the output folder {self.lexical}")
        self.known.add(folder)


def _refuse_clashes(items: Sequence[Item]) -> None:
    """Refuse two results of one name, on file systems that ignore case too, and a result of an input's name."""
    places = Resolver()
    inputs = {places.real(path): path for item in items for path in item.inputs}
    taken: dict[str, Item] = {}
    for item in items:
        for path in item.files:
            if source := inputs.get(places.real(path)):
                raise UsageError(f"{path} would overwrite the input {source}; choose another folder with -o")
            other = taken.setdefault(_key(path), item)
            if other is not item:
                raise UsageError(_clash(other, item, path))
    lowest = {os.path.dirname(item.outputs[0]) for item in items}  # noqa: PTH120
    folders = {parent for folder in lowest for parent in (Path(folder), *Path(folder).parents)}
    for folder in folders:
        if file := taken.get(_key(folder)):
            item = next(item for item in items if folder in item.outputs[0].parents)
            raise UsageError(f"{folder} would be the result of {file.label} and a folder for that of {item.label}; "
                             "tell them apart with --name")  # fmt: skip


def _key(path: Path) -> str:
    text = spelled_out(path)
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()


def _clash(one: Item, other: Item, path: Path) -> str:
    if not one.inputs:
        return f"two prompts would both be written to {path}; use {{index}} and {{seed}} in --name"
    return (
        f"{one.label} and {other.label} would both be written to {path}; "
        f"tell them apart with --name, for example --name '{_distinct_name(one.inputs[0], other.inputs[0])}'"
    )


def _distinct_name(one: Path, other: Path) -> str:
    """Return a template that gives two pictures different names: by what differs, which says more than a number."""
    if one.suffix.casefold() != other.suffix.casefold():
        return "{stem}_{ext}"
    return "{parent}_{stem}" if one.parent.name.casefold() != other.parent.name.casefold() else "{stem}_{index}"
