"""Run workers on Ray Data: an actor a device, on as many machines as a cluster has, over one file system."""

import logging
import os
import pickle
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np

from ..item import Item
from ..status import UsageError
from .job import Job, Result
from .journal import Journal
from .schedule import Schedule, first_frames
from .worker import Worker

LOCAL = "local"  # the address that stands for a cluster of this machine alone, started and ended with the run
BLOCKS = 4  # a worker: few enough to fill batches, enough to share the work evenly
ANSWER_SECONDS = 10

Batch = dict[str, np.ndarray]


class RayWorker:
    """Wrap a `Worker` as Ray Data calls it: batches of items in, batches of results out."""

    def __init__(self, job: Job, folder: str):
        """Load the model; `folder` is the one that the paths are relative to."""
        os.chdir(folder)
        self.worker = Worker(job)
        self.journal = Journal.of_worker(job.output, job.shard)

    def __call__(self, batch: Batch) -> Iterator[Batch]:
        """Return results of the items in `batch["items"]`, pickled lists, one after another."""
        items = [item for row in batch["items"] for item in pickle.loads(row)]
        for result in self.worker.make(Schedule(items), self.journal, threading.Event()):
            yield {"result": np.array([pickle.dumps(result)], dtype=object)}


def run_on_ray(job: Job, items: Sequence[Item], address: str, stop: threading.Event) -> Iterator[Result]:
    """Yield the results as they finish, on a cluster by its `address`, or `local`. Raises UsageError without one."""
    try:
        import ray
    except ImportError as error:
        raise UsageError('--ray needs Ray; get it with: pip install "omnialpha[ray]"') from error
    _look_for(address)
    try:
        ray.init(None if address == LOCAL else address, include_dashboard=False, logging_level=logging.ERROR,
                 log_to_driver=False)  # fmt: skip
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise UsageError(f"--ray {address}: {' '.join(str(error).split())[:160]}") from error
    try:
        for row in _results(ray.data, ray.cluster_resources(), job, items).iter_rows():
            yield pickle.loads(row["result"])
            if stop.is_set():
                return
    finally:
        ray.shutdown()


def _look_for(address: str) -> None:
    """Raise UsageError where nobody answers. Ray itself would try for minutes, and then end the process."""
    place = urlsplit(address if "://" in address else f"//{address}")
    if place.hostname and place.port:
        try:
            socket.create_connection((place.hostname, place.port), timeout=ANSWER_SECONDS).close()
        except OSError as error:
            raise UsageError(f"--ray {address}: {error.strerror or error}; is the cluster up?") from error


def _results(data: Any, resources: dict[str, float], job: Job, items: Sequence[Item]) -> Any:
    data.DataContext.get_current().enable_progress_bars = False  # the run shows its own
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    gpus = int(resources.get("GPU", 0))
    workers = gpus or max(1, int(resources.get("CPU", 1)) // job.cores)
    chains: dict[Path, list[Item]] = {}  # of frames that build on one another; every other item is alone
    firsts = first_frames(items)
    for item in items:
        chains.setdefault(firsts[item.outputs[0]], []).append(item)
    rows = [{"items": pickle.dumps(chain)} for chain in chains.values()]
    dataset = data.from_items(rows, override_num_blocks=min(len(rows), BLOCKS * workers))
    return dataset.map_batches(
        RayWorker,
        fn_constructor_args=(replace(job, device="cuda" if gpus else "cpu"), str(Path.cwd())),
        compute=data.ActorPoolStrategy(size=workers),
        num_cpus=job.cores / 2 if gpus == 0 else 1,  # what is left is Ray's own
        num_gpus=1 if gpus else 0,
        batch_size=None,  # a block
        batch_format="numpy",
    )
