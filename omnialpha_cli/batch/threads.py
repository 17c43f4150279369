"""Divide the cores among torch, decoding and encoding."""

from dataclasses import dataclass

import OpenImageIO as oiio
import torch


@dataclass(frozen=True)
class Threads:
    """Hold the threads that read and prepare, those inside torch's operators, and those that finish and write."""

    read: int
    torch: int
    write: int

    def __str__(self) -> str:
        return f"{self.read} reading, {self.torch} computing, {self.write} finishing and writing"


def share_cores(cores: int, items: int, accelerated: bool = False) -> Threads:
    """Divide `cores` for a run of `items`; with `accelerated` the network runs elsewhere.

    Half of the cores compute, for one item too: the number of threads changes the rounding, and an item has the same
    bytes whatever else is made. The others finish and write. Two finish at least, because finishing large pictures can
    take longer than the network, and a core that waits for it would be lost.
    """
    computing = 1 if accelerated else max(1, cores // 2)
    writing = max(min(2, cores), cores - computing)
    return Threads(max(1, writing // 3), computing, max(1, min(items, writing)))


def use_torch_threads(count: int) -> None:
    """Let torch's operators use `count` threads when they are called from the current thread."""
    torch.get_num_threads()  # the first call in a thread takes over the global number, so it has to come first
    torch.set_num_threads(count)


def keep_codecs_single() -> None:
    """Let OpenImageIO work in the threads that call it: the runner already has one for every core."""
    oiio.attribute("threads", 1)
    oiio.attribute("exr_threads", 1)
