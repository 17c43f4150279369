"""Read the history of an output folder: what its journals say was made, from what, and whether that still holds."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from ..files import is_file, open_regular, spelled_out
from ..inputs import STATE_FOLDER, absolute
from ..plan import Item
from ..status import UsageError
from ..weights.lock import sha256

# What the lines of another program, or of a version to come, may raise.
FOREIGN = (LookupError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)


@dataclass(frozen=True)
class Stamp:
    """Hold what changes when a file is written to: as long as it is equal, the file need not be hashed again."""

    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return the stamp of a file now. Raises OSError."""
        stat = path.stat()
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


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


def key_of(path: Path, output: Path) -> str:
    """Return an output's path relative to the output folder, with forward slashes on every system."""
    place, folder = spelled_out(path), spelled_out(output).rstrip(os.sep) + os.sep
    if not place.startswith(folder):
        raise ValueError(f"{path} is not below {output}")
    return place[len(folder) :].replace(os.sep, "/")


def source_of(item: Item, output: Path) -> str | None:
    """Return the path of an item's picture relative to the output folder, so that both may move; None without one."""
    if not item.inputs:
        return None
    try:
        return Path(os.path.relpath(absolute(item.inputs[0]), absolute(output))).as_posix()
    except ValueError:  # Windows: on another drive
        return absolute(item.inputs[0]).as_posix()


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


def _seal(values: Mapping[str, Any]) -> Seal:
    stamp = {name: value for name, value in values.items() if name != "sha256"}
    return Seal(values["sha256"], Stamp(**stamp) if stamp else None)


def _event(line: bytes) -> tuple[float, str, "Entry | dict[str, Seal]"]:
    """Time, item, and the entry of an intent or the outputs that are done. Raises `FOREIGN` for any other line."""
    values = json.loads(line)
    event, item, moment = values["event"], str(values["item"]), float(values["time"])
    if event == "intent":
        return moment, item, _entry(values)
    if event == "done":
        return moment, item, {path: _seal(outcome) for path, outcome in values["outputs"].items()}
    raise ValueError(event)


def _entry(line: Mapping[str, Any]) -> Entry:
    inputs = tuple(map(_seal, line["inputs"]))
    fingerprint = Fingerprint(inputs, str(line["task"]), dict(line["settings"]), str(line["weights"]))
    outputs = {path: Seal(digest) for path, digest in line["outputs"].items()}
    source = line.get("source")
    measures = {str(name): float(value) for name, value in line.get("measures", {}).items()}
    return Entry(fingerprint, outputs, None if source is None else str(source), measures=measures)


def _carry_out(entries: list[Entry], outputs: Mapping[str, Seal]) -> None:
    """Mark the newest intent with these outputs as done; its stamps are those of the files under their final names."""
    for i, entry in reversed(list(enumerate(entries))):
        if {path: seal.sha256 for path, seal in entry.outputs.items()} == {p: s.sha256 for p, s in outputs.items()}:
            entries[i] = replace(entry, outputs=outputs, done=True)
            return


def _lines(path: Path) -> Iterator[bytes]:
    if not is_file(path):
        return
    try:
        with open_regular(path) as file:
            yield from (line.rstrip(b"\r\n") for line in file)
    except OSError as error:
        raise UsageError(f"cannot read the journal {path}: {error.strerror}") from error
