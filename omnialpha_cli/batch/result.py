"""Describe what became of an item."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal

from ..plan import Item
from ..status import ItemError

Status = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class Result:
    """Hold the outcome of an item; `seconds` is the time spent on it, without waiting.

    `offset` is where the upper left corner of a trimmed result lies in its picture: left, top.
    `measures` are what the model tells of it, by the names of `media.provenance.MEASURES`.
    """

    item: Item
    status: Status
    seconds: float = 0.0
    error: ItemError | None = None
    warnings: tuple[str, ...] = ()
    offset: tuple[int, int] | None = None
    measures: Mapping[str, float] = field(default_factory=dict)

    def is_doubtful(self, least: float | None) -> bool:
        """Tell whether its confidence is known, and lower than the `least` that is asked for."""
        return least is not None and self.measures.get("confidence", 1.0) < least


STAGES = ("read", "prepare", "infer", "finish", "write")


@dataclass
class Span:
    """Measure one block; `seconds` is set when it ends."""

    seconds: float = 0.0


class StageTimes:
    """Sum busy seconds by stage, over the threads that share it."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._lock = threading.Lock()

    def __str__(self) -> str:
        """Format the times for `--verbose`."""
        return ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in self.seconds.items())

    @contextmanager
    def measure(self, stage: str) -> Iterator[Span]:
        """Add the time of the block to `stage`, also when it fails."""
        span = Span()
        start = time.perf_counter()
        try:
            yield span
        finally:
            span.seconds = time.perf_counter() - start
            with self._lock:
                self.seconds[stage] += span.seconds
