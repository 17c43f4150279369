"""Tell a worker all it needs, as one value that can be sent to another process. No torch."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from ..model.config import LoadOptions
from ..picture.settings import FileOptions, Settings


def count_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Job:
    """Hold what a worker has to know; it can be sent to another process.

    `model` is the weights' name or folder, `weights` their identity; `items` is how many the plan has, `cores` how many
    it may use, `batch_size` None if it may choose.
    """

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
