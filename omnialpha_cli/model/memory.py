"""Place networks in memory: everything on the device, one network at a time, or block by block.

resident   all networks stay on the device
staged     each is there for its stage alone: context, then VAE, then transformer, for all batches of a call
stream     as staged, and the transformer's blocks pass through the device one after the other (`streaming`)
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, cast

import torch
from torch import nn

from .load_options import Memory

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
class Placement:
    """Say where each network is loaded to."""

    transformer: torch.device
    context: torch.device
    vae: torch.device


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

    def placement(self, device: torch.device, quantised: bool) -> Placement:
        """Place on the CPU what waits there, and a transformer that is to be quantised block by block first."""
        host = torch.device("cpu")
        resident = self.mode == "resident"
        return Placement(device if resident and not quantised else host, device if resident else host, device)


RESIDENT = Plan("resident")


def plan(wanted: Memory, needs: Needs, free: int | None) -> Plan:
    """Choose how to use `free` bytes of the device; None where the device is the host itself, or does not tell.

    `auto` takes the fastest that fits. `resident` never streams.
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


@contextmanager
def present(network: object, device: torch.device | str, staged: bool) -> Iterator[None]:
    """Keep a network on the device inside; when `staged` it is on the CPU before and after.

    Nothing is copied back: the tensors on the CPU are kept, and put in their places again.
    """
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
