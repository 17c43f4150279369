"""`omnialpha bench model`."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...status import UsageError
from .. import ndjson
from .shared import Device, Json, print_table, seconds

if TYPE_CHECKING:
    import torch

EXAMPLES = (
    "Examples:\n\nomnialpha bench model --against diffusers\n\nomnialpha bench model --rounds 9 --json > bench.ndjson"
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


def model(
    against: Annotated[Against, typer.Option(help="The implementation to measure beside.")] = Against.diffusers,
    rounds: Annotated[int, typer.Option(min=1, help="Measured rounds, after one that is not.")] = 5,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Time the VAE and the transformer beside another implementation, with the same weights, in turn."""
    import torch

    from ...runner.devices import choose_device

    chosen = choose_device(device)
    with torch.inference_mode(), torch.device(chosen):
        torch.manual_seed(0)
        timings = [compare(pair, rounds) for pair in _pairs_with_diffusers()]
    if json:
        for timing in timings:
            typer.echo(ndjson.line("bench.model", asdict(timing)), nl=False)
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
    """One after the other, each with random weights on the current default device."""
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
