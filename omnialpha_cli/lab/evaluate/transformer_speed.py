"""Time a transformer of a given width on this machine: random weights at any depth, extrapolated to all blocks.

Operations are counted by torch on tensors without content, where every product and all of attention count, whatever
kernels, number types and devices do them. The peak is that of one large matrix product in the same number
type, measured in the same run: what is compared with it was done by the same device in the same minute.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from ...model.config import LoadOptions, Quantize, TransformerConfig
from ...model.memory import Plan, place
from ...model.positions import Layout
from ...model.transformer import Block, Prepared, Transformer
from ..bench.shared import peak_memory

PEAK_SIDE = {"cuda": 8192, "mps": 4096, "cpu": 2048}  # of the square matrices
BRANCHES = 2  # of guidance: with the prompt and without


@dataclass(frozen=True)
class Speed:
    """Hold seconds, extrapolated to the whole depth: `step` of a step, `image` of all steps of one image.

    `teraflops` are of the measured depth; `share` is of `peak`, in TFLOP/s too; `memory` is the most bytes in use.
    """

    layers: int
    tokens: int
    batch: int
    measured: float
    teraflops: float
    peak: float
    share: float
    memory: int
    step: float
    image: float


def measure(
    config: TransformerConfig,
    layers: int,
    layout: Layout,
    *,
    context: int,
    batch: int,
    steps: int,
    rounds: int,
    device: torch.device,
    dtype: torch.dtype,
    quantize: Quantize = "none",
    streamed: bool = False,
    compiled: bool = False,
) -> Speed:
    """Time one step of `layers` blocks, and of one, on requests of `layout` with `context` tokens.

    The cost of a block is the difference of the two over the blocks between them; the last block, which computes the
    targets alone, and what surrounds the blocks are in both. One layer is counted as all of them.
    """
    torch.manual_seed(0)
    seconds, memory = _time(config, layers, layout, context, batch, rounds, device, dtype, quantize, streamed, compiled)
    if layers > 1:
        one, _ = _time(config, 1, layout, context, batch, rounds, device, dtype, quantize, streamed, compiled)
        # One block takes no less than nothing: of tiny ones the clock's noise says otherwise.
        step = one + max(seconds - one, 0.0) / (layers - 1) * (config.num_layers - 1)
    else:
        step = seconds * config.num_layers
    peak = matmul_peak(device, dtype, rounds)
    rate = count_operations(config, layers, layout, context, batch) / seconds
    return Speed(
        layers, layout.num_tokens + context, batch, seconds, rate / 1e12, peak / 1e12, rate / peak, memory,
        step, step * steps * BRANCHES / batch,
    )  # fmt: skip


def matmul_peak(device: torch.device, dtype: torch.dtype, rounds: int) -> float:
    """Return FLOP/s of a large square matrix product, the best of some rounds."""
    side = PEAK_SIDE.get(device.type, 2048)
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    return 2 * side**3 / min(_timings(lambda: a @ b, device, rounds))


def count_operations(config: TransformerConfig, layers: int, layout: Layout, context: int, batch: int) -> int:
    """Count multiplications and additions of matrix products in one step of so many blocks."""
    with torch.inference_mode():
        transformer, words, inputs, x = _material(config, layers, layout, context, batch, torch.device("meta"))
        prepared = transformer.prepare(inputs, words, layout)
        with FlopCounterMode(display=False) as counter:
            transformer.step(x, torch.empty(batch, device="meta"), prepared)
    return counter.get_total_flops()


def _material(
    config: TransformerConfig, layers: int, layout: Layout, context: int, batch: int, device: torch.device,
    dtype: torch.dtype = torch.float32, home: torch.device | None = None,
) -> tuple[Transformer, Tensor, Tensor, Tensor]:  # fmt: skip
    """Return a transformer of random weights, and random context, inputs and targets, on the device.

    Blocks are made there one by one, which a CPU is slow at, and wait at their `home`, where one is given.
    """
    default = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            transformer = Transformer(replace(config, num_layers=0))
            for _ in range(layers):
                block = Block(config.inner_dim, config.num_attention_heads)
                transformer.transformer_blocks.append(block if home is None else block.to(home))
            transformer.config = replace(config, num_layers=layers)
            return (
                transformer.eval().requires_grad_(False),
                torch.randn(batch, context, config.joint_attention_dim),
                torch.randn(batch, layout.num_tokens - layout.num_targets, config.in_channels),
                torch.randn(batch, layout.num_targets, config.in_channels),
            )
    finally:
        torch.set_default_dtype(default)


def _time(
    config: TransformerConfig, layers: int, layout: Layout, context: int, batch: int, rounds: int,
    device: torch.device, dtype: torch.dtype, quantize: Quantize, streamed: bool, compiled: bool,
) -> tuple[float, int]:  # fmt: skip
    """Return the seconds of a step, and the most memory so far."""
    waits = streamed or quantize != "none"  # whole blocks would count in the memory
    home = torch.device("cpu") if waits else None
    transformer, words, inputs, x = _material(config, layers, layout, context, batch, device, dtype, home)
    options = LoadOptions(quantize=quantize, compile_blocks=compiled)
    place(transformer, Plan("stream" if streamed else "resident"), device, options)
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    with torch.inference_mode():
        prepared: Prepared = transformer.prepare(inputs, words, layout)
        sigma = torch.full((batch,), 0.5, device=device)
        times = _timings(lambda: transformer.step(x, sigma, prepared), device, rounds)
    return median(times), _memory(device)


def _timings(work: Callable[[], Any], device: torch.device, rounds: int) -> list[float]:
    """Return the seconds of each round, after one that is not counted."""
    times = []
    for _ in range(rounds + 1):
        start = time.perf_counter()
        work()
        if device.type != "cpu":
            torch.accelerator.synchronize(device)
        times.append(time.perf_counter() - start)
    return times[1:]


def _memory(device: torch.device) -> int:
    """Return the most bytes in use so far: of the device, or of this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if device.type == "mps":
        return torch.mps.driver_allocated_memory()
    return peak_memory()
