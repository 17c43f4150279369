"""Check files that options name to be written beside results, and `doubtful.txt`: none may cost a user another."""

import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..files import Resolver, atomic, folded, real
from ..inputs import STATE_FOLDER, absolute
from ..status import UsageError
from .streams import record_line

if TYPE_CHECKING:
    from ..batch.job import Result

MARK_WITHIN = 4096  # bytes from the start of a file


@dataclass(frozen=True)
class Kind:
    """Describe a kind of file that this tool writes: `name` as in messages, and `marks`, one of which its start has."""

    name: str
    marks: tuple[bytes, ...]


EVENTS = "item", "plan", "summary"  # of the first record
REPORT = Kind("report", tuple(record_line(event, {}).removesuffix("}\n").encode() for event in EVENTS))
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
    places = Resolver()
    inputs, results = ({folded(places.real(path)): path for path in paths} for paths in (read, made))
    for number, file in enumerate(files):
        name = folded(real(file.path))
        parents = [str(parent) for parent in Path(name).parents]
        around = [results[parent] for parent in parents if parent in results]  # would have to be folders
        below = [path for other, path in results.items() if other.startswith(name + os.sep) and not file.path.is_dir()]
        if other := _same(file.path, inputs):
            _refuse(file, f"would overwrite the input {other}")
        if other := _same(file.path, results) or next(iter(around + below), None):
            _refuse(file, f"is in the way of the result {other}")
        if _same(file.path, {folded(real(one.path)): one.path for one in files[:number]}):
            _refuse(file, "is named twice")
        if output is not None and folded(real(output / STATE_FOLDER)) in (name, *parents):
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


def _same(path: Path, others: Mapping[str, Path]) -> Path | None:
    """Return the one of `others`, by their names, that `path` leads to: by links too, where case is ignored too."""
    if found := others.get(folded(real(path))):
        return found
    number = _number(path)
    return None if number is None else next((one for one in others.values() if _number(one) == number), None)


def _number(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a regular file, which hard links have in common."""
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None


def list_of(output: Path, shard: str) -> Path:
    """Return where the list of a run is: each share of several has its own. Raises UsageError for a file of others."""
    path = output / ("doubtful.txt" if shard == "0-of-1" else f"doubtful-{shard}.txt")
    named = path.read_bytes().splitlines() if path.is_file() else []
    # A list names results in the output folder, however the folder was spelt when it was written.
    is_list = all(absolute(Path(os.fsdecode(line))).is_relative_to(absolute(output)) for line in named)
    if path.exists() and not (path.is_file() and is_list):
        raise UsageError(f"{path} exists, and is no list of --min-confidence; move it, or choose another folder")
    return path


def write_doubtful(path: Path, results: "Sequence[Result]") -> None:
    """Write the list, least confident first; without any there is none. Raises ItemError."""
    if not results:
        path.unlink(missing_ok=True)
        return
    items = [result.item for result in sorted(results, key=lambda result: result.measures["confidence"])]
    places = (item.outputs[0].parent if item.manifest else item.outputs[0] for item in items)
    with atomic(path) as temporary:
        temporary.write_bytes(b"".join(os.fsencode(place) + b"\n" for place in places))
