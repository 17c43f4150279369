"""Time the transformer at the published width and any depth, with random weights (`bench model --config full`)."""

from dataclasses import asdict
from enum import StrEnum
from typing import Literal

import typer

from ...cli.streams import record_line

PATCH = 16  # pixels a side
PICTURE_TOKEN = 28  # pixels a side of a token of the context encoder
PROMPT_TOKENS = 80


class Config(StrEnum):
    """Choose which transformer is timed."""

    small = "small"
    full = "full"


def width(
    layers: int,
    *,
    canvas: int,
    batch: int,
    steps: int,
    rounds: int,
    device: str,
    dtype: str,
    quantize: Literal["none", "int8", "int4", "fp8"],
    streamed: bool,
    compiled: bool,
    json: bool,
) -> None:
    """Time a step of automatic matting on a square canvas, and print what it says of the whole model."""
    import torch

    from ...model.config import TransformerConfig
    from ...model.positions import Layout
    from ...picture.load import DTYPES, choose_device
    from ..evaluate.transformer_speed import measure

    chosen = choose_device(device)
    side = max(1, canvas // PATCH)
    layout = Layout(targets=((side, side),), inputs=((side, side),))
    context = (canvas // PICTURE_TOKEN) ** 2 + PROMPT_TOKENS
    name = dtype if dtype != "auto" else ("float32" if chosen.type == "cpu" else "bfloat16")
    speed = measure(
        TransformerConfig(), layers, layout, context=context, batch=batch, steps=steps, rounds=rounds,
        device=chosen, dtype=DTYPES[name], quantize=quantize, streamed=streamed, compiled=compiled,
    )  # fmt: skip
    if json:
        record = {**asdict(speed), "device": str(chosen), "dtype": name, "quantize": quantize, "canvas": canvas,
                  "steps": steps}  # fmt: skip
        typer.echo(record_line("bench.model.full", record), nl=False)
        return
    depth = TransformerConfig().num_layers
    given = {f"weights in {quantize}": quantize != "none", "streamed": streamed, "compiled": compiled}
    ways = "".join(f", {way}" for way, is_given in given.items() if is_given)
    typer.echo(
        f"{layers} of {depth} blocks, {speed.tokens} tokens, batch of {batch}, {name} on {chosen}{ways}; "
        f"medians of {rounds}\n"
        f"step of these blocks     {speed.measured:.4f} s\n"
        f"matrix products          {speed.teraflops:.2f} TFLOP/s, {speed.share:.0%} of the {speed.peak:.2f} measured "
        f"for a large one\n"
        f"most memory              {speed.memory / 1e9:.2f} GB\n"
        f"step of all {depth} blocks    {speed.step:.3f} s (extrapolated)\n"
        f"an image                 {speed.image:.1f} s ({steps} steps with guidance, extrapolated; without context and "
        f"VAE)"
    )
    if chosen.type == "cpu":
        typer.echo(f"threads                  {torch.get_num_threads()}")
