"""Decide in which order items may begin: as they were planned, but a steady frame only after the one before it."""

import threading
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from ..plan import Item

POLL_SECONDS = 0.1  # between looks at whether the run was stopped, while there is nothing to take


class Source(Protocol):
    """Give a pipeline its items."""

    def take(self, stop: threading.Event) -> Item | None:
        """Return the next item, as soon as it may begin; None when there are no more, or the run is stopped."""

    def finished(self, item: Item) -> None:
        """Note that the item has its result, or never will."""


class Schedule:
    """Schedule the items of a run, for any number of threads."""

    def __init__(self, items: Iterable[Item]):
        self._ready: deque[Item] = deque()
        self._after: dict[Path, list[Item]] = {}  # result → the items that wait for it
        self._changed = threading.Condition()
        items = list(items)
        is_steady = any(item.previous for item in items)
        to_come = {item.outputs[0] for item in items} if is_steady else set()
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

    def __init__(self, items: int, pixels: int):
        self.items, self.pixels = items, pixels
        self._inside: list[int] = []
        self._lifted = False
        self._changed = threading.Condition()

    def enter(self, pixels: int) -> None:
        """Wait until there is room for a picture of so many pixels."""
        with self._changed:
            self._changed.wait_for(lambda: self._fits(pixels))
            self._inside.append(pixels)

    def leave(self, pixels: int) -> None:
        """Make room for others."""
        with self._changed:
            self._inside.remove(pixels)
            self._changed.notify_all()

    def lift(self) -> None:
        """Hold nobody back any longer."""
        with self._changed:
            self._lifted = True
            self._changed.notify_all()

    def _fits(self, pixels: int) -> bool:
        if self._lifted or not self._inside:
            return True
        return len(self._inside) < self.items and sum(self._inside) + pixels <= self.pixels
