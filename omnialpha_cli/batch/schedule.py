"""In which order items may begin: as they were planned, but a steady frame only after the one before it."""

import threading
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from ..plan import Item

POLL_SECONDS = 0.1  # between looks at whether the run was stopped, while there is nothing to take


class Source(Protocol):
    """Where a pipeline gets its items."""

    def take(self, stop: threading.Event) -> Item | None:
        """The next item, as soon as it may begin; None when there are no more, or the run is stopped."""

    def finished(self, item: Item) -> None:
        """Be told that the item has its result, or never will."""


class Schedule:
    """The items of a run, for any number of threads."""

    def __init__(self, items: Iterable[Item]):
        self._ready: deque[Item] = deque()
        self._after: dict[Path, list[Item]] = {}  # result → the items that wait for it
        self._changed = threading.Condition()
        items = list(items)
        to_come = {item.outputs[0] for item in items}
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
        """The next item that may begin, if there is one at the moment."""
        with self._changed:
            return self._ready.popleft() if self._ready else None

    def take(self, stop: threading.Event) -> Item | None:
        """As in `Source`."""
        with self._changed:
            while not self._ready and self._after and not stop.is_set():
                self._changed.wait(POLL_SECONDS)
            return self._ready.popleft() if self._ready and not stop.is_set() else None

    def finished(self, item: Item) -> None:
        """Let the items begin that wait for this one, whatever became of it."""
        with self._changed:
            self._ready.extend(self._after.pop(item.outputs[0], ()))
            self._changed.notify_all()
