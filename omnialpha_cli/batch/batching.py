"""Batch items of one task and one canvas, which go through the network together; too little memory halves them."""

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Generic, TypeVar

import torch

from ..media.opening import PIXEL_BYTES
from ..memory import free_memory
from ..model.omnialpha import OmniAlpha
from ..picture.load import is_out_of_memory, release_cached_memory
from .job import Threads, count_cores, share_cores

T = TypeVar("T")
R = TypeVar("R")

CPU_BATCH = 4  # more brings nothing on a CPU, and costs memory
GPU_BATCH = 16
PIXELS_A_THREAD = 16_000_000  # that computes or finishes; 48 on two cores: two photographs of 24 megapixels
FREE_SHARE = 0.5  # of the free memory, where that is less; a picture that is alone may take all of it


def divide(model: OmniAlpha, cores: int, items: int, batch_size: int | None = None) -> tuple[int, Threads]:
    """Return how many items make a batch, of a `batch_size` that is None if it may be chosen, and the threads.

    On a CPU in float32 pictures are computed one by one, and have the same bytes whatever batch was asked for; more is
    no faster there. Those of a mini are so by one thread each: the same bytes however many cores there are.
    """
    if torch.device(model.device).type != "cpu":
        return batch_size or GPU_BATCH, share_cores(cores, items, accelerated=True)
    if model.dtype == torch.float32:
        return 1, share_cores(cores, items, apart=model.one_thread_each)
    return batch_size or min(CPU_BATCH, max(1, cores // 2)), share_cores(cores, items)


def pixels_ahead(threads: Threads, window: int) -> int:
    """Return how many pixels of pictures may be under way in `threads`, with so many batches in a call of the model.

    Several workers share the free memory as they share the cores.
    """
    wanted, free = PIXELS_A_THREAD * (threads.infer + threads.write) * window, free_memory()
    if free is None:
        return wanted
    own = min(1.0, (threads.infer * threads.torch + threads.write) / count_cores())
    return min(wanted, int(free * FREE_SHARE * own / PIXEL_BYTES))


class Buckets(Generic[T]):
    """Hold waiting items by key. `take` prefers a full bucket, so that mixed folders fill their batches."""

    def __init__(self, key: Callable[[T], Hashable], limit: int):
        self.key = key
        self.limit = limit  # items a batch, lowered on out-of-memory
        self.waiting: OrderedDict[Hashable, deque[T]] = OrderedDict()  # the bucket that waits longest first

    def __len__(self) -> int:
        return sum(map(len, self.waiting.values()))

    def add(self, item: T) -> None:
        """Put an item into its bucket."""
        self.waiting.setdefault(self.key(item), deque()).append(item)

    def lower_limit(self, too_large: int) -> None:
        """Make batches of half the size that was too large."""
        self.limit = max(1, min(self.limit, too_large // 2))

    def take(self) -> list[T]:
        """Remove and return the next batch: a full one, else the bucket that waits longest."""
        full = (key for key, bucket in self.waiting.items() if len(bucket) >= self.limit)
        key = next(full, next(iter(self.waiting)))
        bucket = self.waiting.pop(key)
        batch = [bucket.popleft() for _ in range(min(self.limit, len(bucket)))]
        if bucket:
            self.waiting[key] = bucket
        return batch


def in_fitting_parts(
    compute: Callable[[Sequence[T]], Iterator[tuple[Sequence[T], Sequence[R]]]],
    window: Sequence[T],
    too_large: Callable[[int], None],
) -> Iterator[tuple[Sequence[T], Sequence[R] | Exception]]:
    """Compute a window of batches; on a fault what is left in two halves, until it is pinned to single items.

    `compute` gives items with results as they are done; `too_large` is told the number for which memory was short.
    """
    parts = deque([list(window)])
    while parts:
        left = parts.popleft()
        try:
            for done, results in compute(left):
                yield done, results
                left = [item for item in left if not any(item is other for other in done)]
        except Exception as error:
            fault = error.with_traceback(None)  # the traceback would keep the failed attempt's tensors alive
        else:
            continue
        if is_out_of_memory(fault):
            release_cached_memory()
            too_large(len(left))
        if len(left) == 1:
            yield left, fault
        else:
            half = len(left) // 2
            parts.extendleft((left[half:], left[:half]))
