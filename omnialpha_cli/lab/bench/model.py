"""Run `omnialpha bench model`: time the networks, and other implementations beside them."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ...cli.streams import record_line
from ...status import UsageError
from ..table import print_table
from .shared import Device, Json, seconds
from .width import Config, width

if TYPE_CHECKING:
    import torch

EXAMPLES = (
    "Examples:\n\nomnialpha bench model --against diffusers\n\n"
    "omnialpha bench model --config full --layers 4 --device cuda --quantize int8"
)

# One picture of 512² at half the published width of the VAE; four small blocks of the transformer.
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


class Against(StrEnum):
    """Name the other implementations to measure beside."""

    diffusers = "diffusers"


@dataclass(frozen=True)
class Pair:
    """Hold two calls that do the same work, ours and theirs, with equal weights and input."""

    part: str
    ours: "Callable[[], torch.Tensor]"
    theirs: "Callable[[], torch.Tensor]"


@dataclass(frozen=True)
class Timing:
    """Hold medians in seconds; `ratio` is theirs over ours, `difference` the largest between the two outputs."""

    part: str
    ours: float
    theirs: float
    ratio: float
    difference: float


def model(
    against: Annotated[Against, typer.Option(help="The implementation to measure beside.")] = Against.diffusers,
    config: Annotated[
        Config, typer.Option(help="small: beside the other implementation; full: the published width, by itself.")
    ] = Config.small,
    layers: Annotated[int, typer.Option(min=1, help="Blocks of the full width; the rest is extrapolated.")] = 4,
    canvas: Annotated[int, typer.Option("--canvas", min=64, metavar="PIXELS", help="Side of the canvas (full).")] = 712,
    batch: Annotated[int, typer.Option(min=1, help="Pictures a step (full).")] = 1,
    steps: Annotated[int, typer.Option(min=1, help="Steps of an image (full).")] = 50,
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        typer.Option("--dtype", metavar="TYPE", help="Number type (full): auto, float32, bfloat16 or float16."),
    ] = "auto",
    quantize: Annotated[
        Literal["none", "int8", "int4", "fp8"], typer.Option(help="Weights in fewer bits, as of `matte` (full).")
    ] = "none",
    stream: Annotated[
        bool, typer.Option("--stream", help="Blocks from host memory, as --memory stream (full).")
    ] = False,
    compile: Annotated[bool, typer.Option("--compile", help="Compiled blocks (full).")] = False,
    rounds: Annotated[int, typer.Option(min=1, help="Measured rounds, after one that is not.")] = 5,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Time the VAE and the transformer beside another implementation, with the same weights, in turn.

    With --config full: random weights of the published width at a small depth, meant for a GPU; prints TFLOP/s, their
    share of the peak measured in the same run, memory, and the seconds an image would take.
    """
    if config is Config.full:
        width(
            layers, canvas=canvas, batch=batch, steps=steps, rounds=rounds, device=device, dtype=dtype,
            quantize=quantize, streamed=stream, compiled=compile, json=json,
        )  # fmt: skip
        return
    import torch

    from ...picture.load import choose_device

    chosen = choose_device(device)
    with torch.inference_mode(), torch.device(chosen):
        torch.manual_seed(0)
        timings = [compare(pair, rounds) for pair in _pairs_with_diffusers()]
    if json:
        for timing in timings:
            typer.echo(record_line("bench.model", asdict(timing)), nl=False)
        return
    print_table(
        f"omnialpha and {against.value} on {chosen}, {torch.get_num_threads()} threads, medians of {rounds}",
        ("", "omnialpha", against.value, "times as fast", "largest difference"),
        [(t.part, f"{t.ours:.3f} s", f"{t.theirs:.3f} s", f"{t.ratio:.2f}", f"{t.difference:.1e}") for t in timings],
    )


def compare(pair: Pair, rounds: int) -> Timing:
    """Time both in turn, so that whatever else the machine does falls on both alike."""
    from statistics import median

    difference = float((pair.ours() - pair.theirs()).abs().max())  # this round also warms up
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(seconds(pair.ours))
        theirs.append(seconds(pair.theirs))
    return Timing(pair.part, median(ours), median(theirs), median(theirs) / median(ours), difference)


def _pairs_with_diffusers() -> Iterator[Pair]:
    """Return one after the other, each with random weights on the current default device."""
    try:
        from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
    except ImportError as error:
        raise UsageError('diffusers is not installed; get it with: pip install "omnialpha[test]"') from error
    import torch

    from ...model.config import TransformerConfig, VAEConfig
    from ...model.transformer import Layout, Transformer
    from ...model.vae import AlphaVAE

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
