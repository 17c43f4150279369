"""Run many pictures in memory through the stages of the batch: read ahead, batched, and given back in order."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ..item import Item
from ..media.image import Image
from ..media.opening import Admit
from ..model.omnialpha import OmniAlpha
from ..picture.arrays import Pixels, to_pixels
from ..picture.settings import Settings
from ..tasks import Task
from .job import Result, count_cores, divide
from .pipeline import Pictures, Pipeline, Work
from .schedule import POLL_SECONDS, Source

AHEAD = 4  # batches that are begun before the first of them is taken
Read = Callable[[], tuple[Sequence[Image], Mapping[str, Image]]]  # of one item: its pictures, and what is beside them


class _InOrder(Source):
    """Give out items no further ahead than a number of them of what was taken: memory does not grow with the rest."""

    def __init__(self, items: Iterator[Item], ahead: int):
        self.room = threading.Semaphore(ahead)
        self._items, self._lock = items, threading.Lock()

    def take(self, stop: threading.Event) -> Item | None:
        """Return the next item, as soon as there is room for it."""
        while not self.room.acquire(timeout=POLL_SECONDS):
            if stop.is_set():
                return None
        with self._lock:
            item = None if stop.is_set() else next(self._items, None)
        if item is None:
            self.room.release()  # for the other threads, which end too
        return item


def _index(item: Item) -> int:
    """Return the place of an item among the pictures."""
    return int(item.outputs[0].name)


def make_many(
    model: OmniAlpha, task: Task, reads: Sequence[Read], settings: Settings
) -> Iterator[tuple[list[Pixels], Result]]:
    """Make a task of every item: layers (H, W, 4) as of `to_pixels`, and the result, in their order."""
    made: dict[int, list[Pixels]] = {}

    def read(item: Item, admit: Admit) -> Pictures:
        return Pictures(*reads[_index(item)]())

    def store(work: Work, layers: Sequence[Tensor]) -> tuple[Item, None]:
        made[_index(work.item)] = [to_pixels(layer, work.prepared) for layer in layers]
        return work.item, None

    batch_size, threads = divide(model, count_cores(), len(reads))
    names = (Path(str(index)) for index in range(len(reads)))
    format = settings.format or "tiff"
    items = (Item(task, (name,), (name,), text=settings.text, format=format) for name in names)
    source = _InOrder(items, AHEAD * model.window * batch_size * threads.infer)
    waiting: dict[int, Result] = {}
    following = 0
    for result in Pipeline(source, model, settings, read, store, batch_size=batch_size, threads=threads):
        waiting[_index(result.item)] = result
        while following in waiting:
            yield made.pop(following, []), waiting.pop(following)
            following += 1
            source.room.release()
