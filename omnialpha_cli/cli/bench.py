"""`omnialpha bench`: how fast the parts and the whole are, measured on this machine."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..status import UsageError
from . import ndjson

if TYPE_CHECKING:
    import torch

    from ..plan import Item

app = typer.Typer(no_args_is_help=True, help="Measure speed on this machine.", rich_markup_mode="rich")

# `bench model`: one picture of 512² at half the published width of the VAE; four small blocks of the transformer.
SIDE = 512
VAE: dict[str, Any] = {"base_dim": 48}
TRANSFORMER: dict[str, Any] = {
    "num_layers": 4,
    "num_attention_heads": 8,
    "attention_head_dim": 64,
    "joint_attention_dim": 512,
    "axes_dims_rope": (16, 24, 24),
}
PATCHES = (32, 32)  # 1024 tokens in one target, as many in one input
CONTEXT_TOKENS = 128

Device = Annotated[str, typer.Option(metavar="DEVICE", help="auto, cpu, cuda, cuda:1 or mps.")]
Json = Annotated[bool, typer.Option("--json", help="Print records as NDJSON instead of a table.")]


class Against(StrEnum):
    """Other implementations to measure beside."""

    diffusers = "diffusers"


@dataclass(frozen=True)
class Pair:
    """The same work done by both, with the same weights on the same input."""

    part: str
    ours: "Callable[[], torch.Tensor]"
    theirs: "Callable[[], torch.Tensor]"


@dataclass(frozen=True)
class Timing:
    """Medians in seconds; `ratio` is theirs over ours, `difference` the largest between the two outputs."""

    part: str
    ours: float
    theirs: float
    ratio: float
    difference: float


@app.command(
    epilog="Examples:\n\nomnialpha bench model --against diffusers\n\n"
    "omnialpha bench model --rounds 9 --json > bench.ndjson"
)
def model(
    against: Annotated[Against, typer.Option(help="The implementation to measure beside.")] = Against.diffusers,
    rounds: Annotated[int, typer.Option(min=1, help="Measured rounds, after one that is not.")] = 5,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Time the VAE and the transformer beside another implementation, with the same weights, in turn."""
    import torch

    from ..runner.devices import choose_device

    chosen = choose_device(device)
    with torch.inference_mode(), torch.device(chosen):
        torch.manual_seed(0)
        timings = [compare(pair, rounds) for pair in _pairs_with_diffusers()]
    if json:
        for timing in timings:
            typer.echo(ndjson.line("bench.model", asdict(timing)), nl=False)
        return
    _print_table(
        f"omnialpha and {against.value} on {chosen}, {torch.get_num_threads()} threads, medians of {rounds}",
        ("", "omnialpha", against.value, "times as fast", "largest difference"),
        [(t.part, f"{t.ours:.3f} s", f"{t.theirs:.3f} s", f"{t.ratio:.2f}", f"{t.difference:.1e}") for t in timings],
    )


@app.command(
    epilog="Examples:\n\nomnialpha bench matte photos/*.jpg\n\n"
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
    width, height = _parse_size(size)
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
    _print_table(
        f"{count} pictures {width}×{height} on {setting}; start {start:.2f} s",
        ("", "seconds an image"),
        [(name, f"{value:.3f}") for name, value in rows],
    )


def compare(pair: Pair, rounds: int) -> Timing:
    """Time both in turn, so that whatever else the machine does falls on both alike."""
    from statistics import median

    difference = float((pair.ours() - pair.theirs()).abs().max())  # this round also warms up
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(_seconds(pair.ours))
        theirs.append(_seconds(pair.theirs))
    return Timing(pair.part, median(ours), median(theirs), median(theirs) / median(ours), difference)


def _seconds(work: Callable[[], Any]) -> float:
    import torch

    start = time.perf_counter()
    work()
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()
    return time.perf_counter() - start


def _pairs_with_diffusers() -> Iterator[Pair]:
    """One after the other, each with random weights on the current default device."""
    try:
        from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
    except ImportError as error:
        raise UsageError('diffusers is not installed; get it with: pip install "omnialpha[test]"') from error
    import torch

    from ..model.config import TransformerConfig, VAEConfig
    from ..model.transformer import Layout, Transformer
    from ..model.vae import AlphaVAE

    their_vae: Any = AutoencoderKLQwenImage(**VAE)
    vae = AlphaVAE.from_published(their_vae.state_dict(), VAEConfig(**VAE, input_channels=3))
    picture = torch.rand(1, 3, SIDE, SIDE) * 2 - 1
    latents = vae.encode(picture)  # (1, 16, 64, 64)
    raw_latents = vae.denormalise(latents)[:, :, None]  # (1, 16, 1, 64, 64)
    yield Pair(
        "VAE encode",
        lambda: vae.encode(picture),
        lambda: vae.normalise(their_vae.encode(picture[:, :, None]).latent_dist.mode()[:, :, 0]),
    )
    yield Pair("VAE decode", lambda: vae.decode(latents), lambda: their_vae.decode(raw_latents).sample[:, :, 0])

    config = TransformerConfig(**TRANSFORMER)
    channels = {"in_channels": config.in_channels, "out_channels": config.out_channels}
    theirs: Any = QwenImageTransformer2DModel(**TRANSFORMER, **channels)
    ours = Transformer(config)
    ours.load_state_dict(theirs.state_dict())
    layout = Layout(targets=(PATCHES,), inputs=(PATCHES,))
    tokens = torch.randn(1, layout.num_tokens, config.in_channels)
    context = torch.randn(1, CONTEXT_TOKENS, config.joint_attention_dim)
    sigma = torch.tensor([0.5])
    shapes = [[(1, h, w) for h, w in layout.images]]
    yield Pair(
        "transformer",
        lambda: ours(tokens, context, sigma, layout),
        lambda: theirs(tokens, context, timestep=sigma, img_shapes=shapes).sample[:, : layout.num_targets],
    )


def _parse_size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise UsageError(f"--size {text}: give width and height in pixels, such as 1920x1080")
    return int(width), int(height)


def _write_pictures(files: Sequence[Path], count: int, height: int, width: int, folder: Path) -> "list[Item]":
    """Write `count` JPEG files of exactly that size, and plan their mattes. Raises ItemError for an unreadable file."""
    import OpenImageIO as oiio
    import torch
    from torch.nn import functional as F

    from ..media.read import read_image
    from ..plan import Item

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
    from ..api import OmniAlpha
    from ..runner.batching import default_batch_size
    from ..runner.devices import choose_device
    from ..runner.journal import Journal
    from ..runner.pipeline import Pipeline
    from ..runner.schedule import Schedule
    from ..runner.settings import Settings
    from ..runner.threads import count_cores, share_cores
    from ..weights import store

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


def _print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD)
    for name in columns:
        table.add_column(name, justify="right" if name else "left")
    for row in rows:
        table.add_row(*row)
    console = Console()
    console.print(title, soft_wrap=True, highlight=False, markup=False)
    console.print(table)
