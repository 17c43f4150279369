"""A worker: the model on one device. A run has one in its own process, or one a device in processes of their own."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..model.omnialpha import OmniAlpha
from ..picture.devices import DTYPES, choose_device
from ..picture.load import load_model
from ..picture.settings import FileOptions, Settings
from .batching import default_batch_size
from .journal import Journal
from .pipeline import Pipeline
from .result import Result
from .schedule import Source
from .threads import share_cores
from .times import StageTimes


@dataclass(frozen=True)
class Job:
    """What a worker has to know; it can be sent to another process.

    `model` is the weights' name or folder, `weights` their identity; `items` is how many the plan has, `cores` how many
    it may use, `batch_size` None if it may choose, `loading` what `OmniAlpha.load` is given beside.
    """

    model: str
    weights: str
    settings: Settings
    output: Path
    shard: str
    items: int
    cores: int
    device: str = "auto"
    batch_size: int | None = None
    files: FileOptions = field(default_factory=FileOptions)
    loading: Mapping[str, Any] = field(default_factory=dict)

    def shared_by(self, devices: Sequence[str]) -> list["Job"]:
        """One job for every device, the cores divided among them."""
        cores = max(1, self.cores // len(devices))
        return [replace(self, device=device, cores=cores) for device in devices]


class Worker:
    """Loads the model of a job once, and makes any number of items."""

    def __init__(self, job: Job):
        """Raises WeightsError or DeviceError."""
        device = choose_device(job.device)
        accelerated = device.type != "cpu"
        self.job = job
        self.threads = share_cores(job.cores, job.items, accelerated)
        self.batch_size = job.batch_size or default_batch_size(job.cores, accelerated)
        dtype = DTYPES[job.settings.dtype]
        self.model = load_model(OmniAlpha.load, job.model, device, dtype=dtype, **job.loading)
        self.times = StageTimes()

    def make(self, source: Source, journal: Journal, stop: threading.Event) -> Iterator[Result]:
        """The results of the items of `source`, as they finish."""
        pipeline = Pipeline(
            source, self.model, self.job.settings, journal,
            weights=self.job.weights, batch_size=self.batch_size, threads=self.threads, stop=stop,
            files=self.job.files,
        )  # fmt: skip
        self.times = pipeline.times
        return iter(pipeline)

    def __str__(self) -> str:
        """What it works with, for `--verbose`."""
        place = f"{self.model.device} in {self.job.settings.dtype}"
        threads = f"threads: {self.threads}, of {self.job.cores} cores"
        return f"{place}; memory: {self.model.memory}; {threads}; batches of {self.batch_size}"
