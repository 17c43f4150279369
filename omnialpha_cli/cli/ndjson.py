"""Records for machines: one JSON object a line, on standard output with `--json`, in a file with `--report`.

Every record has `schema` and `event`. The fields of each event are in `FIELDS`; paths are as the user spelt them, with
bytes that are not UTF-8 as lone surrogates (`\\udcff`), as Python's `os.fsdecode` gives them.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..runner.result import Result
    from ..status import ExitStatus

SCHEMA = "omnialpha/1"

FIELDS: dict[str, dict[str, str]] = {
    "item": {
        "status": "done, skipped or failed",
        "task": "a name of `omnialpha tasks`",
        "inputs": "paths, in the order of the task's inputs: the picture, then its trimap or mask",
        "text": "the user's words, or null",
        "outputs": "paths, bottom layer first; those that would have been written where the item failed",
        "seed": "of the noise",
        "seconds": "spent on the item, without waiting; 0 if skipped",
        "warnings": "list of texts",
        "error": "null, or an object of `code` (a stable word) and `message`",
    },
    "plan": {  # with --dry-run, in place of item
        "action": "make, skip or fail",
        "task": "as above",
        "inputs": "as above",
        "text": "as above",
        "outputs": "as above",
        "error": "as above",
    },
    "summary": {
        "done": "number of items",
        "skipped": "number of items",
        "failed": "number of items",
        "unfinished": "number of items that were not reached, because the run was stopped",
        "seconds": "wall time of the run",
        "exit": "the exit code",
    },
    "task": {
        "name": "of the task",
        "command": "that does it",
        "hint": "none, text, trimap, mask, rough-mask or background",
        "inputs": "what goes in, in order: scene, foreground, background, trimap, mask or rough-mask",
        "outputs": "layers that come out, bottom first",
        "prompt": "that the model sees; `{text}` is where the user's words go",
        "published": "whether the published weights were trained on it",
        "trained": "names of the weights here that were trained on it",
        "two_passes": "names of those that do it in two passes",
    },
    "eval.TASK.item": {  # TASK is matting, removal, decomposition, referring, generation or vae
        "name": "of the picture",
        "height": "pixels",
        "width": "pixels",
        "scores": "metrics by name",
        "baselines": "for each name of a baseline its metrics",
    },
    "eval.TASK.failed": {
        "code": "a stable word",
        "message": "what is wrong",
    },
}


def item_record(result: "Result", seed: int) -> dict[str, Any]:
    """The record of one item; `seed` is the run's own."""
    return {
        "status": result.status,
        **_files(result),
        "seed": seed if result.item.seed is None else result.item.seed,
        "seconds": round(result.seconds, 3),
        "warnings": list(result.warnings),
        "error": _error(result),
    }


def plan_record(result: "Result") -> dict[str, Any]:
    """The record of one planned item: of a result that a dry run foresees."""
    action = {"done": "make", "skipped": "skip", "failed": "fail"}[result.status]
    return {"action": action, **_files(result), "error": _error(result)}


def summary_record(counts: Mapping[str, int], seconds: float, status: "ExitStatus") -> dict[str, Any]:
    """The last record of a run."""
    return {**counts, "seconds": round(seconds, 3), "exit": int(status)}


def line(event: str, record: Mapping[str, Any]) -> str:
    """One line of NDJSON, with its end."""
    return json.dumps({"schema": SCHEMA, "event": event, **record}) + "\n"


def _files(result: "Result") -> dict[str, Any]:
    item = result.item
    inputs, outputs = (list(map(str, paths)) for paths in (item.inputs, item.outputs))
    return {"task": item.task, "inputs": inputs, "text": item.text, "outputs": outputs}


def _error(result: "Result") -> dict[str, str] | None:
    return None if result.error is None else {"code": result.error.code, "message": str(result.error)}
