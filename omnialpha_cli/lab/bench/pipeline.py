"""Run `omnialpha bench pipeline`: time the stages of a batch."""

import time
from pathlib import Path

import typer

from ...cli.streams import counted, record_line
from ..table import print_table
from .pictures import Count, Files, Size, write_pictures
from .shared import Device, Json, Model, parse_size, peak_memory

EXAMPLES = (
    "Examples:\n\nomnialpha bench pipeline photos/*.jpg\n\n"
    "omnialpha bench pipeline photos/*.jpg --count 1000 --size 1632x1224 --json"
)


def pipeline(
    files: Files = None,
    count: Count = 8,
    size: Size = "1920x1080",
    model: Model = "mini",
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Time the runner over JPEG files, after start: the whole, each stage, and the memory at its highest.

    A stage is as long as its threads are busy, divided by their number. Stages that share the cores take longer for it,
    so the whole can come near the longest stage without any of them waiting.
    """
    from tempfile import TemporaryDirectory

    from ...item import Item
    from ...tasks import TASKS
    from .pictures import load_worker, make_all

    width, height = parse_size(size)
    with TemporaryDirectory(prefix="omnialpha-bench-") as folder:
        pictures = write_pictures(files or [], count, height, width, Path(folder))
        output = Path(folder) / "out"
        items = [Item(TASKS["matte.auto"], (path,), (output / f"{path.stem}.png",)) for path in pictures]
        begun = time.perf_counter()
        worker = load_worker(model, device, output, count)
        loaded = time.perf_counter()
        make_all(worker, items, output)
        seconds = time.perf_counter() - loaded

    threads = {"read": worker.threads.read, "prepare": worker.threads.read, "infer": worker.threads.infer,
               "finish": worker.threads.write, "write": worker.threads.write}  # fmt: skip
    stages = {stage: busy / threads[stage] for stage, busy in worker.times.seconds.items()}
    # Reading and preparing is one thread's work, and so is finishing and writing.
    slowest = max(stages["read"] + stages["prepare"], stages["infer"], stages["finish"] + stages["write"])
    memory = peak_memory()
    record = {
        "count": count, "width": width, "height": height, "setting": str(worker), "start": loaded - begun,
        "seconds": seconds, "stages": stages, "over_slowest": seconds / slowest, "peak_memory": memory,
    }  # fmt: skip
    if json:
        typer.echo(record_line("bench.pipeline", record), nl=False)
        return
    rows = [("an image, in all", seconds / count), *((f"busy: {name}", busy / count) for name, busy in stages.items())]
    print_table(
        f"{counted(count, 'picture')} {width}×{height} on {worker}; start {loaded - begun:.2f} s; "
        f"{seconds / slowest:.2f} times the longest of read, infer and write; at most {memory / 2**30:.2f} GiB",
        ("", "seconds an image"),
        [(name, f"{value:.3f}") for name, value in rows],
    )
