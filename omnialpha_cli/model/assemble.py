"""From a weights folder to networks in their places: read, adapted by LoRAs, quantised, compiled."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from . import lora
from .memory import Plan, Wanted, free_memory, plan
from .mini import load as embedded
from .parts import Parts
from .published import distilled
from .published import load as published
from .published.folders import is_published
from .quantise import BYTES, Kind, quantise_blocks
from .streaming import BlockStream


@dataclass(frozen=True)
class Assembled:
    """The networks, what `config.json` says of their use, and where they are."""

    parts: Parts
    config: dict[str, Any]
    device: torch.device
    dtype: torch.dtype
    plan: Plan


def assemble(
    folder: Path,
    device: torch.device,
    dtype: torch.dtype | None,
    *,
    loras: Sequence[tuple[Path, float]],
    merge_loras: bool,
    distilled_lora: Path | None,
    memory: Wanted,
    quantize: Kind,
    compile_blocks: bool,
) -> Assembled:
    """See `omnialpha.OmniAlpha.load`."""
    device = torch.device("cpu") if memory == "cpu" else device
    config = published.read_config(folder)
    layout = published if is_published(folder) else embedded
    dtype = dtype or getattr(torch, config.get("defaults", {}).get("dtype", "float32"))
    needs = layout.needs(folder, dtype)
    if quantize != "none":
        needs = replace(needs, transformer=round(needs.transformer * BYTES[quantize] / dtype.itemsize))
    chosen = plan(memory, needs, free_memory(device))
    parts = layout.load_parts(folder, config, chosen.placement(device, quantize != "none"), dtype)
    if distilled_lora:
        loras = (*loras, (distilled_lora, 1.0))
        config = {**config, "defaults": {**config.get("defaults", {}), **distilled.defaults(distilled_lora)}}
        parts = replace(parts, schedule=replace(parts.schedule, **distilled.SCHEDULE))
    _adapt(parts, loras, merge_loras)
    _settle(parts, chosen, device, quantize, compile_blocks)
    return Assembled(parts, config, device, dtype, chosen)


def _adapt(parts: Parts, loras: Sequence[tuple[Path, float]], merge: bool) -> None:
    adapters = [(lora.read(path), strength) for path, strength in loras]
    if merge:
        for state, strength in adapters:
            lora.merge(parts.transformer, state, strength)
    else:
        lora.attach(parts.transformer, adapters)


def _settle(parts: Parts, chosen: Plan, device: torch.device, quantize: Kind, compile_blocks: bool) -> None:
    """Quantise the transformer's blocks and bring the transformer to where it waits."""
    transformer = parts.transformer
    quantise_blocks(transformer.transformer_blocks, quantize, device, leave=chosen.mode == "resident")
    if chosen.mode != "staged":
        for name, child in transformer.named_children():
            if name != "transformer_blocks":
                child.to(device)
    if chosen.mode == "stream":
        transformer.stream = BlockStream(transformer.transformer_blocks, device)
    if compile_blocks:
        for block in transformer.stream.places if transformer.stream else transformer.transformer_blocks:
            block.compile()
