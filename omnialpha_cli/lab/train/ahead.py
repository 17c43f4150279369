"""Draw batches in other processes while the network computes."""

import multiprocessing
import pickle
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, TypeVar

import torch

K = TypeVar("K")
B = TypeVar("B")

_draw: Callable[[Any], Any] | None = None  # of a process that draws


def drawn_ahead(draw: Callable[[K], B], keys: Iterable[K], ahead: int) -> Generator[B]:
    """Return `draw` of every key, in order; so many processes each draw one before it is asked for.

    They are forked, and share the material in memory; where processes cannot be, as on Windows, none draws ahead.
    """
    if not ahead or "fork" not in multiprocessing.get_all_start_methods():
        yield from map(draw, keys)
        return
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(ahead, context, initializer=_begin, initargs=(draw,)) as pool:
        waiting: deque[Future[bytes]] = deque()
        try:
            for key in keys:
                waiting.append(pool.submit(_drawn, key))
                if len(waiting) > ahead:
                    yield pickle.loads(waiting.popleft().result())
            while waiting:
                yield pickle.loads(waiting.popleft().result())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _begin(draw: Callable[[Any], Any]) -> None:
    global _draw
    _draw = draw
    torch.set_num_threads(1)


def _drawn(key: Any) -> bytes:
    """Pickle what is drawn: tensors would else travel through shared memory, of which containers have little."""
    assert _draw is not None
    return pickle.dumps(_draw(key))
