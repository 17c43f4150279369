"""Records for machines: one JSON object a line, on standard output with `--json`, in a file with `--report`.

Every record has `schema` and `event`. The fields of each event are in `FIELDS`; paths are as the user spelt them, with
bytes that are not UTF-8 as lone surrogates (`\\udcff`), as Python's `os.fsdecode` gives them.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..batch.result import Result
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
        "planned": "number of items that would be made, of a dry run",
        "skipped": "number of items",
        "failed": "number of items",
        "unfinished": "number of items that were not reached, because the run was stopped",
        "seconds": "wall time of the run",
        "exit": "the exit code",
    },
    "info": {
        "file": "as it was given",
        "version": "of the program that made it",
        "task": "as above",
        "settings": "a text: JSON of all that decided about its pixels",
        "weights": "sha256 that stands for them",
        "seed": "of the noise, as a text",
        "inputs": "sha256 of the picture and of its hints, with spaces between them",
        "untouched": "whether the file is as it was made",
        "command": "that makes it again, with INPUT, MASK and so on for what it was given",
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
        "source": "the collection of the pack that it comes from, empty where it is not known",
        "height": "pixels",
        "width": "pixels",
        "scores": "metrics by name",
        "baselines": "for each name of a baseline its metrics",
    },
    "eval.TASK.failed": {
        "code": "a stable word",
        "message": "what is wrong",
    },
    "eval.compare.item": {
        "name": "of the picture",
        "a": "metrics by name",
        "b": "metrics by name",
    },
    "eval.compare": {
        "task": "a TASK of above",
        "a": "what was compared",
        "b": "with what",
        "count": "of pictures that both have",
        "height": "pixels, on average",
        "width": "pixels, on average",
        "scores": "for each metric an object of the means `a` and `b`, their `difference` b − a (an object of "
        "`estimate`, `low` and `high`, 95 %), which is `better`, and the `count` of pictures",
    },
    "eval.preference": {
        "a": "what was compared",
        "b": "with what",
        "wins_a": "how often it was chosen",
        "wins_b": "how often it was chosen",
        "ties": "how often neither was",
        "left": "how often the left one was",
        "share": "of b, ties being half: an object of `estimate`, `low` and `high`, 95 %",
    },
    "bench.matte": {
        "count": "of pictures",
        "width": "pixels",
        "height": "pixels",
        "batch": "seconds for all, by the command",
        "loop": "seconds for all, by a loop of the Python interface",
        "ratio": "of the second to the first",
    },
    "bench.matte.against": {
        "count": "of pictures",
        "tool": "its name",
        "ours": "seconds for all, from the start of the command",
        "theirs": "the same of the tool's own command",
        "ratio": "theirs to ours",
    },
    "bench.model": {
        "part": "of the model",
        "ours": "seconds",
        "theirs": "seconds",
        "ratio": "theirs to ours",
        "difference": "the largest between the two outputs",
    },
    "bench.model.full": {
        "layers": "blocks that were measured",
        "tokens": "of the sequence",
        "batch": "pictures a step",
        "measured": "seconds a step of those blocks",
        "teraflops": "a second, of those blocks",
        "peak": "the same of large square matrices",
        "share": "of the peak",
        "memory": "bytes in use at most",
        "step": "seconds a step of the whole depth, extrapolated",
        "image": "seconds for all steps of a picture, extrapolated",
        "device": "that it ran on",
        "dtype": "number type",
        "quantize": "number type of the weights, or none",
        "canvas": "pixels, its side",
        "steps": "of a picture",
    },
    "bench.finish": {
        "width": "pixels",
        "height": "pixels",
        "refine": "the way to full size",
        "mad": "mean absolute error of alpha in the unknown band",
        "mse": "mean squared error there",
        "seconds": "for one picture",
    },
    "bench.pipeline": {
        "count": "of pictures",
        "width": "pixels",
        "height": "pixels",
        "setting": "device, number type, batch and threads",
        "start": "seconds until the weights are loaded",
        "seconds": "for all pictures after that",
        "stages": "for each stage the seconds that a thread of it was busy",
        "over_slowest": "`seconds` over those of the slowest of reading, computing and writing",
        "peak_memory": "bytes",
    },
    "bench.steady": {
        "steady": "whether frames built on one another",
        "mse": "mean squared error of alpha",
        "flicker": "mean change of its error from frame to frame",
    },
}


def item_record(result: "Result", seed: int) -> dict[str, Any]:
    """Return the record of one item; `seed` is the run's own."""
    return {
        "status": result.status,
        **_files(result),
        "seed": seed if result.item.seed is None else result.item.seed,
        "seconds": round(result.seconds, 3),
        "warnings": list(result.warnings),
        "error": _error(result),
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


def _files(result: "Result") -> dict[str, Any]:
    item = result.item
    inputs, outputs = (list(map(str, paths)) for paths in (item.inputs, item.outputs))
    return {"task": item.task.name, "inputs": inputs, "text": item.text, "outputs": outputs}


def _error(result: "Result") -> dict[str, str] | None:
    return None if result.error is None else {"code": result.error.code, "message": str(result.error)}
