"""Run the model on one device. A run has one worker in its own process, or one a device in processes of their own."""

import os
import threading
from collections.abc import Iterator

from ..picture.load import DTYPES, choose_device, load_model
from .batching import divide
from .job import Job, Result, StageTimes
from .journal import Journal
from .pipeline import Pipeline
from .schedule import Source


class Worker:
    """Load the model of a job once, and make any number of items."""

    def __init__(self, job: Job):
        """Raises WeightsError or DeviceError."""
        # Let products of matrices have the same bits wherever they lie in memory; read when the first one is computed.
        os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
        device = choose_device(job.device)
        self.job = job
        dtype = DTYPES[job.settings.dtype]
        self.model = load_model(job.model, device, dtype, job.loading)
        self.batch_size, self.threads = divide(self.model, job.cores, job.items, job.batch_size)
        self.times = StageTimes()

    def make(self, source: Source, journal: Journal, stop: threading.Event) -> Iterator[Result]:
        """Return the results of the items of `source`, as they finish."""
        pipeline = Pipeline(
            source, self.model, self.job.settings, journal,
            weights=self.job.weights, batch_size=self.batch_size, threads=self.threads, stop=stop,
            files=self.job.files,
        )  # fmt: skip
        self.times = pipeline.times
        return iter(pipeline)

    def __str__(self) -> str:
        """Return what it works with, for `--verbose`."""
        place = f"{self.model.device} in {self.job.settings.dtype}"
        threads = f"threads: {self.threads}, of {self.job.cores} cores"
        return f"{place}; memory: {self.model.memory}; {threads}; batches of {self.batch_size}"
