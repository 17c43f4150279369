"""Make what the benchmarks of the whole tool run on: pictures of one size, and a worker that has loaded the weights."""

import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...status import UsageError

if TYPE_CHECKING:
    import torch

    from ...batch.worker import Worker
    from ...item import Item

Files = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILES",
        help="Photographs, used over and over; without any, a picture of noise.",
        show_default=False,
        exists=True,
        dir_okay=False,
    ),
]
Count = Annotated[int, typer.Option(min=1, help="Number of pictures to matte.")]
Size = Annotated[str, typer.Option("--size", metavar="WxH", help="Size to which the pictures are scaled and cropped.")]


def write_pictures(files: Sequence[Path], count: int, height: int, width: int, folder: Path) -> list[Path]:
    """Write `count` JPEG files of exactly that size, repeated pictures as links.

    Raises ItemError for an unreadable file.
    """
    import torch

    from ...media.read import read_image

    if files:
        pictures = [torch.from_numpy(read_image(file).rgb).permute(2, 0, 1) for file in files[:count]]  # (3, h, w)
    else:
        pictures = [torch.rand(3, 68, 120, generator=torch.Generator().manual_seed(0))]
    paths = [folder / f"{index:05}.jpg" for index in range(count)]
    for index, path in enumerate(paths):
        if index < len(pictures):
            _write(pictures[index], height, width, path)
        else:
            os.link(paths[index % len(pictures)], path)
    return paths


def _write(picture: "torch.Tensor", height: int, width: int, path: Path) -> None:
    """Scale and crop a picture (3, h, w), and write it."""
    import OpenImageIO as oiio
    from torch.nn import functional as F

    scale = max(height / picture.shape[1], width / picture.shape[2])
    covering = [max(side, round(scale * old)) for side, old in zip((height, width), picture.shape[1:], strict=True)]
    large = F.interpolate(picture[None], size=covering, mode="bilinear", antialias=True)[0, :, :height, :width]
    pixels = large.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).contiguous().numpy()  # (H, W, 3)
    buffer = oiio.ImageBuf(pixels)
    if not buffer.write(str(path)):
        raise UsageError(f"{path} cannot be written: {buffer.geterror()}")


def load_worker(
    model: str, device: str, output: Path, items: int, task: str = "matte.auto", steady: bool = False
) -> "Worker":
    """Return what `omnialpha matte` would work with for so many items."""
    from ...batch.job import Job
    from ...batch.worker import Worker
    from ...picture.settings import Settings
    from ...weights import store

    weights = store.find(model)
    settings = Settings(steady=steady).resolved(weights.defaults(task))
    return Worker(Job(model, weights.identity, settings, output, "0-of-1", items, device=device))


def make_all(worker: "Worker", items: "Sequence[Item]", output: Path) -> None:
    """Make the items. Raises ItemError for the first that fails: a benchmark of fewer would say something else."""
    from ...batch.journal import Journal
    from ...batch.schedule import Schedule

    with Journal(output) as journal:
        for result in worker.make(Schedule(items), journal, threading.Event()):
            if result.error:
                raise result.error
