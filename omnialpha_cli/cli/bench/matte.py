"""`omnialpha bench matte`."""

import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...status import UsageError
from .. import ndjson
from .shared import Device, Json, parse_size, print_table

if TYPE_CHECKING:
    from ...plan import Item

EXAMPLES = (
    "Examples:\n\nomnialpha bench matte photos/*.jpg\n\n"
    "omnialpha bench matte photos/*.jpg --count 32 --size 6000x4000 --json"
)


def matte(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILES",
            help="Photographs, used over and over; without any, a picture of noise.",
            show_default=False,
        ),
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Number of pictures to matte.")] = 8,
    size: Annotated[
        str, typer.Option(metavar="WxH", help="Size to which the pictures are scaled and cropped.")
    ] = "1920x1080",
    weights: Annotated[str, typer.Option("--model", metavar="NAME", help="Weights: a name, or a folder.")] = "mini",
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Time the whole of `omnialpha matte` over JPEG files, after start, and the stages of its runner."""
    width, height = parse_size(size)
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="omnialpha-bench-") as folder:
        items = _write_pictures(files or [], count, height, width, Path(folder))
        start, seconds, stages, setting = _run_matte(items, weights, device, Path(folder) / "out")
    if json:
        record = {
            "count": count,
            "width": width,
            "height": height,
            "start": start,
            "seconds": seconds,
            "stages": stages,
        }
        typer.echo(ndjson.line("bench.matte", record), nl=False)
        return
    rows = [("an image, in all", seconds / count), *((f"busy: {name}", busy / count) for name, busy in stages.items())]
    print_table(
        f"{count} pictures {width}×{height} on {setting}; start {start:.2f} s",
        ("", "seconds an image"),
        [(name, f"{value:.3f}") for name, value in rows],
    )


def _write_pictures(files: Sequence[Path], count: int, height: int, width: int, folder: Path) -> "list[Item]":
    """Write `count` JPEG files of exactly that size, and plan their mattes. Raises ItemError for an unreadable file."""
    import OpenImageIO as oiio
    import torch
    from torch.nn import functional as F

    from ...media.read import read_image
    from ...plan import Item

    if files:
        pictures = [torch.from_numpy(read_image(file).rgb).permute(2, 0, 1) for file in files]  # (3, h, w)
    else:
        pictures = [torch.rand(3, 68, 120, generator=torch.Generator().manual_seed(0))]
    items = []
    for index, picture in zip(range(count), cycle(pictures), strict=False):
        scale = max(height / picture.shape[1], width / picture.shape[2])
        covering = [max(side, round(scale * old)) for side, old in zip((height, width), picture.shape[1:], strict=True)]
        large = F.interpolate(picture[None], size=covering, mode="bilinear", antialias=True)[0, :, :height, :width]
        pixels = large.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).contiguous().numpy()  # (H, W, 3)
        path = folder / f"{index:04}.jpg"
        buffer = oiio.ImageBuf(pixels)
        if not buffer.write(str(path)):
            raise UsageError(f"{path} cannot be written: {buffer.geterror()}")
        items.append(Item("matte.auto", (path,), (folder / "out" / f"{index:04}.png",)))
    return items


def _run_matte(items: "list[Item]", name: str, device: str, output: Path) -> tuple[float, float, dict[str, float], str]:
    """Seconds to load the model, wall seconds of the run, busy seconds by stage, and the setting in words."""
    from ...api import OmniAlpha
    from ...runner.batching import default_batch_size
    from ...runner.devices import choose_device
    from ...runner.journal import Journal
    from ...runner.pipeline import Pipeline
    from ...runner.schedule import Schedule
    from ...runner.settings import Settings
    from ...runner.threads import count_cores, share_cores
    from ...weights import store

    chosen = choose_device(device)
    threads = share_cores(count_cores(), len(items), chosen.type != "cpu")
    batch_size = default_batch_size(count_cores(), chosen.type != "cpu")
    begun = time.perf_counter()
    weights = store.find(name)
    identity = weights.identity
    network = OmniAlpha.load(name, chosen)
    loaded = time.perf_counter()
    with Journal(output) as journal:
        pipeline = Pipeline(
            Schedule(items), network, Settings().resolved(weights.config.get("defaults", {})), journal,
            weights=identity, batch_size=batch_size, threads=threads,
        )  # fmt: skip
        for result in pipeline:
            if result.error:
                raise result.error
    ended = time.perf_counter()
    setting = f"{chosen} (threads: {threads}), batches of {batch_size}"
    return loaded - begun, ended - loaded, dict(pipeline.times.seconds), setting
