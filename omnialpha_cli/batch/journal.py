"""The journal of an output folder: what was made from what, so that a run can be repeated or taken up again.

`<output>/.omnialpha/<shard>.jsonl` has two lines an item. Its *intent* is appended when all its outputs lie complete
under temporary names: what it was made from, and the sha256 of each output. Then the files are renamed into place,
then *done* is appended. Whatever the moment a run is killed at, a file under a final name is complete, and the journal
knows it.
"""

import itertools
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from ..inputs import STATE_FOLDER, absolute
from ..plan import Item
from ..status import ItemError, UsageError
from ..weights.lock import sha256

WORKER = ".worker-"  # between the names of a shard and of one of its workers


class HeldError(UsageError):
    """Another process has the journal open."""


@dataclass(frozen=True)
class Stamp:
    """What changes when a file is written to: as long as it is the same, the file need not be hashed again."""

    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """The stamp of a file now. Raises OSError."""
        stat = path.stat()
        return cls(stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@dataclass(frozen=True)
class Seal:
    """The content of a file: its sha256 (hex), and its stamp when that was computed, if known."""

    sha256: str
    stamp: Stamp | None = None

    @classmethod
    def of(cls, path: Path) -> Self:
        """Hash a file. Raises OSError."""
        stamp = Stamp.of(path)
        return cls(sha256(path), stamp)

    def holds(self, path: Path) -> bool:
        """Whether the file still has this content."""
        try:
            return Stamp.of(path) == self.stamp or sha256(path) == self.sha256
        except OSError:
            return False


@dataclass(frozen=True)
class Fingerprint:
    """Everything that decides about the pixels of an item's outputs."""

    inputs: tuple[Seal, ...]
    task: str
    settings: Mapping[str, Any]
    weights: str  # sha256 over all files of the weights


@dataclass(frozen=True)
class Entry:
    """An intent of the journal, and whether it was carried out; `outputs` by path relative to the output folder.

    `source` is the path of the item's picture as `source_of` gives it, None where there is none, or no journal told.
    """

    fingerprint: Fingerprint
    outputs: Mapping[str, Seal]
    source: str | None = None
    done: bool = False


def key_of(path: Path, output: Path) -> str:
    """An output's path relative to the output folder, with forward slashes on every system."""
    return absolute(path).relative_to(absolute(output)).as_posix()


def source_of(item: Item, output: Path) -> str | None:
    """The path of an item's picture relative to the output folder, so that both may move together; None without one."""
    if not item.inputs:
        return None
    try:
        return Path(os.path.relpath(absolute(item.inputs[0]), absolute(output))).as_posix()
    except ValueError:  # Windows: on another drive
        return absolute(item.inputs[0]).as_posix()


def read_history(output: Path) -> dict[str, list[Entry]]:
    """Entries by item (the path of its first output), oldest first, of all shards. Lines torn by a kill are ignored."""
    lines = [line for path in sorted((output / STATE_FOLDER).glob("*.jsonl")) for line in _lines(path)]
    history: dict[str, list[Entry]] = {}
    for line in sorted(lines, key=lambda line: float(line["time"])):
        entries = history.setdefault(line["item"], [])
        if line["event"] == "intent":
            entries.append(_entry(line))
        else:
            _carry_out(entries, {path: _seal(values) for path, values in line["outputs"].items()})
    return history


class Journal:
    """The open journal of one shard. Holds a lock on it until closed; safe to use from several threads."""

    def __init__(self, output: Path, shard: str = "0-of-1"):
        """Open for appending, making the folder. Raises UsageError while another run of the shard holds it."""
        self.output = output
        self.shard = shard
        self._prefix = f".omnialpha-{shard}-"
        self._numbers = itertools.count()
        self._turn = threading.Lock()
        folder = output / STATE_FOLDER
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = (folder / f"{shard}.jsonl").open("ab+")
        except OSError as error:
            raise UsageError(f"cannot write to the output folder {output}: {error.strerror}") from error
        if not _lock(self._file.fileno()):
            self._file.close()
            raise HeldError(f"another run is writing to {output}; wait for it, or choose another folder with -o")
        if self._file.tell():
            self._file.seek(-1, os.SEEK_END)
            if self._file.read() != b"\n":
                self._file.write(b"\n")  # ends a line torn by a kill

    @classmethod
    def of_worker(cls, output: Path, shard: str) -> Self:
        """The journal of a worker process of a shard: one that no other worker holds."""
        for number in itertools.count():
            try:
                return cls(output, f"{shard}{WORKER}{number}")
            except HeldError:
                continue
        raise AssertionError("numbers have no end")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def remove_leftovers(self, folders: Iterable[Path]) -> None:
        """Remove temporary files of dead runs of this shard and its workers: with the shard's lock held, and no worker
        at work, all that are there are theirs.
        """
        theirs = re.compile(rf"\.*omnialpha-{re.escape(self.shard)}({re.escape(WORKER)}\d+)?-.*", re.DOTALL)
        for folder in folders:
            for path in folder.glob(f"*omnialpha-{self.shard}*"):
                if theirs.fullmatch(path.name):
                    path.unlink(missing_ok=True)

    def temporary(self, path: Path) -> Path:
        """A hidden name beside `path`, with its suffix, that no other file has."""
        return path.with_name(f"{self._prefix}{next(self._numbers)}{path.suffix}")

    def commit(self, item: Item, fingerprint: Fingerprint, temporaries: Sequence[Path]) -> None:
        """Rename the complete temporary files to the item's files, journalled. Raises ItemError `write`."""
        try:
            digests = {
                key_of(path, self.output): sha256(temporary)
                for path, temporary in zip(item.files, temporaries, strict=True)
            }
            told = {**_as_json(fingerprint), "source": source_of(item, self.output)}
            self._append("intent", item, **told, outputs=digests)
            for temporary, path in zip(temporaries, item.files, strict=True):
                temporary.replace(path)
            self.done(item, digests)
        except OSError as error:
            raise ItemError("write", f"{item.outputs[0]} cannot be written: {error.strerror or error}") from error

    def done(self, item: Item, digests: Mapping[str, str]) -> None:
        """Say that the intent with these outputs, sha256 by relative path, was carried out."""
        outputs = {name: {"sha256": digest, **asdict(Stamp.of(self.output / name))} for name, digest in digests.items()}
        self._append("done", item, outputs=outputs)

    def _append(self, event: str, item: Item, **values: Any) -> None:
        key = key_of(item.outputs[0], self.output)
        line = json.dumps({"event": event, "item": key, "time": time.time(), **values}).encode() + b"\n"
        with self._turn:
            self._file.write(line)
            self._file.flush()
            if event == "intent":  # must not reach the disk after the renames
                os.fsync(self._file.fileno())


def _as_json(fingerprint: Fingerprint) -> dict[str, Any]:
    inputs = [{"sha256": seal.sha256, **(asdict(seal.stamp) if seal.stamp else {})} for seal in fingerprint.inputs]
    return {**vars(fingerprint), "inputs": inputs}


def _seal(values: Mapping[str, Any]) -> Seal:
    stamp = {name: value for name, value in values.items() if name != "sha256"}
    return Seal(values["sha256"], Stamp(**stamp) if stamp else None)


def _entry(line: Mapping[str, Any]) -> Entry:
    inputs = tuple(map(_seal, line["inputs"]))
    fingerprint = Fingerprint(inputs, line["task"], line["settings"], line["weights"])
    outputs = {path: Seal(digest) for path, digest in line["outputs"].items()}
    return Entry(fingerprint, outputs, line.get("source"))


def _carry_out(entries: list[Entry], outputs: Mapping[str, Seal]) -> None:
    """Mark the newest intent with these outputs as done; its stamps are those of the files under their final names."""
    for i, entry in reversed(list(enumerate(entries))):
        if {path: seal.sha256 for path, seal in entry.outputs.items()} == {p: s.sha256 for p, s in outputs.items()}:
            entries[i] = replace(entry, outputs=outputs, done=True)
            return


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    for line in path.read_bytes().splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _lock(descriptor: int) -> bool:
    """Take the file's lock, which ends with the process. Windows refuses a second writer to renamed files itself."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
