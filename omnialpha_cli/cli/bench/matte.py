"""`omnialpha bench matte`."""

from functools import partial
from pathlib import Path
from typing import Any

import typer

from .. import ndjson
from .pictures import Count, Files, Size, write_pictures
from .shared import Device, Json, Model, Rounds, parse_size, print_table, seconds

EXAMPLES = (
    "Examples:\n\nomnialpha bench matte photos/*.jpg --count 16\n\n"
    "omnialpha bench matte photos/*.jpg --count 16 --size 3840x2160 --rounds 3 --json"
)


def matte(
    files: Files = None,
    count: Count = 8,
    size: Size = "1920x1080",
    model: Model = "mini",
    rounds: Rounds = 3,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Time the batch command beside a plain loop over `OmniAlpha.matte` that saves with Pillow, in turn.

    Both have the weights loaded, and may use all cores.
    """
    from statistics import median
    from tempfile import TemporaryDirectory

    from ...api import OmniAlpha
    from .pictures import load_worker

    width, height = parse_size(size)
    batch, loop = [], []
    with TemporaryDirectory(prefix="omnialpha-bench-") as name:
        folder = Path(name)
        pictures = write_pictures(files or [], count, height, width, folder)
        worker, single = load_worker(model, device, folder / "batch", count), OmniAlpha.load(model, device)
        for number in range(rounds + 1):
            outputs = folder / f"{number}"
            fast = seconds(partial(_batch, worker, pictures, outputs))
            slow = seconds(partial(_loop, single, pictures, outputs))
            if number:  # the first one warms up
                batch.append(fast)
                loop.append(slow)
    ratio = median(slow / fast for fast, slow in zip(batch, loop, strict=True))
    record = {"count": count, "width": width, "height": height, "batch": median(batch), "loop": median(loop),
              "ratio": ratio}  # fmt: skip
    if json:
        typer.echo(ndjson.line("bench.matte", record), nl=False)
        return
    print_table(
        f"{count} pictures {width}×{height} on {worker}; medians of {rounds}",
        ("", "seconds an image"),
        [("the batch command", f"{median(batch) / count:.3f}"), ("a loop over them", f"{median(loop) / count:.3f}"),
         ("times as fast", f"{ratio:.2f}")],
    )  # fmt: skip


def _batch(worker: Any, pictures: list[Path], outputs: Path) -> None:
    from ...plan import Item
    from .pictures import make_all

    items = [Item("matte.auto", (path,), (outputs / "batch" / f"{path.stem}.png",)) for path in pictures]
    make_all(worker, items, outputs / "batch")


def _loop(model: Any, pictures: list[Path], outputs: Path) -> None:
    from PIL import Image

    from ...runner.threads import count_cores, use_torch_threads

    use_torch_threads(count_cores())
    (outputs / "loop").mkdir(parents=True)
    for path in pictures:
        Image.fromarray(model.matte(path)).save(outputs / "loop" / f"{path.stem}.png")
