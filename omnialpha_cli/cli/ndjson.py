"""Make records for machines: one JSON object a line, on standard output with `--json`, in a file with `--report`.

Each has `schema` and `event`; docs/records.md tells the rest. Paths that are not UTF-8 have lone surrogates
(`\\udcff`).
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..media.provenance import MEASURES

if TYPE_CHECKING:
    from ..batch.job import Result
    from ..status import ExitStatus

SCHEMA = "omnialpha/1"


def item_record(result: "Result", seed: int) -> dict[str, Any]:
    """Return the record of one item; `seed` is the run's own."""
    return {
        "status": result.status,
        **_files(result),
        "seed": seed if result.item.seed is None else result.item.seed,
        "seconds": round(result.seconds, 3),
        "warnings": list(result.warnings),
        "offset": result.offset,
        "error": _error(result),
        **{name: result.measures.get(name) for name in MEASURES},
    }


def plan_record(result: "Result") -> dict[str, Any]:
    """Return the record of one planned item: of a result that a dry run foresees."""
    action = {"done": "make", "skipped": "skip", "failed": "fail"}[result.status]
    return {"action": action, **_files(result), "error": _error(result)}


def summary_record(counts: Mapping[str, int], seconds: float, status: "ExitStatus") -> dict[str, Any]:
    """Return the last record of a run."""
    return {**counts, "seconds": round(seconds, 3), "exit": int(status)}


def line(event: str, record: Mapping[str, Any]) -> str:
    """Return one line of NDJSON, with its end."""
    return json.dumps({"schema": SCHEMA, "event": event, **record}) + "\n"


def mark(event: str) -> bytes:
    """Return what a line with a record of the event begins with."""
    return line(event, {}).removesuffix("}\n").encode()


def _files(result: "Result") -> dict[str, Any]:
    item = result.item
    inputs, outputs = (list(map(str, paths)) for paths in (item.inputs, item.outputs))
    return {"task": item.task.name, "inputs": inputs, "text": item.text, "outputs": outputs}


def _error(result: "Result") -> dict[str, str] | None:
    return None if result.error is None else {"code": result.error.code, "message": str(result.error)}
