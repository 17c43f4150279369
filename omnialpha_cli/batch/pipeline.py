"""Read, prepare, infer, finish and write side by side, with memory that does not grow with the number of items.

    reader threads         infer threads           writer threads
    read · prepare  → ready →  batch · infer  → inferred →  finish · write  → finished

Only `Admission` bounds what is between the first and the last stage, from when a picture's size is known, before its
pixels are read. So the queues need no limits of their own and nothing can wait in a circle. The network never waits for
a batch to fill: it takes what is ready, and while it is busy more becomes ready.
"""

import queue
import threading
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from ..item import Item
from ..media.image import Image
from ..media.opening import Admit
from ..model.omnialpha import OmniAlpha
from ..picture.finish import finish
from ..picture.infer import infer
from ..picture.load import is_out_of_memory, release_cached_memory
from ..picture.prepare import Prepared, prepare
from ..picture.settings import Settings
from ..picture.view import Exposure
from ..status import ItemError
from ..tasks import passes
from .job import Result, StageTimes, Threads, keep_codecs_single, pixels_ahead, use_torch_threads
from .journal import LostError
from .resume import Fingerprint
from .schedule import Admission, Source

WINDOWS_AHEAD = 3  # of batches

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Pictures:
    """Hold the pictures of an item's task, by name those beside them, its sequence's exposure, and their record."""

    images: Sequence[Image]
    beside: Mapping[str, Image]
    exposure: Exposure | None = None
    made_from: Fingerprint | None = None


@dataclass(eq=False)
class Work:
    """Hold an item on its way; where it is recorded, with what it is made from."""

    item: Item
    made_from: Fingerprint | None
    prepared: Prepared
    seconds: float

    def kind(self) -> Hashable:
        """Return what the works of a batch have in common."""
        return self.prepared.task.name, self.prepared.canvas.size


class Pipeline:
    """Run the items of `source`, to be iterated once: yields their results as they finish, in no fixed order.

    `read` gives an item's pictures, and calls `admit` with the pixels of each before it reads them. `store` takes the
    finished layers (4, H, W) of an item; it returns the item as it was made, and of a trimmed picture its left and top
    in the whole. One bad item is one failed result. After `stop` is set the batch in hand is finished; the rest has no
    result.
    """

    def __init__(
        self,
        source: Source,
        model: OmniAlpha,
        settings: Settings,
        read: Callable[[Item, Admit], Pictures],
        store: Callable[[Work, Sequence[Tensor]], tuple[Item, tuple[int, int] | None]],
        *,
        batch_size: int,
        threads: Threads,
        stop: threading.Event | None = None,
    ):
        self.source, self.model, self.settings = source, model, settings
        self.read, self.store, self.threads = read, store, threads
        self.stop, self.times = stop or threading.Event(), StageTimes()
        ahead = WINDOWS_AHEAD * model.window * batch_size * threads.infer + threads.write
        self.admission = Admission(ahead, pixels_ahead(threads, model.window))
        self.waiting: list[Work] = []  # for a batch
        self.limit = batch_size  # lowered on out-of-memory
        self._reading, self._inferring, self._turn = threads.read, threads.infer, threading.Lock()
        # None in a queue: one of the threads that fill it has ended, of `inferred` all of them.
        self.ready: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self.inferred: queue.SimpleQueue[tuple[Work, list[Tensor]] | None] = queue.SimpleQueue()
        self.finished: queue.SimpleQueue[Result | BaseException | None] = queue.SimpleQueue()

    def __iter__(self) -> Iterator[Result]:
        """Start the threads and give results until all have ended. Leaving early stops them."""
        keep_codecs_single()
        threads = [
            threading.Thread(target=self._guard, args=(stage, torch_threads), daemon=True)
            for stage, count, torch_threads in (
                (self._read, self.threads.read, 1),
                (self._infer, self.threads.infer, self.threads.torch),
                (self._write, self.threads.write, 1),  # its tiles are too small to share: threads would only wait
            )
            for _ in range(count)
        ]
        for thread in threads:
            thread.start()
        writing = self.threads.write
        try:
            while writing:
                result = self.finished.get()
                if result is None:
                    writing -= 1
                elif isinstance(result, BaseException):
                    raise result
                else:
                    yield result
        finally:  # a thread that is still in native code when the process ends would abort it
            self.stop.set()
            self.admission.lift()
            self.inferred.put(None)
            for thread in threads:
                thread.join()

    def _guard(self, stage: Callable[[], None], torch_threads: int) -> None:
        """Run a stage; a fault of the runner itself has to reach the caller, who would else wait for ever."""
        try:
            use_torch_threads(torch_threads)
            stage()
        except BaseException as error:
            self.finished.put(error)

    def _read(self) -> None:
        try:
            while item := self.source.take(self.stop):
                try:
                    work = self._prepare(item.as_it_stands())
                    self.admission.enter(item.outputs[0], work.prepared.pixels)  # if its size was not known before
                except Exception as error:
                    self._finish(failed(item, error))
                else:
                    self.ready.put(work)
                    del work  # a thread that waits holds no picture
        finally:  # also after a fault: those that compute would wait for it, and the run for them
            self.ready.put(None)

    def _prepare(self, item: Item) -> Work:
        with self.times.measure("read") as reading:

            def admit(pixels: int) -> None:
                start = time.perf_counter()
                self.admission.enter(item.outputs[0], pixels)
                reading.waited += time.perf_counter() - start

            read = self.read(item, admit)
        with self.times.measure("prepare") as preparing:
            settings, way = self.settings.for_item(item), passes(item.task, self.model.tasks)
            prepared = prepare(item.task, read.images, self.model.defaults, settings, way, read.exposure, read.beside)
        return Work(item, read.made_from, prepared, reading.seconds + preparing.seconds)

    def _infer(self) -> None:
        while window := self._take_window():
            self._infer_window(window)
            del window
        with self._turn:
            self._inferring -= 1
            if not self._inferring:
                self.inferred.put(None)

    def _take_window(self) -> list[Work]:
        """Take what is ready; wait only while there is nothing to compute. Empty when all was taken."""
        with self._turn:
            while self._reading and not (self.waiting and self.ready.empty()):
                if work := self.ready.get():
                    self.waiting.append(work)
                else:
                    self._reading -= 1
            batches = [take_batch(self.waiting, self.limit, Work.kind) for _ in range(self.model.window)]
            return [work for batch in batches for work in batch]

    def _infer_window(self, window: Sequence[Work]) -> None:
        """Compute the window's batches; once `stop` is set, no more than the one in hand."""
        left = list(window)
        parts = in_fitting_parts(self._compute, window, self._lower_limit)
        while not self.stop.is_set() and (computed := next(parts, None)):
            part, outcome = computed
            left = [work for work in left if work not in part]
            if isinstance(outcome, Exception):
                self._finish(failed(part[0].item, outcome))
            else:
                for work, layers in zip(part, outcome, strict=True):
                    self.inferred.put((work, layers))
        for work in left:
            self.admission.leave(work.item.outputs[0])

    def _lower_limit(self, too_large: int) -> None:
        """Make batches of half the size that was too large."""
        self.limit = max(1, min(too_large, self.limit) // 2)

    def _compute(self, window: Sequence[Work]) -> Iterator[tuple[list[Work], list[list[Tensor]]]]:
        running = infer(self.model, [work.prepared for work in window], self.settings, self.limit)
        while True:
            with self.times.measure("infer") as inferring:
                done = next(running, None)
            if done is None:
                return
            batch = [window[i] for i in done[0]]
            for work, (prepared, _) in zip(batch, done[1], strict=True):
                work.prepared = prepared
                work.seconds += inferring.seconds / len(batch)
            yield batch, [layers for _, layers in done[1]]

    def _write(self) -> None:
        while inferred := self.inferred.get():
            self._finish(self._write_item(*inferred))
            del inferred
        self.inferred.put(None)  # for the other writers
        self.finished.put(None)

    def _write_item(self, work: Work, layers: list[Tensor]) -> Result:
        try:
            with self.times.measure("finish") as finishing:
                pictures = finish(work.prepared, layers, self.settings, self.model)
            with self.times.measure("write") as writing:
                item, offset = self.store(work, pictures)
        except LostError:
            raise  # without its journal a result would be taken for another program's
        except Exception as error:
            return failed(work.item, error)
        seconds = work.seconds + finishing.seconds + writing.seconds
        return Result(item, "done", seconds, None, work.prepared.warnings, offset, work.prepared.measures)

    def _finish(self, result: Result) -> None:
        self.admission.leave(result.item.outputs[0])
        self.source.finished(result.item)
        self.finished.put(result)


def take_batch(waiting: list[T], limit: int, key: Callable[[T], Hashable]) -> list[T]:
    """Remove and return the next batch, of one `key`: a full one, so that mixed folders fill theirs, else the oldest's.

    It is empty if none waits.
    """
    alike: dict[Hashable, list[T]] = {}
    for item in waiting:
        alike.setdefault(key(item), []).append(item)
    full = (group for group in alike.values() if len(group) >= limit)
    batch = next(full, next(iter(alike.values()), []))[:limit]
    for item in batch:
        waiting.remove(item)
    return batch


def in_fitting_parts(
    compute: Callable[[Sequence[T]], Iterator[tuple[Sequence[T], Sequence[R]]]],
    window: Sequence[T],
    too_large: Callable[[int], None],
) -> Iterator[tuple[Sequence[T], Sequence[R] | Exception]]:
    """Compute a window of batches; on a fault what is left in two halves, until it is pinned to single items.

    `compute` gives items with results as they are done; `too_large` is told the number for which memory was short.
    """
    left = list(window)
    try:
        for done, results in compute(left):
            yield done, results
            left = [item for item in left if item not in done]
    except Exception as error:
        fault = error.with_traceback(None)  # the traceback would keep the failed attempt's tensors alive
    else:
        return
    if is_out_of_memory(fault):
        release_cached_memory()
        too_large(len(left))
    half = len(left) // 2
    if half == 0:
        yield left, fault
        return
    for part in (left[:half], left[half:]):
        yield from in_fitting_parts(compute, part, too_large)


def failed(item: Item, error: Exception) -> Result:
    """Return the result of an item that failed, whatever the error."""
    if is_out_of_memory(error):
        error = ItemError("memory", f"{item.label}: not enough memory for it")
    elif not isinstance(error, ItemError):
        error = ItemError("internal", f"{item.label}: {type(error).__name__}: {error}")
    return Result(item, "failed", error=error)
