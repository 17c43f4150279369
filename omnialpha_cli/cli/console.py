"""Show users paths or records on standard output, progress and messages on standard error."""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, BinaryIO, Self

from ..media.provenance import MEASURES
from ..status import ExitStatus, RunNote
from . import streams
from .streams import Pipe, printable, record_line, say

if TYPE_CHECKING:
    from rich.progress import Progress

    from ..batch.job import Result
    from .options import Options


DUMB = ("dumb", "unknown")  # terminals, by $TERM, whose lines cannot be written over


class Console:
    """Report one run: a bar on a terminal, plain lines elsewhere; with a `pipe`, nothing on standard output."""

    def __init__(self, options: "Options", report: BinaryIO | None = None, pipe: Pipe | None = None):
        self.options, self.report, self.pipe = options, report, pipe
        self.doubtful: list[Result] = []
        self.counts = {"done": 0, "planned": 0, "skipped": 0, "failed": 0}
        self.total = 0
        self.start = time.monotonic()
        self._bar: Progress | None = None
        self._waiting = threading.Timer(streams.SOON, say)
        self._lost: dict[str, str] = {}  # streams that take no more, and why; "" for a reader that left
        self._warned: set[str] = set()  # warnings, without the names of their files

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._waiting.cancel()
        if self._bar:
            self._bar.stop()

    def begin(self, total: int, bar: bool = True) -> None:
        """Start the progress of so many items, with a bar where it is wanted and the terminal can show it."""
        self.total = total
        if bar and not self.options.quiet and sys.stderr.isatty() and os.environ.get("TERM", "").lower() not in DUMB:
            self._bar = _progress_bar()
            self._bar.add_task("", total=total, rate="starting")
            self._bar.start()

    def waits(self, what: str) -> None:
        """Say what a run waits for until its next result: in a log if that takes long."""
        self._waiting.cancel()
        if self._bar:
            self._bar.update(self._bar.task_ids[0], rate=what, refresh=True)
        elif not self.options.quiet:
            self._waiting = threading.Timer(streams.SOON, self._message, (f"{what} …",))
            self._waiting.daemon = True
            self._waiting.start()

    def note(self, message: str) -> None:
        """Write a message for `--verbose`."""
        if self.options.verbose:
            self._message(message)

    def tell(self, message: str) -> None:
        """Write a message that `--quiet` leaves out."""
        if not self.options.quiet:
            self._message(message)

    def warn(self, message: str) -> None:
        """Write a message that is always shown."""
        self._message(f"warning: {message}")

    def item(self, result: "Result") -> None:
        """Report one result."""
        self._waiting.cancel()
        self.counts[result.status] += 1
        self._record("item", _item_record, result, self.options.seed)
        if result.status != "failed":
            self._paths(result)
        if result.measures.get("confidence", 1.0) < (self.options.min_confidence or 0.0):
            self.doubtful.append(result)
            self._message(f"doubtful: {result.item.outputs[0]} (confidence {result.measures['confidence']:g})")
        label = str(result.item.label)
        for warning in result.warnings:
            kind = warning.replace(label, "")
            for number, path in enumerate(result.item.inputs[1:]):
                kind = kind.replace(str(path), f"hint {number}")
            if isinstance(warning, RunNote) and kind in self._warned:
                continue
            self._warned.add(kind)
            self.warn(warning if label in warning else f"{label}: {warning}")
        if result.error:
            self._message(f"failed: {result.error}")
        finished = sum(self.counts.values())
        if self._bar:
            rate = finished / max(time.monotonic() - self.start, 1e-3)
            self._bar.update(self._bar.task_ids[0], completed=finished, rate=f"{rate:.2f} files/s")
        elif not self.options.quiet and result.status == "done":
            place = "standard output" if self.pipe else result.item.outputs[0]
            self._message(f"{finished}/{self.total} {place} ({result.seconds:.2f} s)")

    def planned(self, result: "Result") -> None:
        """Report what a dry run foresees for one item."""
        self.counts["planned" if result.status == "done" else result.status] += 1
        self._record("plan", _plan_record, result)
        if result.error:
            self._message(f"would fail: {result.error}")
            return
        self._paths(result)
        if not self.options.quiet:
            verb = "would make" if result.status == "done" else "done already"
            made_from = ", ".join(map(str, result.item.inputs)) or result.item.text
            self._message(f"{verb}: {made_from} → {', '.join(map(str, result.item.outputs))}")

    def absent(self, results: Iterable["Result"]) -> None:
        """Record items of which no input exists; what is wrong is said once, for all of them."""
        for result in results:
            self.counts[result.status] += 1
            self._record("item", _item_record, result, self.options.seed)
        self._record_end(0.0, ExitStatus.NO_INPUTS)

    def summary(self, status: ExitStatus, dry_run: bool = False) -> ExitStatus:
        """Write the last record and the last line; returns the exit status, which lost records change."""
        if self._bar:
            self._bar.stop()
            self._bar = None
        seconds = time.monotonic() - self.start
        counts = self._record_end(seconds, status)
        if not self.options.quiet:
            words = {"skipped": "done already", "failed": "would fail"} if dry_run else {}
            always = "planned" if dry_run else "done"
            parts = [f"{n} {words.get(name, name)}" for name, n in counts.items() if n or name == always]
            self._message(", ".join(parts) + f" in {seconds:.1f} s")
        if faults := [f"{name} ({reason})" for name, reason in self._lost.items() if reason]:
            say(f"omnialpha: not all could be written to {', '.join(faults)}")
            return status or ExitStatus.FAILED
        return status

    def _record_end(self, seconds: float, status: ExitStatus) -> dict[str, int]:
        """Write the last record; return how many items were done, failed, and so on."""
        unfinished = max(0, self.total - sum(self.counts.values()))
        counts = {**self.counts, "unfinished": unfinished, "doubtful": len(self.doubtful)}
        self._record("summary", dict, {**counts, "seconds": round(seconds, 3), "exit": int(status)})
        return counts

    def _message(self, text: str) -> None:
        text = self.pipe.shown(text) if self.pipe else text
        if self._bar:
            self._bar.console.out(printable(text), highlight=False)
        elif "standard error" not in self._lost and not say(text):
            self._lost["standard error"] = "closed or full"

    def _paths(self, result: "Result") -> None:
        for path in () if self.options.json or self.pipe else result.item.outputs:
            if self._bar and sys.stdout.isatty():
                self._bar.console.out(printable(path), highlight=False)  # above the bar, on the same terminal
            else:
                self._write("standard output", os.fsencode(path) + b"\n")

    def _record(self, event: str, describe: Callable[..., dict[str, Any]], *what: object) -> None:
        if not (self.report or self.options.json):
            return
        line = record_line(event, describe(*what)).encode()
        if self.report:
            self._write("the report", line)
        if self.options.json:
            self._write("standard output", line)

    def _write(self, name: str, line: bytes) -> None:
        """Write to a stream; where that fails, or its reader has left, as `| head -1` does, go on without it."""
        if name in self._lost:
            return
        try:
            if name == "the report" and self.report:
                self.report.write(line)
            else:
                streams.write(sys.stdout, line)
        except BrokenPipeError:
            self._lost[name] = ""
        except OSError as error:
            self._lost[name] = error.strerror or str(error)


def _item_record(result: "Result", seed: int) -> dict[str, Any]:
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


def _plan_record(result: "Result") -> dict[str, Any]:
    """Return the record of one planned item: of a result that a dry run foresees."""
    action = {"done": "make", "skipped": "skip", "failed": "fail"}[result.status]
    return {"action": action, **_files(result), "error": _error(result)}


def _files(result: "Result") -> dict[str, Any]:
    item = result.item
    inputs, outputs = (list(map(str, paths)) for paths in (item.inputs, item.outputs))
    return {"task": item.task.name, "inputs": inputs, "text": item.text, "outputs": outputs}


def _error(result: "Result") -> dict[str, str] | None:
    return None if result.error is None else {"code": result.error.code, "message": str(result.error)}


def _progress_bar() -> "Progress":
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files, {task.fields[rate]},"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=RichConsole(stderr=True),
        redirect_stdout=False,  # rich would send it to standard error
        redirect_stderr=False,
    )
