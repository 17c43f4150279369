"""Keep the journal of an output folder: what was made from what, so that a run can be repeated or taken up again.

`<output>/.omnialpha/<shard>.jsonl` has two lines an item. Its *intent* is appended when all its outputs lie complete
under temporary names: what it was made from, and the sha256 of each output. Then the files are renamed into place,
then *done* is appended. Whatever the moment a run is killed at, a file under a final name is complete, and the journal
knows it.
"""

import itertools
import json
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from ..files import TEMPORARY, create_beside, is_file, is_free, open_regular, spelled_out, sync_folder
from ..inputs import STATE_FOLDER, absolute
from ..plan import Item
from ..status import ItemError, UsageError
from ..weights.lock import sha256
from .log import HeldError, Log, is_held

WORKER = ".worker-"  # between the names of a shard and of one of its workers
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
    """Hold an intent of the journal, and whether it was carried out; `outputs` by path relative to the output folder.

    `source` is the path of the item's picture as `source_of` gives it, None where there is none, or no journal told.
    """

    fingerprint: Fingerprint
    outputs: Mapping[str, Seal]
    source: str | None = None
    done: bool = False


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

    Lines torn by a kill are ignored, and so is, with one remark a file, whatever else is no line of a journal. Raises
    UsageError if the folder of journals is a link.
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


class Journal:
    """Write the journal of one shard. Holds a lock on it until closed; safe to use from several threads."""

    def __init__(self, output: Path, shard: str = "0-of-1"):
        """Open for appending, making the folder. Raises UsageError while another run of the shard holds it."""
        self.output = output
        self.shard = shard
        self._prefix = f"{TEMPORARY}{shard}-"
        self._synced: set[Path] = set()  # folders whose own names are on the disk
        path = output / STATE_FOLDER / f"{shard}.jsonl"
        try:
            self._log = Log(path)
        except OSError as error:
            raise UsageError(f"cannot write to the output folder {output}: {error.strerror}") from error
        except HeldError:
            raise HeldError(_busy(output, "another run")) from None
        if other := _overlapping(path):
            self._log.close()
            raise HeldError(_busy(output, f"a run of --shard {other}, which shares results with this one,"))

    @classmethod
    def of_worker(cls, output: Path, shard: str) -> Self:
        """Return the journal of a worker process of a shard: one that no other worker holds."""
        for number in itertools.count():
            try:
                return cls(output, f"{shard}{WORKER}{number}")
            except HeldError:
                continue
        raise AssertionError("numbers have no end")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()

    def remove_leftovers(self, folders: Iterable[Path]) -> None:
        """Remove temporary files of dead runs of this shard and its workers: with the shard's lock held, and no worker
        at work, all that are there are theirs.
        """
        name = rf"\.+{TEMPORARY[1:]}{re.escape(self.shard)}({re.escape(WORKER)}\d+)?-[0-9a-f]+(\..*)?"
        theirs = re.compile(name, re.DOTALL)
        for folder in folders:
            for path in folder.glob(f"*{TEMPORARY}{self.shard}*"):
                if theirs.fullmatch(path.name) and is_file(path):
                    with suppress(OSError):
                        path.unlink()

    def temporary(self, path: Path) -> Path:
        """Make an empty file beside `path`, hidden, with its suffix, under a name that nothing had. Raises OSError."""
        return create_beside(path, self._prefix)

    def commit(self, item: Item, fingerprint: Fingerprint, temporaries: Sequence[Path]) -> None:
        """Rename the complete temporary files to the item's files, journalled. Raises ItemError `write`."""
        try:
            digests = {
                key_of(path, self.output): sha256(temporary)
                for path, temporary in zip(item.files, temporaries, strict=True)
            }
            fields = {**_as_json(fingerprint), "source": source_of(item, self.output)}
            self._append("intent", item, **fields, outputs=digests)
            if taken := next((path for path in item.files if not is_free(path)), None):
                raise ItemError("write", f"{taken} cannot be written: what is there is not a regular file; remove it")
            for temporary, path in zip(temporaries, item.files, strict=True):
                temporary.replace(path)
            self._sync_folders({path.parent for path in item.files})
            self.done(item, digests)
        except OSError as error:
            raise ItemError("write", f"{item.outputs[0]} cannot be written: {error.strerror or error}") from error

    def adopt(self, item: Item, entry: Entry) -> None:
        """Record an item that was made before, by what is known of it: a run that was killed, or another journal."""
        digests = {name: seal.sha256 for name, seal in entry.outputs.items()}
        self._append(
            "intent", item, **_as_json(entry.fingerprint), source=source_of(item, self.output), outputs=digests
        )
        self.done(item, digests)

    def done(self, item: Item, digests: Mapping[str, str]) -> None:
        """Say that the intent with these outputs, sha256 by relative path, was carried out."""
        outputs = {name: {"sha256": digest, **asdict(Stamp.of(self.output / name))} for name, digest in digests.items()}
        self._append("done", item, outputs=outputs)

    def _append(self, event: str, item: Item, **values: Any) -> None:
        key = key_of(item.outputs[0], self.output)
        line = json.dumps({"event": event, "item": key, "time": time.time(), **values}).encode() + b"\n"
        self._log.append(line, sync=event == "intent")  # which must not reach the disk after the renames

    def _sync_folders(self, folders: Iterable[Path]) -> None:
        """Bring new names to the disk: those in the folders, and those of folders up to the output's that are new."""
        for folder in folders:
            sync_folder(folder)
            while folder != self.output and folder not in self._synced:
                self._synced.add(folder)
                folder = folder.parent
                sync_folder(folder)


def _busy(output: Path, who: str) -> str:
    return (f"{who} is writing to {output}; wait for it, choose another folder with -o, or share the work of one "
            "command with --devices or --shard")  # fmt: skip


def _overlapping(path: Path) -> str | None:
    """Return the share, `i/n`, of a run at work that has another number of shares, None if there is none."""
    _, count = _share(path)
    for other in sorted(path.parent.glob("*-of-*.jsonl")):
        index, of = _share(other)
        if of not in (count, "") and is_held(other):
            return f"{index}/{of}"
    return None


def _share(path: Path) -> tuple[str, str]:
    """Return index and number of shares from the name of a journal, of a worker's too."""
    index, _, count = path.name.partition(".")[0].partition("-of-")
    return index, count


def _as_json(fingerprint: Fingerprint) -> dict[str, Any]:
    inputs = [{"sha256": seal.sha256, **(asdict(seal.stamp) if seal.stamp else {})} for seal in fingerprint.inputs]
    return {**vars(fingerprint), "inputs": inputs}


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
    return Entry(fingerprint, outputs, None if source is None else str(source))


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
