"""Batches drawn by a second thread while the network computes."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

K = TypeVar("K")
B = TypeVar("B")


def drawn_ahead(draw: Callable[[K], B], keys: Iterable[K], ahead: int) -> Generator[B]:
    """`draw` of every key, in order; one thread draws up to `ahead` of them before they are asked for."""
    if not ahead:
        yield from map(draw, keys)
        return
    with ThreadPoolExecutor(1) as thread:
        waiting: deque[Future[B]] = deque()
        try:
            for key in keys:
                waiting.append(thread.submit(draw, key))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
