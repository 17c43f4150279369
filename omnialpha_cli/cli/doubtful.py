"""Write `doubtful.txt`: results whose confidence is below `--min-confidence`, a path a line, in the output folder."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..batch.result import Result
from ..inputs import absolute
from ..status import UsageError


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


def write_doubtful(path: Path, results: Sequence[Result]) -> None:
    """Write the list, least confident first; without any there is none. Raises ItemError."""
    from ..media.write import atomic

    if not results:
        path.unlink(missing_ok=True)
        return
    items = [result.item for result in sorted(results, key=lambda result: result.measures["confidence"])]
    places = (item.outputs[0].parent if item.manifest else item.outputs[0] for item in items)
    with atomic(path) as temporary:
        temporary.write_bytes(b"".join(os.fsencode(place) + b"\n" for place in places))
