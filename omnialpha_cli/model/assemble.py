"""Assemble a model from a weights folder: networks are read, adapted by LoRAs, quantised, compiled."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from . import lora
from .config import DISTILLED_SCHEDULE, Defaults, LoadOptions, distilled_defaults, is_published, read_config
from .memory import BlockStream, Plan, free_memory, plan
from .mini import load as embedded
from .mini.model import Mini
from .mini.segmenter import Confidence
from .omnialpha import OmniAlpha
from .published import load as published
from .quantise import BYTES, quantise_blocks
from .transformer import Transformer


def assemble(folder: Path, device: torch.device, dtype: torch.dtype | None, options: LoadOptions) -> OmniAlpha:
    """Return the model of a weights folder, changed as `options` say. Raises as `omnialpha.OmniAlpha.load` does."""
    device = torch.device("cpu") if options.memory == "cpu" else device
    config = read_config(folder)
    layout = published if is_published(folder) else embedded
    dtype = dtype or getattr(torch, config.get("defaults", {}).get("dtype", "float32"))
    needs = layout.needs(folder, dtype)
    if options.quantize != "none":
        needs = replace(needs, transformer=round(needs.transformer * BYTES[options.quantize] / dtype.itemsize))
    chosen = plan(options.memory, needs, free_memory(device))
    parts = layout.load_parts(folder, config, chosen.placement(device, options.quantize != "none"), dtype)
    if options.distilled_lora:
        config = {**config, "defaults": {**config.get("defaults", {}), **distilled_defaults(options.distilled_lora)}}
        parts = replace(parts, schedule=replace(parts.schedule, **DISTILLED_SCHEDULE))
    settings: dict[str, Any] = {
        "prediction": config.get("prediction", "velocity"),
        "tasks": tuple(config.get("tasks", ())),
        "defaults": Defaults.from_dict(config.get("defaults", {})),
        "schedule": parts.schedule,
        "device": device,
        "dtype": dtype,
        "memory": chosen,
    }
    if layout is embedded:
        settings["specialists"] = dict(parts.specialists)
        settings["confidence"] = Confidence.from_dict(config["confidence"]) if "confidence" in config else None
    kind: Any = Mini if layout is embedded else OmniAlpha
    model: OmniAlpha = kind(parts.transformer, parts.vae, parts.context_encoder, **settings)
    if options.adapters:
        _adapt(model.transformer, options.adapters, options.merge_loras)
    if options.quantize != "none" or options.compile_blocks or chosen.mode != "resident":
        _place(model.transformer, chosen, device, options)
    return model


def _adapt(transformer: Transformer, loras: Sequence[tuple[Path, float]], merge: bool) -> None:
    for path, strength in loras:
        state = lora.read(path)
        try:
            if merge:
                lora.merge(transformer, state, strength)
            else:
                lora.attach(transformer, [(state, strength)])
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def _place(transformer: Transformer, chosen: Plan, device: torch.device, options: LoadOptions) -> None:
    """Quantise the transformer's blocks and bring the transformer to where it waits."""
    quantise_blocks(transformer.transformer_blocks, options.quantize, device, leave=chosen.mode == "resident")
    if chosen.mode != "staged":
        for name, child in transformer.named_children():
            if name != "transformer_blocks":
                child.to(device)
    if chosen.mode == "stream":
        transformer.stream = BlockStream(transformer.transformer_blocks, device)
    if options.compile_blocks:
        for block in transformer.stream.places if transformer.stream else transformer.transformer_blocks:
            block.compile()
