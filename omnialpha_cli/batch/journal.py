"""Write the journal of an output folder: what was made from what, so that a run can be repeated or taken up again.

`<output>/.omnialpha/<shard>.jsonl` has two lines an item. Its *intent* is appended when all its outputs lie complete
under temporary names: what it was made from, and the sha256 of each output. Then the files are renamed into place,
then *done* is appended. Whatever the moment a run is killed at, a file under a final name is complete, and the journal
knows it. `resume.py` reads it.
"""

import errno
import json
import os
import re
import stat
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from ..files import TEMPORARY, Stamp, create_beside, is_file, is_free, path_below, sha256, sync_folder
from ..inputs import STATE_FOLDER
from ..item import Item
from ..status import ItemError, OmniAlphaError, UsageError
from .resume import Entry, Fingerprint, source_of

BLOCK = 2**20
TRIES = 5  # another process may hold the lock for a moment, to see whether it is free
AS_IT_IS = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))  # no link, without waiting
WORKER = ".worker-"  # between the names of a shard and of one of its workers


class HeldError(UsageError):
    """Report that another process has the file open."""


class LostError(OmniAlphaError):
    """Report that the file was taken away in mid-run, and cannot be made again."""


class Journal:
    """Write the journal of one shard. Holds a lock on it until closed; safe to use from several threads."""

    def __init__(self, output: Path, shard: str = "0-of-1"):
        """Open for appending, making the folder. Raises UsageError while another run of the shard holds it."""
        self.output, self.shard = output, shard
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
        number = 0
        while True:
            try:
                return cls(output, f"{shard}{WORKER}{number}")
            except HeldError:
                number += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._log.close()

    def remove_leftovers(self, folders: Iterable[Path]) -> None:
        """Remove temporary files of dead runs of this shard and its workers; the shard's lock has to be held."""
        name = rf"\.+{TEMPORARY[1:]}{re.escape(self.shard)}({re.escape(WORKER)}\d+)?-[0-9a-f]+(\..*)?"
        theirs = re.compile(name, re.DOTALL)
        for folder in folders:
            for path in folder.glob(f"*{TEMPORARY}{self.shard}*"):
                if theirs.fullmatch(path.name) and is_file(path):
                    with suppress(OSError):
                        path.unlink()

    def temporary(self, path: Path) -> Path:
        """Make an empty file beside `path`, hidden, with its suffix, under a name that nothing had. Raises OSError."""
        return create_beside(path, f"{TEMPORARY}{self.shard}-")

    def commit(
        self, item: Item, fingerprint: Fingerprint, temporaries: Sequence[Path], measures: Mapping[str, float]
    ) -> None:
        """Rename the complete temporary files to the item's files, journalled. Raises ItemError `write`."""
        try:
            digests = {
                path_below(path, self.output): sha256(temporary)
                for path, temporary in zip(item.files, temporaries, strict=True)
            }
            self._intend(item, fingerprint, measures, digests)
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
        self._intend(item, entry.fingerprint, entry.measures, digests)
        self.done(item, digests)

    def _intend(
        self, item: Item, made_from: Fingerprint, measures: Mapping[str, float], digests: Mapping[str, str]
    ) -> None:
        inputs = [{"sha256": seal.sha256, **(asdict(seal.stamp) if seal.stamp else {})} for seal in made_from.inputs]
        fields = {**vars(made_from), "inputs": inputs, "source": source_of(item, self.output)}
        if measures:
            fields["measures"] = dict(measures)
        self._append("intent", item, **fields, outputs=digests)

    def done(self, item: Item, digests: Mapping[str, str]) -> None:
        """Say that the intent with these outputs, sha256 by relative path, was carried out."""
        outputs = {name: {"sha256": digest, **asdict(Stamp.of(self.output / name))} for name, digest in digests.items()}
        self._append("done", item, outputs=outputs)

    def _append(self, event: str, item: Item, **values: Any) -> None:
        key = path_below(item.outputs[0], self.output)
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


class Log:
    """Append to a file of one process: locked, never reached through a link, made again if it is removed in mid-run.

    Holds its lock until closed; safe to use from several threads.
    """

    def __init__(self, path: Path):
        """Open for appending, making the folder. Raises OSError, or HeldError while another process has it."""
        self.path, self._turn = path, threading.Lock()
        self._descriptor, self._size = _open(path)

    def append(self, line: bytes, sync: bool) -> None:
        """Append a whole line or nothing; with `sync` it is on the disk after that. Raises OSError or LostError."""
        with self._turn:
            if os.fstat(self._descriptor).st_size < self._size:
                raise LostError(f"{self.path} was cut off by another program while this run wrote to it; run it again")
            try:
                _write(self._descriptor, line)
                if sync:
                    os.fsync(self._descriptor)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(self._descriptor, self._size)
                raise
            self._size += len(line)
            self._keep_in_place()

    def close(self) -> None:
        """Release it; what was removed since the last line is made again. Raises LostError."""
        try:
            self._keep_in_place()
        finally:
            os.close(self._descriptor)

    def _keep_in_place(self) -> None:
        """Make the file again under its name, with all that was in it, if it was removed or moved."""
        if _is_at(self._descriptor, self.path):
            return
        old = self._descriptor
        try:
            with ExitStack() as after_fault:
                new, size = _open(self.path)
                after_fault.callback(os.close, new)
                os.lseek(old, 0, os.SEEK_SET)
                while block := os.read(old, BLOCK):
                    size += _write(new, block)
                os.fsync(new)
                after_fault.pop_all()
        except (OSError, HeldError) as error:
            raise LostError(f"{self.path} was removed while this run wrote to it, and cannot be made again "
                            f"({error}); results since then are not recorded") from error  # fmt: skip
        self._descriptor, self._size = new, size
        os.close(old)


def is_held(path: Path) -> bool:
    """Tell whether a process has the log open for writing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | AS_IT_IS)
    except OSError:
        return False
    try:
        return not _lock(descriptor, shared=True)
    finally:
        os.close(descriptor)


def _open(path: Path) -> tuple[int, int]:
    """Return a locked descriptor of the file, which is made if it is not there, and its size, the last line ended."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent.is_symlink():
        raise OSError(errno.ELOOP, f"{path.parent} is a link; remove it")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | AS_IT_IS, 0o666)
    except OSError as error:
        raise OSError(error.errno, f"{path}: {'it is a link' if path.is_symlink() else error.strerror}") from error
    with ExitStack() as after_fault:
        after_fault.callback(os.close, descriptor)  # and with it the lock
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, f"{path} is not a regular file; remove it")
        for _ in range(TRIES):
            if _lock(descriptor):
                break
            time.sleep(0.01)
        else:
            raise HeldError(f"another run is writing to {path}")
        if not _is_at(descriptor, path):  # it was removed before it was locked
            return _open(path)
        size = os.fstat(descriptor).st_size
        if size:
            os.lseek(descriptor, size - 1, os.SEEK_SET)
            if os.read(descriptor, 1) != b"\n":  # torn by a kill
                size += _write(descriptor, b"\n")
        sync_folder(path.parent)
        after_fault.pop_all()
    return descriptor, size


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except OSError:
        return False


def _write(descriptor: int, data: bytes) -> int:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    return len(data)


def _lock(descriptor: int, shared: bool = False) -> bool:
    """Take the file's lock, which ends with the process, if it is free.

    Windows refuses a second writer to renamed files itself.
    """
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
