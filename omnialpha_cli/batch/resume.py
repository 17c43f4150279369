"""Decide which items of a plan are already done, which are to be made, and which must not be touched."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..files import is_file
from ..inputs import STATE_FOLDER
from ..media import provenance
from ..picture.settings import Settings
from ..plan import STEADY_TASK, Item
from ..status import UsageError
from .history import Entry, Fingerprint, Seal, key_of, source_of

SHOWN = 3  # refusals that are named; the others are counted


@dataclass(frozen=True)
class Choice:
    """Hold a plan's items by what happens to them; those that are done with what is known of them."""

    todo: tuple[Item, ...]
    done: tuple[tuple[Item, Entry], ...]

    @property
    def adopted(self) -> tuple[tuple[Item, Entry], ...]:
        """Return those that are done whose run was killed before it said so, or whose journal is not here."""
        return tuple((item, entry) for item, entry in self.done if not entry.done)


def fingerprint(item: Item, settings: Settings, weights: str) -> Fingerprint:
    """Return the fingerprint of an item now, of all its inputs, hints too, and of the weights. Raises OSError."""
    inputs = tuple(Seal.of(path) for path in item.inputs)
    return Fingerprint(inputs, item.task.name, settings.for_item(item).recorded(), weights)


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
        if item.error or not any(map(os.path.lexists, item.files)):
            todo.append(item)
            if is_steady:
                again.add(item.outputs[0])
            continue
        entries = history.get(key_of(item.outputs[0], output), [])
        made = _as_made(item, entries, output) if settings.auto_layers else item
        entries = entries or _from_files(made, output)
        now = made.as_it_stands()
        current = next((entry for entry in reversed(entries) if _all_hold(entry, made, output)), None)
        if current is None:
            todo.append(item)
            if edited := _not_ours(entries, item, output):
                refused.append(f"{edited} exists, and " + _whose(edited, entries))
        elif difference := _difference(current.fingerprint, item, settings, weights):
            todo.append(item)
            refused.append(f"{item.outputs[0]} was made with {difference}")
        elif item.previous not in again and _same_inputs(current.fingerprint, now):
            done.append((now, current))
        else:
            todo.append(item)
            if current.source and current.source != source_of(item, output):
                other = os.path.normpath(output / current.source)
                refused.append(f"{item.outputs[0]} was made from another file, {other}")
        if is_steady and todo and todo[-1] is item:
            again.add(item.outputs[0])
    if refused and not overwrite:
        more = f" (and {len(refused) - SHOWN} more)" if len(refused) > SHOWN else ""
        raise UsageError("; ".join(refused[:SHOWN]) + more + "; use --overwrite to replace, or another folder with -o")
    return Choice(tuple(todo), tuple(done))


def _as_made(item: Item, entries: Sequence[Entry], output: Path) -> Item:
    """Return an item with as many layers as it was last made with, where a journal or its files say so, in whole."""
    counts = [sum(key_of(path, output) in entry.outputs for path in item.outputs) for entry in entries[-1:]]
    (count,) = counts or [sum(is_file(path) for path in item.outputs)]
    return item.with_layers(count) if 2 <= count < len(item.outputs) else item


def _from_files(item: Item, output: Path) -> Sequence[Entry]:
    """Return what an item's own untouched files say of themselves, where the journal was not copied along."""
    if not all(is_file(path) for path in item.files):
        return ()
    try:
        told = [provenance.read(path) for path in item.files if provenance.is_untouched(path)]
        first = told[0] if told else None
        if first is None or len(told) < len(item.files) or any(_origin(one) != _origin(first) for one in told):
            return ()
        inputs = tuple(Seal(sha256) for sha256 in first["inputs"].split())
        made_from = Fingerprint(inputs, first["task"], json.loads(first["settings"]), first["weights"])
        outputs = {key_of(path, output): Seal.of(path) for path in item.files}
        return (Entry(made_from, outputs, measures=provenance.measures_of(first)),)
    except OSError:
        return ()


def _origin(told: provenance.Record | None) -> dict[str, str] | None:
    """Return what all files of one item have in common of their records."""
    own = ("digest", provenance.PLACE)
    return None if told is None else {name: value for name, value in told.items() if name not in own}


def offset_of(item: Item) -> tuple[int, int]:
    """Return where the one result of an item lies in its picture, as far as the file says: left, top."""
    try:
        made = provenance.read(item.outputs[0]) or {}
        left, top, *_ = map(int, made.get(provenance.PLACE, "0 0").split())
    except (OSError, ValueError):
        return 0, 0
    return left, top


def _whose(path: Path, entries: Sequence[Entry]) -> str:
    """Say what is known of a file that is not as the tool made it."""
    try:
        ours = bool(entries) or (is_file(path) and provenance.read(path) is not None)
    except OSError:
        ours = False
    return "was changed since" if ours else f"is not from this tool, or its {STATE_FOLDER} folder was not copied along"


def _all_hold(entry: Entry, item: Item, output: Path) -> bool:
    seals = [entry.outputs.get(key_of(path, output)) for path in item.files]
    return all(seal is not None and seal.holds(path) for seal, path in zip(seals, item.files, strict=True))


def _not_ours(entries: Sequence[Entry], item: Item, output: Path) -> Path | None:
    """Return the first existing output with a content that no entry of the journal has written."""
    for path in item.files:
        if os.path.lexists(path):
            seals = (entry.outputs.get(key_of(path, output)) for entry in entries)
            if not any(seal is not None and seal.holds(path) for seal in seals):
                return path
    return None


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
