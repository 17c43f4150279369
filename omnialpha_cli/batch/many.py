"""Run many pictures in memory through the stages of the batch: read ahead, batched, and given back in order."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ..media.image import Image
from ..model.omnialpha import OmniAlpha
from ..picture.arrays import Pixels, to_pixels
from ..picture.prepare import prepare
from ..picture.settings import Settings
from ..plan import Item
from ..tasks import Task, passes
from .batching import divide
from .job import Result, Threads, count_cores
from .pipeline import Stages, Work
from .schedule import POLL_SECONDS, Source

AHEAD = 4  # batches that are begun before the first of them is taken
Read = Callable[[], tuple[Sequence[Image], Mapping[str, Image]]]  # of one item: its pictures, and what is beside them


class _InOrder(Source):
    """Give out items no further ahead than a number of them of what was taken: memory does not grow with the rest."""

    def __init__(self, reads: Iterable[Read], task: Task, settings: Settings, ahead: int):
        self._reads, self._task, self._settings = enumerate(reads), task, settings
        self._room, self._lock = threading.Semaphore(ahead), threading.Lock()
        self.reads: dict[int, Read] = {}

    def take(self, stop: threading.Event) -> Item | None:
        """Return the next item, as soon as there is room for it."""
        while not self._room.acquire(timeout=POLL_SECONDS):
            if stop.is_set():
                return None
        with self._lock:
            index, read = next(self._reads, (None, None))
            if index is None or read is None or stop.is_set():
                self._room.release()  # for the other threads, which end too
                return None
            self.reads[index] = read
        name = Path(str(index))
        return Item(self._task, (name,), (name,), text=self._settings.text, format=self._settings.format or "tiff")

    def taken(self) -> None:
        """Make room for one more."""
        self._room.release()


class _Many(Stages):
    source: _InOrder

    def __init__(self, source: _InOrder, model: OmniAlpha, settings: Settings, batch_size: int, threads: Threads):
        super().__init__(source, model, settings, batch_size=batch_size, threads=threads)
        self.layers: dict[int, list[Pixels]] = {}

    def _read_item(self, item: Item) -> Work:
        index = index_of(item)
        with self.times.measure("read") as reading:
            images, beside = self.source.reads.pop(index)()
        with self.times.measure("prepare") as preparing:
            settings, way = self.settings.for_item(item), passes(item.task, self.model.tasks)
            prepared = prepare(item.task, images, self.model.defaults, settings, way, beside=beside)
        return Work(item, None, prepared, reading.seconds + preparing.seconds)

    def _store(self, work: Work, layers: list[Tensor]) -> Item:
        self.layers[index_of(work.item)] = [to_pixels(layer, work.prepared) for layer in layers]
        return work.item


def index_of(item: Item) -> int:
    """Return the place of an item among the pictures."""
    return int(item.outputs[0].name)


def make_many(
    model: OmniAlpha, task: Task, reads: Sequence[Read], settings: Settings
) -> Iterator[tuple[list[Pixels], Result]]:
    """Make a task of every item: layers (H, W, 4) as of `to_pixels`, and the result, in their order."""
    batch_size, threads = divide(model, count_cores(), len(reads))
    source = _InOrder(reads, task, settings, AHEAD * model.window * batch_size * threads.infer)
    stages = _Many(source, model, settings, batch_size, threads)
    waiting: dict[int, tuple[list[Pixels], Result]] = {}
    following = 0
    for result in stages:
        index = index_of(result.item)
        waiting[index] = stages.layers.pop(index, []), result
        while following in waiting:
            made = waiting.pop(following)
            following += 1
            yield made
            source.taken()
