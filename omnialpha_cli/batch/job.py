"""Hold what a worker is told and tells: its job, the cores for it, results and times. No torch at start."""

import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..item import Item
from ..memory import PIXEL_BYTES, free_memory
from ..model.config import LoadOptions
from ..picture.settings import FileOptions, Settings
from ..status import ItemError

if TYPE_CHECKING:
    from ..model.omnialpha import OmniAlpha

Status = Literal["done", "skipped", "failed"]
STAGES = ("read", "prepare", "infer", "finish", "write")
CPU_BATCH = 4  # more brings nothing on a CPU, and costs memory
GPU_BATCH = 16
PIXELS_A_THREAD = 16_000_000  # that computes or finishes; 48 on two cores: two photographs of 24 megapixels
FREE_SHARE = 0.5  # of the free memory, where that is less; a picture that is alone may take all of it


def count_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Job:
    """Hold what a worker has to know: `weights` is their identity, `batch_size` None if it may choose."""

    model: str
    weights: str
    settings: Settings
    output: Path
    shard: str
    items: int
    cores: int = field(default_factory=count_cores)
    device: str = "auto"
    batch_size: int | None = None
    files: FileOptions = field(default_factory=FileOptions)
    loading: LoadOptions = field(default_factory=LoadOptions)

    def shared_by(self, devices: Sequence[str]) -> list["Job"]:
        """Return one job for every device, the cores divided among them."""
        cores = max(1, self.cores // len(devices))
        return [replace(self, device=device, cores=cores) for device in devices]


@dataclass(frozen=True)
class Result:
    """Hold the outcome of an item; `seconds` are without waiting, `offset` is its left and top in its picture."""

    item: Item
    status: Status
    seconds: float = 0.0
    error: ItemError | None = None
    warnings: tuple[str, ...] = ()
    offset: tuple[int, int] | None = None
    measures: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Span:
    """Measure one block; `seconds`, without what was `waited` in it, is set when it ends."""

    seconds: float = 0.0
    waited: float = 0.0


class StageTimes:
    """Sum busy seconds by stage, over the threads that share it."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self._lock = threading.Lock()

    def __str__(self) -> str:
        """Format the times for `--verbose`."""
        return ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in self.seconds.items())

    @contextmanager
    def measure(self, stage: str) -> Iterator[Span]:
        """Add the time of the block to `stage`, also when it fails."""
        span = Span()
        start = time.perf_counter()
        try:
            yield span
        finally:
            span.seconds = time.perf_counter() - start - span.waited
            with self._lock:
                self.seconds[stage] += span.seconds


@dataclass(frozen=True)
class Threads:
    """Hold the threads that read and prepare, those that infer with `torch` threads each, and those that finish."""

    read: int
    infer: int
    torch: int
    write: int

    def __str__(self) -> str:
        return f"{self.read} reading, {self.infer} × {self.torch} computing, {self.write} finishing and writing"


def share_cores(cores: int, items: int, accelerated: bool = False, apart: bool = False) -> Threads:
    """Divide `cores` for a run of `items`; with `accelerated` the network runs elsewhere.

    Half of them compute: with `apart` each an item of its own, as the number of threads that share one changes its
    rounding. Two finish at least: for large pictures that can take longer than the network.
    """
    computing = 1 if accelerated else max(1, cores // 2)
    writing = max(min(2, cores), cores - computing)
    infer, inside = (min(items, computing), 1) if apart else (1, computing)
    return Threads(max(1, writing // 3), max(1, infer), inside, max(1, min(items, writing)))


def divide(model: "OmniAlpha", cores: int, items: int, batch_size: int | None = None) -> tuple[int, Threads]:
    """Return how many items make a batch, of a `batch_size` that is None if it may be chosen, and the threads.

    On a CPU in float32 pictures are computed one by one, and have the same bytes whatever batch was asked for; more is
    no faster there. Those of a mini are so by one thread each: the same bytes however many cores there are.
    """
    import torch

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


def use_torch_threads(count: int) -> None:
    """Let torch's operators use `count` threads when they are called from the current thread."""
    import torch

    torch.get_num_threads()  # the first call in a thread takes over the global number, so it has to come first
    torch.set_num_threads(count)


def keep_codecs_single() -> None:
    """Let OpenImageIO work in the threads that call it: the runner already has one for every core."""
    import OpenImageIO as oiio

    oiio.attribute("threads", 1)
    oiio.attribute("exr_threads", 1)
