"""Read what the journals of an output folder say was made, and from what; decide which items of a plan are done.

The others are to be made, or must not be touched.
"""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from ..files import Stamp, is_file, open_regular, path_below, sha256
from ..inputs import STATE_FOLDER, absolute
from ..item import STEADY_TASK, Item
from ..media import provenance
from ..picture.settings import Settings
from ..status import UsageError

SHOWN = 3  # refusals that are named; the others are counted
# What the lines of another program, or of a version to come, may raise.
FOREIGN = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Seal:
    """Describe the content of a file: its sha256 (hex), and its stamp when that was computed, if known."""

    sha256: str
    stamp: Stamp | None = None

    @classmethod
    def of(cls, path: Path) -> Self:
        """Hash a file. Raises OSError."""
        stamp = Stamp.of(path)
        return cls(sha256(path), stamp)

    def holds(self, path: Path) -> bool:
        """Tell whether the file still has this content."""
        try:
            return Stamp.of(path) == self.stamp or sha256(path) == self.sha256
        except OSError:
            return False


@dataclass(frozen=True)
class Fingerprint:
    """Hold everything that decides about the pixels of an item's outputs."""

    inputs: tuple[Seal, ...]
    task: str
    settings: Mapping[str, Any]
    weights: str  # sha256 over all files of the weights

    def is_current(self, item: Item) -> bool:
        """Tell whether nothing wrote to the item's inputs since they were hashed."""
        try:
            return all(Stamp.of(path) == seal.stamp for path, seal in zip(item.inputs, self.inputs, strict=True))
        except OSError:
            return False


@dataclass(frozen=True)
class Entry:
    """Hold an intent of the journal, and whether it was carried out; outputs and `source` by relative path."""

    fingerprint: Fingerprint
    outputs: Mapping[str, Seal]
    source: str | None = None
    done: bool = False
    measures: Mapping[str, float] = field(default_factory=dict)

    def holds(self, path: Path, output: Path) -> bool:
        """Tell whether a file below the output folder still has the content that was written."""
        seal = self.outputs.get(path_below(path, output))
        return seal is not None and seal.holds(path)


@dataclass(frozen=True)
class Choice:
    """Hold a plan's items by what happens to them; those that are done with what is known of them."""

    todo: tuple[Item, ...]
    done: tuple[tuple[Item, Entry], ...]

    @property
    def adopted(self) -> tuple[tuple[Item, Entry], ...]:
        """Return those that are done whose run was killed before it said so, or whose journal is not here."""
        return tuple((item, entry) for item, entry in self.done if not entry.done)


def source_of(item: Item, output: Path) -> str | None:
    """Return the path of an item's picture relative to the output folder, so that both may move; None without one."""
    if not item.inputs:
        return None
    try:
        return Path(os.path.relpath(absolute(item.inputs[0]), absolute(output))).as_posix()
    except ValueError:  # Windows: on another drive
        return absolute(item.inputs[0]).as_posix()


def fingerprint(item: Item, settings: Settings, weights: str) -> Fingerprint:
    """Return the fingerprint of an item now, of all its inputs, hints too, and of the weights. Raises OSError."""
    inputs = tuple(Seal.of(path) for path in item.inputs)
    return Fingerprint(inputs, item.task.name, settings.for_item(item).recorded(), weights)


def read_history(output: Path, remarks: list[str] | None = None) -> dict[str, list[Entry]]:
    """Return entries by item (the path of its first output), oldest first, of all shards.

    Lines torn by a kill are ignored, and others' with one remark a file. Raises UsageError if the folder is a link.
    """
    folder = output / STATE_FOLDER
    if folder.is_symlink():
        raise UsageError(f"{folder} is a link, and is not followed; remove it, or choose another folder with -o")
    events = []
    for path in sorted(folder.glob("*.jsonl")):
        foreign = 0
        for line in _lines(path):
            try:
                events.append(_event(line))
            except FOREIGN:
                foreign += line[:1] != b"{" or line.endswith(b"}")  # else torn
        if remarks is not None and (foreign or not is_file(path)):
            what = f"{foreign} lines of it are" if foreign else "it is"
            remarks.append(f"{path}: {what} not of this tool's journal, and ignored")
    history: dict[str, list[Entry]] = {}
    for _, item, outcome in sorted(events, key=lambda event: event[0]):
        entries = history.setdefault(item, [])
        if isinstance(outcome, Entry):
            entries.append(outcome)
        else:
            _carry_out(entries, outcome)
    return history


def _lines(path: Path) -> Iterator[bytes]:
    if not is_file(path):
        return
    try:
        with open_regular(path) as file:
            yield from (line.rstrip(b"\r\n") for line in file)
    except OSError as error:
        raise UsageError(f"cannot read the journal {path}: {error.strerror}") from error


def _event(text: bytes) -> tuple[float, str, Entry | dict[str, Seal]]:
    """Return time, item, and an intent's entry or the outputs that are done. Raises `FOREIGN` for any other line."""
    line = json.loads(text)
    event, item, moment = line["event"], str(line["item"]), float(line["time"])
    if event == "done":
        return moment, item, {path: _seal(outcome) for path, outcome in line["outputs"].items()}
    if event != "intent":
        raise ValueError(event)
    inputs, source = tuple(map(_seal, line["inputs"])), line.get("source")
    made_from = Fingerprint(inputs, str(line["task"]), dict(line["settings"]), str(line["weights"]))
    outputs = {path: Seal(digest) for path, digest in line["outputs"].items()}
    measures = {str(name): float(value) for name, value in line.get("measures", {}).items()}
    return moment, item, Entry(made_from, outputs, None if source is None else str(source), measures=measures)


def _seal(values: Mapping[str, Any]) -> Seal:
    stamp = {name: value for name, value in values.items() if name != "sha256"}
    return Seal(values["sha256"], Stamp(**stamp) if stamp else None)


def _carry_out(entries: list[Entry], outputs: Mapping[str, Seal]) -> None:
    """Mark the newest intent with these outputs as done; its stamps are those of the files under their final names."""
    for i, entry in reversed(list(enumerate(entries))):
        if {path: seal.sha256 for path, seal in entry.outputs.items()} == {p: s.sha256 for p, s in outputs.items()}:
            entries[i] = replace(entry, outputs=outputs, done=True)
            return


def choose(
    items: Sequence[Item],
    history: Mapping[str, Sequence[Entry]],
    output: Path,
    settings: Settings,
    weights: str,
    overwrite: bool,
) -> Choice:
    """Sort the items. Raises UsageError, naming the difference, where work would be lost without `overwrite`.

    Same fingerprint: done, also with `overwrite`. An output gone, or inputs changed: made again. Other settings or
    weights, another file than it was made from, or an output that was edited or came from elsewhere: refused unless
    `overwrite`. A frame that follows one that is made again is made again too.
    """
    todo, done, refused = [], [], []
    is_steady = any(item.previous for item in items)
    again: set[Path] = set()  # results that are made, where others wait for them
    for item in items:
        known = refusal = None
        if not item.error and any(map(os.path.lexists, item.files)):
            entries = history.get(path_below(item.outputs[0], output), [])
            known, refusal = _compare(item, entries, output, settings, weights, item.previous in again)
        if known:
            done.append(known)
        else:
            todo.append(item)
            if is_steady:
                again.add(item.outputs[0])
        if refusal:
            refused.append(refusal)
    if refused and not overwrite:
        more = f" (and {len(refused) - SHOWN} more)" if len(refused) > SHOWN else ""
        raise UsageError("; ".join(refused[:SHOWN]) + more + "; use --overwrite to replace, or another folder with -o")
    return Choice(tuple(todo), tuple(done))


def _compare(
    item: Item, entries: Sequence[Entry], output: Path, settings: Settings, weights: str, follows: bool
) -> tuple[tuple[Item, Entry] | None, str | None]:
    """Return an item as it was made and its entry, if it is done; else why it may not be made, if it is so.

    `follows` tells that the frame before is made again.
    """
    made = _as_made(item, entries, output) if settings.auto_layers else item
    entries = entries or _from_files(made, output)
    current = next((e for e in reversed(entries) if all(e.holds(path, output) for path in made.files)), None)
    if current is None:
        for path in item.files:
            if os.path.lexists(path) and not any(entry.holds(path, output) for entry in entries):
                return None, f"{path} exists, and {_whose(path, entries)}"
        return None, None
    if difference := _difference(current.fingerprint, item, settings, weights):
        return None, f"{item.outputs[0]} was made with {difference}"
    now = made.as_it_stands()
    if not follows and _same_inputs(current.fingerprint, now):
        return (now, current), None
    if current.source and current.source != source_of(item, output):
        return None, f"{item.outputs[0]} was made from another file, {os.path.normpath(output / current.source)}"
    return None, None


def _as_made(item: Item, entries: Sequence[Entry], output: Path) -> Item:
    """Return an item with as many layers as it was last made with, where a journal or its files say so, in whole."""
    if entries:
        count = sum(path_below(path, output) in entries[-1].outputs for path in item.outputs)
    else:
        count = sum(is_file(path) for path in item.outputs)
    return item.with_layers(count) if 2 <= count < len(item.outputs) else item


def _from_files(item: Item, output: Path) -> Sequence[Entry]:
    """Return what an item's own untouched files say of themselves, where the journal was not copied along."""
    if not all(is_file(path) for path in item.files):
        return ()
    try:
        records = [provenance.read(path) for path in item.files if provenance.is_untouched(path)]
        own = ("digest", provenance.PLACE)  # of each file; what made them they have in common
        told = [{name: value for name, value in record.items() if name not in own} for record in records if record]
        if len(told) < len(item.files) or any(other != told[0] for other in told):
            return ()
        first = told[0]
        inputs = tuple(Seal(digest) for digest in first["inputs"].split())
        made_from = Fingerprint(inputs, first["task"], json.loads(first["settings"]), first["weights"])
        outputs = {path_below(path, output): Seal.of(path) for path in item.files}
        return (Entry(made_from, outputs, measures=provenance.measures_of(first)),)
    except OSError:
        return ()


def _whose(path: Path, entries: Sequence[Entry]) -> str:
    """Say what is known of a file that is not as the tool made it."""
    try:
        ours = bool(entries) or (is_file(path) and provenance.read(path) is not None)
    except OSError:
        ours = False
    return "was changed since" if ours else f"is not from this tool, or its {STATE_FOLDER} folder was not copied along"


def _is_earlier(made: Fingerprint, item: Item) -> bool:
    """Tell whether a frame was made by a version that gave it the matte of the one before alone, as a rough mask."""
    return item.task.hint == "none" and made.task == STEADY_TASK.name


def _same_inputs(made: Fingerprint, item: Item) -> bool:
    """Tell whether the item's inputs are still what was read."""
    paths = item.inputs[:2] if _is_earlier(made, item) else item.inputs
    if len(made.inputs) != len(paths):
        return False  # the frame before has come or gone
    return all(seal.holds(path) for seal, path in zip(made.inputs, paths, strict=True))


def _difference(made: Fingerprint, item: Item, settings: Settings, weights: str) -> str:
    """Return what decides about pixels, other than inputs, and differs; empty if nothing does."""
    now = {"task": made.task if _is_earlier(made, item) else item.task.name, **settings.for_item(item).recorded()}
    # A journal of an earlier version lacks what it had no option for: that was as is the default.
    then = {"task": made.task, **type(settings)().recorded(), **made.settings}
    names = sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
    differences = [f"{name} {then.get(name)} (now {now.get(name)})" for name in names]
    if made.weights != weights:
        differences.append(f"other weights ({made.weights[:8]}…, now {weights[:8]}…)")
    return ", ".join(differences)
