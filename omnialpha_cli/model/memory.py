"""Place networks in memory: everything on the device, one network at a time, or block by block.

resident   all networks stay on the device
staged     each is there for its stage alone: context, then VAE, then transformer, for all batches of a call
stream     as staged, and the transformer's blocks pass through two places on the device, one after the other
"""

import copy
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from .config import LoadOptions, Memory
from .quantise import quantise_blocks
from .transformer import Transformer

Mode = Literal["resident", "staged", "stream"]

# Bytes for activations, estimated: of the transformer (a batch that needs more is halved by the runner), and of the
# context encoder, which sees one item at a time.
WORKSPACE = 6 * 2**30
CONTEXT_WORKSPACE = 2 * 2**30
WINDOW = 4  # batches that share one coming and going of each network


@dataclass(frozen=True)
class Needs:
    """Hold the bytes of each network on the device."""

    transformer: int
    context: int
    vae: int

    @property
    def together(self) -> int:
        """Return the bytes of all networks together."""
        return self.transformer + self.context + self.vae


@dataclass(frozen=True)
class Plan:
    """Say what is done, and why, for people."""

    mode: Mode
    why: str = ""

    def __str__(self) -> str:
        return f"{self.mode}: {self.why}"

    @property
    def window(self) -> int:
        """Return how many batches suit a call: several, where each network comes to the device once for all."""
        return 1 if self.mode == "resident" else WINDOW

    def placement(self, device: torch.device, quantised: bool) -> dict[str, torch.device]:
        """Place on the CPU what waits there, and a transformer that is to be quantised block by block first."""
        waiting = device if self.mode == "resident" else torch.device("cpu")
        return {"transformer": torch.device("cpu") if quantised else waiting, "context": waiting, "vae": device}


RESIDENT = Plan("resident")


def plan(wanted: Memory, needs: Needs, free: int | None) -> Plan:
    """Choose how to use `free` bytes of the device; None where the device is the host itself, or does not tell.

    `auto` takes the fastest that fits; `resident` never streams.
    """
    if wanted == "stream":
        return Plan("stream", "as asked for")
    if free is None:
        return Plan("resident", f"{_gb(needs.together)} in the host's own memory")
    if needs.together + WORKSPACE <= free:
        return Plan("resident", f"{_gb(needs.together)} and {_gb(WORKSPACE)} to work in, of {_gb(free)} free")
    largest = max(needs.transformer + WORKSPACE, needs.context + CONTEXT_WORKSPACE) + needs.vae
    if wanted == "resident" or largest <= free:
        return Plan("staged", f"{_gb(needs.together)} do not fit into {_gb(free)} free together")
    return Plan("stream", f"the transformer's {_gb(needs.transformer)} are too much for {_gb(free)} free")


def free_memory(device: torch.device) -> int | None:
    """Return bytes that are free on an accelerator now; None for the CPU."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return None


def place(transformer: Transformer, chosen: Plan, device: torch.device, options: LoadOptions) -> None:
    """Quantise and compile the transformer's blocks as `options` say, and bring it to where it waits."""
    blocks = transformer.transformer_blocks
    quantise_blocks(blocks, options.quantize, device, leave=chosen.mode == "resident")
    if chosen.mode != "staged":
        for child in transformer.children():
            if child is not blocks:
                child.to(device)
    if chosen.mode == "stream":
        transformer.stream = stream = BlockStream(blocks, device)
        blocks = stream.places
    if options.compile_blocks:
        for block in blocks:
            block.compile()


@contextmanager
def present(network: object, device: torch.device | str, staged: bool) -> Iterator[None]:
    """Keep a network on the device inside; when `staged` it is on the CPU before and after, never copied back."""
    if not staged:
        yield
        return
    tables: list[dict[str, Any]] = []
    for module in cast(nn.Module, network).modules():
        tables += [module._parameters, module._buffers]
    homes = [(table, name, home) for table in tables for name, home in table.items() if home is not None]
    for table, name, home in homes:
        there = home.to(device, non_blocking=True)
        table[name] = nn.Parameter(there, requires_grad=False) if isinstance(home, nn.Parameter) else there
    try:
        yield
    finally:
        for table, name, home in homes:
            table[name] = home
        if torch.device(device).type == "cuda":
            torch.cuda.empty_cache()


def _gb(size: int) -> str:
    return f"{size / 1e9:.1f} GB"


PLACES = 2


class Streams:
    """Order copies and computing in two places, 0 and 1. A device with one queue for all keeps the order itself."""

    def copying(self, place: int) -> AbstractContextManager[object]:
        """Return what is copied inside begins once what was last computed in the place has ended."""
        return nullcontext()

    def wait(self, place: int) -> None:
        """Make what is computed from now on begin once the copy into the place has ended."""

    def computed(self, place: int) -> None:
        """Note that all computing in the place has been asked for."""


class CudaStreams(Streams):
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


class BlockStream:
    """Iterate over `blocks`, which are alike and on the CPU; each is on `device` until the next one is asked for.

    While block i computes, block i + 1 is copied on a stream of its own, so a batch that computes longer than a copy
    takes costs no more time than a resident model. A place is written again only after the block that used it has
    computed.
    """

    def __init__(self, blocks: nn.ModuleList, device: torch.device, streams: Streams | None = None):
        cuda = device.type == "cuda"
        self.streams = streams or (CudaStreams(device) if cuda else Streams())
        self.sources = [plain_tensors(block) for block in blocks]
        if len({tuple((t.shape, t.dtype) for t in tensors) for tensors in self.sources}) > 1:
            raise ValueError("the blocks are not alike, as after a LoRA beside some of them; merge it to stream them")
        if cuda:
            for tensor in (tensor for tensors in self.sources for tensor in tensors):
                tensor.data = tensor.data.pin_memory()  # only from there do copies run beside computing
        self.places = nn.ModuleList(copy.deepcopy(blocks[0]).to(device) for _ in range(PLACES))
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
    """Return parameters and buffers of a module."""
    return [*module.parameters(), *module.buffers()]
