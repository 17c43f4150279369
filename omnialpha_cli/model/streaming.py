"""Stream a transformer whose blocks do not fit on the device: they pass from host memory through two places there.

While block i computes, block i + 1 is copied on a stream of its own, so a batch that computes longer than a copy takes
costs no more time than a resident model. A place is written again only after the block that used it has computed.
"""

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

import torch
from torch import Tensor, nn

PLACES = 2


class Streams(Protocol):
    """Order copies and computing. A place is 0 or 1."""

    def copying(self, place: int) -> AbstractContextManager[object]:
        """Return what is copied inside begins once what was last computed in the place has ended."""

    def wait(self, place: int) -> None:
        """Make what is computed from now on begin once the copy into the place has ended."""

    def computed(self, place: int) -> None:
        """Note that all computing in the place has been asked for."""


class CudaStreams:
    """Copy on a CUDA device: a side stream, and an event for every copy and every computation."""

    def __init__(self, device: torch.device):
        self.device = device
        self.side = torch.cuda.Stream(device)
        self.copies = [torch.cuda.Event() for _ in range(PLACES)]
        self.computations = [torch.cuda.Event() for _ in range(PLACES)]

    @contextmanager
    def copying(self, place: int) -> Iterator[None]:
        """Enter the side stream, after what computes in the place."""
        self.side.wait_event(self.computations[place])  # one never recorded does not block
        with torch.cuda.stream(self.side):
            yield
            self.copies[place].record(self.side)

    def wait(self, place: int) -> None:
        """Make the computing stream wait for the copy into the place."""
        torch.cuda.current_stream(self.device).wait_event(self.copies[place])

    def computed(self, place: int) -> None:
        """Record that all computing in the place has been asked for."""
        self.computations[place].record(torch.cuda.current_stream(self.device))


class NoStreams:
    """Do without streams: where there is one queue for all, it keeps the order by itself."""

    def copying(self, place: int) -> AbstractContextManager[object]:
        """Do nothing: copies are in order."""
        return nullcontext()

    def wait(self, place: int) -> None:
        """Do nothing: copies are in order."""

    def computed(self, place: int) -> None:
        """Do nothing: copies are in order."""


class BlockStream:
    """Iterate over `blocks`, which are alike and on the CPU; each is on `device` until the next one is asked for."""

    def __init__(self, blocks: nn.ModuleList, device: torch.device, streams: Streams | None = None):
        cuda = device.type == "cuda"
        self.streams = streams or (CudaStreams(device) if cuda else NoStreams())
        self.sources = [plain_tensors(block) for block in blocks]
        if len({tuple((t.shape, t.dtype) for t in tensors) for tensors in self.sources}) > 1:
            raise ValueError("the blocks are not alike, as after a LoRA beside some of them; merge it to stream them")
        if cuda:
            for tensor in (tensor for tensors in self.sources for tensor in tensors):
                tensor.data = tensor.data.pin_memory()  # only from there do copies run beside computing
        self.places = [copy.deepcopy(blocks[0]).to(device) for _ in range(PLACES)]
        self.targets = [plain_tensors(place) for place in self.places]
        for place in range(PLACES):
            self.streams.computed(place)  # what fills it for the first time has to end before it is written again

    def __iter__(self) -> Iterator[nn.Module]:
        """Return one pass over all blocks."""
        self._fetch(0)
        for i in range(len(self.sources)):
            if i + 1 < len(self.sources):
                self._fetch(i + 1)
            place = i % PLACES
            self.streams.wait(place)
            try:
                yield self.places[place]
            finally:  # what computes in it may be given up, for want of memory
                self.streams.computed(place)

    def _fetch(self, i: int) -> None:
        place = i % PLACES
        with self.streams.copying(place):
            for target, source in zip(self.targets[place], self.sources[i], strict=True):
                target.data.copy_(source.data, non_blocking=True)


def plain_tensors(module: nn.Module) -> list[Tensor]:
    """Return parameters and buffers of a module; of quantised ones the tensors that they are made of."""
    found: list[Tensor] = []
    waiting: list[Tensor] = [*module.parameters(), *module.buffers()]
    while waiting:
        tensor = waiting.pop()
        if hasattr(tensor, "__tensor_flatten__"):
            names, _ = tensor.__tensor_flatten__()
            waiting += [getattr(tensor, name) for name in names]
        else:
            found.append(tensor)
    return found
