"""Decide which items this machine makes, and in which order: a steady frame only after the one before it."""

import hashlib
import math
import os
import threading
from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..files import path_below
from ..item import Item
from ..status import UsageError

POLL_SECONDS = 0.1  # between looks at whether the run was stopped, while there is nothing to take


class Source:
    """Give a pipeline its items, to any number of threads."""

    def take(self, stop: threading.Event) -> Item | None:
        """Return the next item, as soon as it may begin; None when there are no more, or the run is stopped."""
        raise NotImplementedError

    def finished(self, item: Item) -> None:
        """Note that the item has its result, or never will: for those that others wait for."""


class Schedule(Source):
    """Schedule the items of a run, for any number of threads."""

    def __init__(self, items: Iterable[Item]):
        self._ready: deque[Item] = deque()
        self._after: dict[Path, list[Item]] = {}  # result → the items that wait for it
        self._changed = threading.Condition()
        items = list(items)
        to_come = {item.outputs[0] for item in items} if any(item.previous for item in items) else set()
        for item in items:
            if item.previous in to_come:
                self._after.setdefault(item.previous, []).append(item)
            else:
                self._ready.append(item)

    @property
    def exhausted(self) -> bool:
        """Tell whether all items have been taken."""
        with self._changed:
            return not self._ready and not self._after

    def take_now(self) -> Item | None:
        """Return the next item that may begin, if there is one at the moment."""
        with self._changed:
            return self._ready.popleft() if self._ready else None

    def take(self, stop: threading.Event) -> Item | None:
        """Return the next item, as soon as it may begin; None when there are no more, or the run is stopped."""
        with self._changed:
            while not self._ready and self._after and not stop.is_set():
                self._changed.wait(POLL_SECONDS)
            return self._ready.popleft() if self._ready and not stop.is_set() else None

    def finished(self, item: Item) -> None:
        """Let the items begin that wait for this one, whatever became of it."""
        with self._changed:
            self._ready.extend(self._after.pop(item.outputs[0], ()))
            self._changed.notify_all()


class Admission:
    """Let pictures in while their number and their pixels are within bounds; one larger than that goes alone."""

    def __init__(self, items: float, pixels: float):
        self.items, self.pixels = items, pixels
        self._inside: dict[Hashable, int] = {}
        self._changed = threading.Condition()

    def enter(self, name: Hashable, pixels: int) -> None:
        """Wait until there is room for a picture of so many pixels; one that is inside already stays."""
        with self._changed:
            if name not in self._inside:
                self._changed.wait_for(lambda: self._fits(pixels))
                self._inside[name] = pixels

    def leave(self, name: Hashable) -> None:
        """Make room for others, if the picture was inside."""
        with self._changed:
            self._inside.pop(name, None)
            self._changed.notify_all()

    def lift(self) -> None:
        """Hold nobody back any longer."""
        with self._changed:
            self.items = self.pixels = math.inf
            self._changed.notify_all()

    def _fits(self, pixels: int) -> bool:
        inside = self._inside
        return not inside or (len(inside) < self.items and sum(inside.values()) + pixels <= self.pixels)


def first_frames(items: Iterable[Item]) -> dict[Path, Path]:
    """Return, by an item's result, that of the first of the frames that it builds on: its own, if it builds on none."""
    firsts: dict[Path, Path] = {}
    for item in items:
        own = item.outputs[0]
        firsts[own] = firsts.get(item.previous or own, own)
    return firsts


@dataclass(frozen=True)
class Shard:
    """Share `index`, from 0, of `count`. Who makes an item is decided by a hash of its output path alone."""

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `i/n`, or, for `slurm`, the variables of a job array. Raises UsageError."""
        if text == "slurm":
            return cls._of_slurm()
        index, slash, count = text.partition("/")
        if slash and index.isdecimal() and count.isdecimal() and int(index) < int(count):
            return cls(int(index), int(count))
        raise UsageError(f"--shard {text}: give i/n, with i from 0 to n − 1, for example 0/4")

    @classmethod
    def _of_slurm(cls) -> Self:
        """Return i = (ID − MIN) / STEP; the step follows from the number of tasks, which Slurm tells too."""
        names = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_STEP")
        try:
            own, first, last, step = (int(os.environ[name]) for name in names)
            tasks = range(first, last + 1, step)
            return cls(tasks.index(own), len(tasks))
        except KeyError as error:
            raise UsageError(f"--shard slurm: {error.args[0]} is not set; is this a task of a job array?") from None
        except ValueError:
            raise UsageError(f"--shard slurm: {', '.join(names)} do not make up an array of the form MIN-MAX:STEP "
                             "with this task in it") from None  # fmt: skip

    def __str__(self) -> str:
        """Return the name of its journal."""
        return f"{self.index}-of-{self.count}"

    def holds(self, path: Path, output: Path) -> bool:
        """Tell whether the result `path` belongs to this share of the runs into `output`."""
        key = path_below(path, output).encode("utf-8", "surrogateescape")
        return int.from_bytes(hashlib.sha256(key).digest()[:8]) % self.count == self.index

    def select(self, items: Sequence[Item], output: Path) -> list[Item]:
        """Return the items of this share, in order. Frames that build on one another stay together."""
        if self.count == 1:
            return list(items)
        firsts = first_frames(items)
        return [item for item in items if self.holds(firsts[item.outputs[0]], output)]
