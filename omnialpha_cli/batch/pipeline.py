"""Read, prepare, infer, finish and write side by side, with memory that does not grow with the number of items.

    reader threads         infer threads           writer threads
    read · prepare  → ready →  batch · infer  → inferred →  finish · write  → finished

Only `Admission` bounds what is between the first and the last stage, from when a picture's size is known, before its
pixels are read. So the queues need no limits of their own and nothing can wait in a circle. The network never waits for
a batch to fill: it takes what is ready, and while it is busy more becomes ready.
"""

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from ..media.image import Image
from ..media.signatures import read_head
from ..model.omnialpha import OmniAlpha
from ..picture.finish import finish
from ..picture.infer import infer
from ..picture.load import is_out_of_memory
from ..picture.prepare import Prepared, prepare
from ..picture.settings import FileOptions, Settings
from ..plan import Item
from ..status import ItemError
from ..tasks import passes
from .batching import Buckets, in_fitting_parts, pixels_ahead
from .files import Reader, write
from .history import Fingerprint
from .job import Result, Span, StageTimes, Threads, keep_codecs_single, use_torch_threads
from .journal import Journal
from .log import LostError
from .resume import fingerprint
from .schedule import Admission, Source

WINDOWS_AHEAD = 3  # of batches
READINGS = 3  # of a file that is written to while it is read


@dataclass(eq=False)
class Work:
    """Hold an item on its way; where it is recorded, with what it is made from."""

    item: Item
    fingerprint: Fingerprint | None
    prepared: Prepared
    seconds: float
    offset: tuple[int, int] | None = None


class Stages:
    """Run the items of `source`, to be iterated once: yields their results as they finish, in no fixed order.

    One bad item is one failed result. After `stop` is set the batch in hand is finished; the rest has no result.
    """

    def __init__(
        self,
        source: Source,
        model: OmniAlpha,
        settings: Settings,
        *,
        batch_size: int,
        threads: Threads,
        stop: threading.Event | None = None,
    ):
        self.source, self.model, self.settings = source, model, settings
        self.threads, self.stop, self.times = threads, stop or threading.Event(), StageTimes()
        ahead = WINDOWS_AHEAD * model.window * batch_size * threads.infer + threads.write
        self.admission = Admission(ahead, pixels_ahead(threads, model.window))
        self.buckets: Buckets[Work] = Buckets(
            lambda work: (work.prepared.task.name, work.prepared.canvas.size), batch_size
        )
        self._reading, self._inferring, self._turn = threads.read, threads.infer, threading.Lock()
        # None in a queue: one of the threads that fill it has ended.
        self.ready: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self.inferred: queue.SimpleQueue[tuple[Work, list[Tensor]] | None] = queue.SimpleQueue()
        self.finished: queue.SimpleQueue[Result | BaseException | None] = queue.SimpleQueue()

    def _read_item(self, item: Item) -> Work:
        """Read and prepare an item."""
        raise NotImplementedError

    def _store(self, work: Work, layers: list[Tensor]) -> Item:
        """Take the finished layers (4, H, W) of an item, and return it as it was made."""
        raise NotImplementedError

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
        finally:
            self._end(threads)

    def _end(self, threads: Sequence[threading.Thread]) -> None:
        """Wait for all threads: one that is still in native code when the process ends would abort it."""
        self.stop.set()
        self.admission.lift()
        for _ in range(self.threads.write):
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
                    work = self._read_item(item.as_it_stands())
                    self.admission.enter(item.outputs[0], work.prepared.pixels)  # if its size was not known before
                except Exception as error:
                    self._finish(failed(item, error))
                else:
                    self.ready.put(work)
                    del work  # a thread that waits holds no picture
        finally:  # also after a fault: those that compute would wait for it, and the run for them
            self.ready.put(None)

    def _infer(self) -> None:
        while window := self._take_window():
            if self.stop.is_set():
                for work in window:
                    self.admission.leave(work.item.outputs[0])
            else:
                self._infer_window(window)
            del window
        with self._turn:
            self._inferring -= 1
            if not self._inferring:
                for _ in range(self.threads.write):
                    self.inferred.put(None)

    def _take_window(self) -> list[Work]:
        """Take what is ready; wait only while there is nothing to compute. Empty when all was taken."""
        with self._turn:
            while self._reading and not (self.buckets and self.ready.empty()):
                if work := self.ready.get():
                    self.buckets.add(work)
                else:
                    self._reading -= 1
            return [work for _ in range(self.model.window) if self.buckets for work in self.buckets.take()]

    def _infer_window(self, window: list[Work]) -> None:
        """Compute the window's batches; once `stop` is set, no more than the one in hand."""

        def too_large(size: int) -> None:
            self.buckets.lower_limit(min(size, self.buckets.limit))

        left = list(window)
        for part, outcome in in_fitting_parts(self._compute, window, too_large):
            left = [work for work in left if work not in part]
            if isinstance(outcome, Exception):
                self._finish(failed(part[0].item, outcome))
            else:
                for work, layers in zip(part, outcome, strict=True):
                    self.inferred.put((work, layers))
            if self.stop.is_set():
                break
        for work in left:
            self.admission.leave(work.item.outputs[0])

    def _compute(self, window: Sequence[Work]) -> Iterator[tuple[list[Work], list[list[Tensor]]]]:
        running = infer(self.model, [work.prepared for work in window], self.settings, self.buckets.limit)
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
        self.finished.put(None)

    def _write_item(self, work: Work, layers: list[Tensor]) -> Result:
        try:
            with self.times.measure("finish") as finishing:
                pictures = finish(work.prepared, layers, self.settings, self.model)
            with self.times.measure("write") as writing:
                item = self._store(work, pictures)
        except LostError:
            raise  # without its journal a result would be taken for another program's
        except Exception as error:
            return failed(work.item, error)
        seconds = work.seconds + finishing.seconds + writing.seconds
        return Result(item, "done", seconds, None, work.prepared.warnings, work.offset, work.prepared.measures)

    def _finish(self, result: Result) -> None:
        self.admission.leave(result.item.outputs[0])
        self.source.finished(result.item)
        self.finished.put(result)


class Pipeline(Stages):
    """Run over files. `weights` is their identity, for the journal."""

    def __init__(
        self,
        source: Source,
        model: OmniAlpha,
        settings: Settings,
        journal: Journal,
        *,
        weights: str,
        batch_size: int,
        threads: Threads,
        stop: threading.Event | None = None,
        files: FileOptions | None = None,
    ):
        super().__init__(source, model, settings, batch_size=batch_size, threads=threads, stop=stop)
        self.journal, self.weights, self.files = journal, weights, files or FileOptions()
        self.reader = Reader(settings, self.files.max_pixels)

    def _read_item(self, item: Item) -> Work:
        if item.error:
            raise item.error
        with self.times.measure("read") as reading:
            images, beside, made_from = self._read_unchanged(item, reading)
        with self.times.measure("prepare") as preparing:
            settings, way = self.settings.for_item(item), passes(item.task, self.model.tasks)
            exposure = self.reader.exposure(item, images)
            prepared = prepare(item.task, images, self.model.defaults, settings, way, exposure, beside)
        return Work(item, made_from, prepared, reading.seconds + preparing.seconds)

    def _read_unchanged(self, item: Item, reading: Span) -> tuple[list[Image], dict[str, Image], Fingerprint]:
        """Read the item's pictures and what it is recorded to be made of: equal bytes, read anew if a file changed."""

        def admit(pixels: int) -> None:
            with reading.waiting():
                self.admission.enter(item.outputs[0], pixels)

        for _ in range(READINGS):
            try:
                made_from = fingerprint(item, self.settings, self.weights)
            except OSError as error:
                for path in item.inputs:
                    read_head(path)  # says what is wrong with it
                raise ItemError("unreadable", f"{item.label} cannot be read: {error.strerror or error}") from None
            try:
                images, beside = self.reader.pictures(item, admit)
            except ItemError:
                if made_from.is_current(item):
                    raise
            else:
                if made_from.is_current(item):
                    return images, beside, made_from
        raise ItemError(
            "unreadable", f"{item.label} changes while it is read: wait until it is complete, then run again"
        )

    def _store(self, work: Work, layers: list[Tensor]) -> Item:
        assert work.fingerprint is not None
        alpha_only, compression = self.settings.alpha_only, self.files.compression
        item, box = write(work.item, layers, work.prepared, alpha_only, compression, work.fingerprint, self.journal)
        work.offset = None if box is None or self.settings.trim is None else (box.x, box.y)
        return item


def failed(item: Item, error: Exception) -> Result:
    """Return the result of an item that failed, whatever the error."""
    if is_out_of_memory(error):
        error = ItemError("memory", f"{item.label}: not enough memory for it")
    elif not isinstance(error, ItemError):
        error = ItemError("internal", f"{item.label}: {type(error).__name__}: {error}")
    return Result(item, "failed", error=error)
