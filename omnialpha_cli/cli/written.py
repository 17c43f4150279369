"""Check files that options name to be written beside results, and `doubtful.txt`: none may cost a user another."""

import os
import stat
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..inputs import STATE_FOLDER, absolute
from ..status import UsageError
from . import ndjson

if TYPE_CHECKING:
    from ..batch.job import Result

MARK_WITHIN = 4096  # bytes from the start of a file


@dataclass(frozen=True)
class Kind:
    """Describe a kind of file that this tool writes: `name` as in messages, and `marks`, one of which its start has."""

    name: str
    marks: tuple[bytes, ...]


EVENTS = "item", "plan", "summary"  # of the first record
REPORT = Kind("report", tuple(map(ndjson.mark, EVENTS)))
PREVIEW = Kind("page", (b'<meta name="generator" content="omnialpha preview">',))
SCORES = Kind("page", (b'<meta name="generator" content="omnialpha eval">',))
TRIALS = Kind("page", (b'<meta name="generator" content="omnialpha eval preference">',))
WORST, TRIPLETS = Kind("sheet", (b"omnialpha eval --worst",)), Kind("sheet", (b"omnialpha data show",))


@dataclass(frozen=True)
class Written:
    """Name one file that an `option` says to be written."""

    option: str
    path: Path
    kind: Kind


def check_written(
    files: Sequence[Written], read: Iterable[Path] = (), made: Iterable[Path] = (), output: Path | None = None
) -> None:
    """Raise UsageError where one of the `files` must not be written; call it before any work.

    That is: over what is `read` (inputs, hints, lists), over or within what is `made` (the planned results), over one
    another, in the state folder of the `output`, and over a file with content that is not of its own kind. The same
    file by another path or link counts, existing or not. Files without content and devices may be written.
    """
    if not files:
        return
    inputs, results = _Files(read), _Files(made)
    for number, file in enumerate(files):
        others = _Files(one.path for one in files[:number])
        if other := inputs.same(file.path):
            _refuse(file, f"would overwrite the input {other}")
        if other := results.same(file.path) or results.around(file.path) or results.below(file.path):
            _refuse(file, f"is in the way of the result {other}")
        if others.same(file.path):
            _refuse(file, "is named twice")
        if output is not None and _name(output / STATE_FOLDER) in (_name(file.path), *_name(file.path).parents):
            _refuse(file, f"is in {output / STATE_FOLDER}, which holds the state of runs")
        if not _may_be_replaced(file):
            _refuse(file, f"exists, and is no {file.kind.name} that this option writes", "delete it, or ")


def _refuse(file: Written, reason: str, otherwise: str = "") -> None:
    raise UsageError(f"{file.option} {file.path} {reason}; {otherwise}name another file")


def _may_be_replaced(file: Written) -> bool:
    """Tell whether there is nothing, no regular file, an empty file, or one of that kind."""
    try:
        status = file.path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size == 0:
            return True
        with file.path.open("rb") as content:
            start = content.read(MARK_WITHIN)
    except FileNotFoundError:
        return True
    except OSError:
        return not os.path.lexists(file.path)  # what cannot be looked at is not overwritten
    if file.kind is REPORT:
        return start.startswith(file.kind.marks)
    return any(mark in start for mark in file.kind.marks)


class _Files:
    """Hold some files, to be found again by any of their names, whether they exist or not."""

    def __init__(self, paths: Iterable[Path]):
        self.by_name = {_name(path): path for path in paths}
        self.by_number: dict[tuple[int, int], Path] | None = None  # device and inode; looked up when first needed
        self.folders: dict[Path, Path] | None = None  # a folder → what lies in it

    def same(self, path: Path) -> Path | None:
        """Return the one that `path` is another name of, as far as links go and on systems that ignore case."""
        if found := self.by_name.get(_name(path)):
            return found
        number = _number(path)
        if number is None:
            return None
        if self.by_number is None:
            numbered = ((_number(one), one) for one in self.by_name.values())
            self.by_number = {known: one for known, one in numbered if known is not None}
        return self.by_number.get(number)

    def around(self, path: Path) -> Path | None:
        """Return one that would have to be a folder for `path` to lie in it."""
        return next((self.by_name[parent] for parent in _name(path).parents if parent in self.by_name), None)

    def below(self, path: Path) -> Path | None:
        """Return one that lies in a folder called `path`."""
        if self.folders is None:
            self.folders = {parent: one for name, one in self.by_name.items() for parent in name.parents}
        return None if path.is_dir() else self.folders.get(_name(path))


def _name(path: Path) -> Path:
    """Return the path without links, in one spelling of letters and accents."""
    return Path(unicodedata.normalize("NFC", os.path.realpath(path)).casefold())


def _number(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def list_of(output: Path, shard: str) -> Path:
    """Return where the list of a run is: each share of several has its own. Raises UsageError for a file of others."""
    path = output / ("doubtful.txt" if shard == "0-of-1" else f"doubtful-{shard}.txt")
    if path.exists() and not (
        path.is_file() and all(_is_result(line, output) for line in path.read_bytes().splitlines())
    ):
        raise UsageError(f"{path} exists, and is no list of --min-confidence; move it, or choose another folder")
    return path


def _is_result(line: bytes, output: Path) -> bool:
    """Tell whether a line names something in the output folder, however the folder was spelt when it was written."""
    return absolute(Path(os.fsdecode(line))).is_relative_to(absolute(output))


def write_doubtful(path: Path, results: "Sequence[Result]") -> None:
    """Write the list, least confident first; without any there is none. Raises ItemError."""
    from ..media.write import atomic

    if not results:
        path.unlink(missing_ok=True)
        return
    items = [result.item for result in sorted(results, key=lambda result: result.measures["confidence"])]
    places = (item.outputs[0].parent if item.manifest else item.outputs[0] for item in items)
    with atomic(path) as temporary:
        temporary.write_bytes(b"".join(os.fsencode(place) + b"\n" for place in places))
