"""Write `doubtful.txt`: results whose confidence is below `--min-confidence`, a path a line, in the output folder."""

import os
from collections.abc import Sequence
from pathlib import Path

from ..batch.result import Result
from ..status import UsageError


def list_of(output: Path, shard: str) -> Path:
    """Return where the list of a run is: each share of several has its own. Raises UsageError for a file of others."""
    path = output / ("doubtful.txt" if shard == "0-of-1" else f"doubtful-{shard}.txt")
    if path.exists():
        folder = os.fsencode(output)
        if not path.is_file() or not all(line.startswith(folder) for line in path.read_bytes().splitlines()):
            raise UsageError(f"{path} exists, and is no list of --min-confidence; move it, or choose another folder")
    return path


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
