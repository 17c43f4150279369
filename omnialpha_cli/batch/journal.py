"""Write the journal of an output folder: what was made from what, so that a run can be repeated or taken up again.

`<output>/.omnialpha/<shard>.jsonl` has two lines an item. Its *intent* is appended when all its outputs lie complete
under temporary names: what it was made from, and the sha256 of each output. Then the files are renamed into place,
then *done* is appended. Whatever the moment a run is killed at, a file under a final name is complete, and the journal
knows it. `history.py` reads it.
"""

import itertools
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from ..files import TEMPORARY, create_beside, is_file, is_free, sync_folder
from ..inputs import STATE_FOLDER
from ..plan import Item
from ..status import ItemError, UsageError
from ..weights.lock import sha256
from .history import Entry, Fingerprint, Stamp, key_of, source_of
from .log import HeldError, Log, is_held

WORKER = ".worker-"  # between the names of a shard and of one of its workers


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
        return create_beside(path, self._prefix)

    def commit(
        self, item: Item, fingerprint: Fingerprint, temporaries: Sequence[Path], measures: Mapping[str, float]
    ) -> None:
        """Rename the complete temporary files to the item's files, journalled. Raises ItemError `write`."""
        try:
            digests = {
                key_of(path, self.output): sha256(temporary)
                for path, temporary in zip(item.files, temporaries, strict=True)
            }
            fields = {**_as_json(fingerprint), "source": source_of(item, self.output), **_told(measures)}
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
        fields = {**_as_json(entry.fingerprint), "source": source_of(item, self.output), **_told(entry.measures)}
        self._append("intent", item, **fields, outputs=digests)
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


def _told(measures: Mapping[str, float]) -> dict[str, Any]:
    return {"measures": dict(measures)} if measures else {}


def _as_json(fingerprint: Fingerprint) -> dict[str, Any]:
    inputs = [{"sha256": seal.sha256, **(asdict(seal.stamp) if seal.stamp else {})} for seal in fingerprint.inputs]
    return {**vars(fingerprint), "inputs": inputs}
