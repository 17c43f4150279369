"""Build a data set shard by shard, in several processes if need be, and on from where it stopped."""

import multiprocessing
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import torch

from .make import make_sample
from .plan import Plan
from .shards import Sample, write_shard


class Stop(Protocol):
    """Tell whether another thread or process asks to stop."""

    def is_set(self) -> bool:
        """Tell whether it was."""


@dataclass(frozen=True)
class Built:
    """Describe a shard: what was kept, and how often which fault was met. `skipped` tells that it was there already."""

    path: Path
    kept: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    unreadable: tuple[str, ...] = ()
    skipped: bool = False


class Stopped(Exception):
    """Report that the run was asked to stop."""


def build(
    plan: Plan, out: Path, mine: Callable[[Path], bool], workers: int, stop: Stop | None = None
) -> Iterator[Built]:
    """Make the shards that are `mine` and missing, several at a time; they come as they are done."""
    missing = []
    for number, samples in enumerate(plan.shards):
        path = out / f"{number:05}.tar"
        if not mine(path):
            continue
        if path.exists():
            yield Built(path, skipped=True)
            continue
        for partial in out.glob(f".{path.name}.*"):  # of a run that was killed
            partial.unlink()
        missing.append((path, samples))
    if workers == 1:
        for path, samples in missing:
            if stop is not None and stop.is_set():
                raise Stopped
            yield build_shard(plan, path, samples, stop)
        return
    yield from _in_processes(plan, missing, workers, stop)


def build_shard(plan: Plan, path: Path, samples: range, stop: Stop | None = None) -> Built:
    """Make one shard."""
    faults: Counter[str] = Counter()
    unreadable: list[str] = []

    def made() -> Iterator[Sample]:
        for index in samples:
            if stop is not None and stop.is_set():
                raise Stopped
            sample = make_sample(plan, index, faults, unreadable)
            if sample is not None:
                yield sample

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums depend on how they are split
    try:
        kept = write_shard(path, made())
    finally:
        torch.set_num_threads(threads)
    return Built(path, kept, faults, tuple(unreadable))


_state: dict[str, Any] = {}  # of a worker process


def _begin(plan: Plan, stop: Stop) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    _state.update(plan=plan, stop=stop)


def _work(path: Path, samples: range) -> Built:
    return build_shard(_state["plan"], path, samples, _state["stop"])


def _in_processes(plan: Plan, missing: list[tuple[Path, range]], workers: int, stop: Stop | None) -> Iterator[Built]:
    context = multiprocessing.get_context("spawn")
    halt = context.Event()
    with ProcessPoolExecutor(workers, context, _begin, (plan, halt)) as pool:
        waiting = {pool.submit(_work, path, samples) for path, samples in missing}
        try:
            while waiting:
                if stop is not None and stop.is_set():
                    raise Stopped
                for future in _finished(waiting):
                    waiting.discard(future)
                    yield future.result()
        except BaseException:
            halt.set()
            for future in waiting:
                future.cancel()
            raise


def _finished(waiting: set[Any]) -> list[Any]:
    """Return the futures that are done within a second."""
    try:
        return [next(as_completed(waiting, timeout=1.0))]
    except TimeoutError:
        return []
