"""Run one worker process a device, all taking from one plan. Items of a worker that dies go to the others.

A worker asks for an item whenever its pipeline has room for one, and tells each result. What it holds when it dies is
suspect, and is given out again one item at a time, to a worker that holds nothing else: an item that a second worker
dies of is known to be the one, and fails.
"""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from ..item import Item
from ..status import DeviceError, ItemError
from .job import Job, Result
from .journal import Journal
from .schedule import Schedule, Source

WAKE_SECONDS = 0.2  # between looks at whether the run was stopped
DEATHS = 6  # after so many without a result in between a worker is not started again; an item that kills takes two


Serve = Callable[[Job, Connection, Connection], None]


class Parent(Source):
    """Take a worker's items from the parent, one after another."""

    def __init__(self, channel: Connection):
        self.channel = channel
        self._sending, self._asking = threading.Lock(), threading.Lock()

    def tell(self, kind: str, value: Any = None) -> None:
        """Send one message, from any thread."""
        with self._sending:
            self.channel.send((kind, value))

    def take(self, stop: threading.Event) -> Item | None:
        """Ask, and wait for the answer."""
        with self._asking:
            if stop.is_set():
                return None
            self.tell("asks")
            item: Item | None = self.channel.recv()
            return item


def serve(job: Job, channel: Connection, control: Connection) -> None:
    """Serve as a worker process until there are no more items."""
    from .worker import Worker  # brings torch, which the parent has no use for

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # the parent decides; both are often sent to the whole group
    stop = threading.Event()
    threading.Thread(target=_obey, args=(control, stop), daemon=True).start()
    parent = Parent(channel)
    try:
        worker = Worker(job)
        parent.tell("note", f"a worker on {worker}")
        with Journal.of_worker(job.output, job.shard) as journal:
            for result in worker.make(parent, journal, stop):
                parent.tell("result", result)
        parent.tell("ends", f"busy on {job.device}: {worker.times}")
    except (BrokenPipeError, EOFError):
        os._exit(1)  # nobody to tell
    except Exception as error:
        parent.tell("fault", error)
    os._exit(0)  # all is written, and libraries have nothing to say that matters


def _obey(control: Connection, stop: threading.Event) -> None:
    """Stop when the parent says so, and end at once when it is gone."""
    try:
        while control.recv():
            stop.set()
    except EOFError:
        os._exit(1)


class Hand:
    """Hold the parent's end of one worker process."""

    def __init__(self, job: Job, serve: Serve):
        self.job, self.serve = job, serve
        self.deaths = 0

    def start(self) -> None:
        """Start the process, for the first time or again."""
        context = multiprocessing.get_context("spawn")  # a fork would copy threads and CUDA's state
        self.channel, theirs = context.Pipe()
        their_control, self.control = context.Pipe(duplex=False)
        self.held: dict[Path, Item] = {}  # by result: what it has taken, and not told a result of
        self.asking = self.ended = False
        work = (self.job, theirs, their_control)
        self.process: BaseProcess = context.Process(target=self.serve, args=work, daemon=True)
        self.process.start()
        theirs.close()
        their_control.close()

    def give(self, item: Item | None) -> None:
        """Answer its question; None: there is nothing more."""
        self.asking = False
        if item:
            self.held[item.outputs[0]] = item
        with suppress(OSError):  # it died: the next look at its channel tells
            self.channel.send(item)

    def stop(self) -> None:
        """Ask it to finish the batch in hand."""
        with suppress(OSError):
            self.control.send(True)

    def close(self) -> None:
        """End the process, if it has not ended."""
        self.control.close()
        self.process.join(timeout=5)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.channel.close()


class Pool:
    """Run `items` by a worker for each of `jobs`; to be iterated once. `note` is told what is worth knowing."""

    def __init__(
        self,
        jobs: Sequence[Job],
        items: Sequence[Item],
        stop: threading.Event,
        note: Callable[[str], None],
        serve: Serve = serve,
    ):
        self.stop, self.note = stop, note
        self.hands = [Hand(job, serve) for job in jobs]
        self.schedule = Schedule(items)
        self.suspects: deque[Item] = deque()  # each was held by a worker that died
        self.suspected: set[Path] = set()  # those and the ones given out again, by result

    def __iter__(self) -> Iterator[Result]:
        """Give results until there are no more. Raises what a worker could not start for, or DeviceError."""
        for hand in self.hands:
            hand.start()
        told_to_stop = False
        try:
            while by_channel := {hand.channel: hand for hand in self.hands if not hand.ended}:
                if self.stop.is_set() and not told_to_stop:
                    told_to_stop = True
                    for hand in self.hands:
                        hand.stop()
                self._hand_out()
                for channel in wait(list(by_channel), WAKE_SECONDS):
                    yield from self._hear(by_channel[channel])  # type: ignore[index]
            if not self.stop.is_set() and (self.suspects or not self.schedule.exhausted):
                raise DeviceError(f"{len(self.hands)} workers died {DEATHS} times each; nobody is left to go on")
        finally:
            for hand in self.hands:
                hand.close()

    def _hand_out(self) -> None:
        for hand in self.hands:
            if not hand.asking or hand.ended or not self.suspected.isdisjoint(hand.held):
                continue
            if self.stop.is_set():
                hand.give(None)
            elif self.suspects:
                if not hand.held:
                    hand.give(self.suspects.popleft())
            elif item := self.schedule.take_now():
                hand.give(item)
            elif self.schedule.exhausted and not any(other.held for other in self.hands if other is not hand):
                hand.give(None)  # else what others hold may come back

    def _hear(self, hand: Hand) -> Iterator[Result]:
        try:
            kind, value = hand.channel.recv()
        except (EOFError, OSError):
            yield from self._died(hand)
            return
        if kind == "asks":
            hand.asking = True
        elif kind == "result":
            hand.deaths = 0
            yield self._record(hand, value)
        elif kind == "fault":
            raise value
        else:
            self.note(value)
            hand.ended = kind == "ends"

    def _record(self, hand: Hand, result: Result) -> Result:
        path = result.item.outputs[0]
        hand.held.pop(path, None)
        self.suspected.discard(path)
        self.schedule.finished(result.item)
        return result

    def _died(self, hand: Hand) -> Iterator[Result]:
        hand.process.join()
        hand.deaths += 1
        self.note(f"the worker on {hand.job.device} died (exit code {hand.process.exitcode}) with "
                  f"{len(hand.held)} items in hand")  # fmt: skip
        for path, item in list(hand.held.items()):
            if path in self.suspected:
                fault = ItemError("worker", f"{item.label}: two workers died while they made it")
                yield self._record(hand, Result(item, "failed", error=fault))
            else:
                self.suspected.add(path)
                self.suspects.append(item)
        if self.stop.is_set() or hand.deaths >= DEATHS:
            hand.ended, hand.held = True, {}
        else:
            hand.start()
