"""Share options, a clock and a table among the benchmarks."""

import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from ...status import UsageError

Device = Annotated[str, typer.Option("--device", metavar="DEVICE", help="auto, cpu, cuda, cuda:1 or mps.")]
Model = Annotated[str, typer.Option("--model", metavar="NAME", help="Weights: a name, or a folder.")]
Rounds = Annotated[int, typer.Option("--rounds", min=1, help="Measured rounds, after one that is not.")]
Json = Annotated[bool, typer.Option("--json", help="Print records as NDJSON instead of a table.")]


def seconds(work: Callable[[], Any]) -> float:
    """Return what the work takes, on the accelerator too."""
    import torch

    start = time.perf_counter()
    work()
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter() - start


def parse_size(text: str) -> tuple[int, int]:
    """Return the width and height of `WxH`. Raises UsageError."""
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UsageError(f"--size {text}: give width and height in pixels, such as 1920x1080")
    return int(width), int(height)


def peak_memory() -> int:
    """Return bytes that this process had in memory at most; 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
