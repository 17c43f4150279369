"""Load weights in the embedded layout: `config.json`, a safetensors file a network, and the tokenizer."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ..config import TransformerConfig, VAEConfig
from ..loading import count
from ..memory import Needs
from ..sampler import Schedule
from ..transformer import Transformer
from ..vae import AlphaVAE
from .context import MiniContext, MiniContextConfig, load_tokenizer
from .light_vae import LightVAE, LightVAEConfig
from .model import SPECIALISTS, Build, Mini, Specialist
from .segmenter import Confidence


def needs(folder: Path, dtype: torch.dtype) -> Needs:
    """Return the bytes of each part, with those of the specialists that wait where it does.

    Raises OSError, or ValueError for a file that is not whole.
    """
    sizes = {part: count([_file(folder, part)]) for part in ("transformer", "context", "vae")}
    for row in _specialists(folder):
        sizes[row.waits_with] += count([_file(folder, row.name)])
    return Needs(**{part: size * dtype.itemsize for part, size in sizes.items()})


def load(folder: Path, config: dict[str, Any], place: dict[str, torch.device], **settings: Any) -> Mini:
    """Return a model of which each part is read from its file when a task first needs it.

    `settings` are fields of `Mini`. Raises OSError or ValueError.
    """

    def waiting(name: str, where: str, build: Build) -> Any:
        return partial(_read, _file(folder, name), build, config.get(name, {}), place[where], settings["dtype"])

    return Mini(
        waiting("transformer", "transformer", lambda own, _: Transformer(TransformerConfig.from_dict(own))),
        waiting("vae", "vae", lambda own, _: build_vae(own)),
        waiting(
            "context", "context", lambda own, _: MiniContext(MiniContextConfig.from_dict(own), load_tokenizer(folder))
        ),
        schedule=Schedule.from_dict(config.get("schedule", {})),
        specialists={row.name: waiting(row.name, row.waits_with, row.build) for row in _specialists(folder)},
        confidence=Confidence.from_dict(config["confidence"]) if "confidence" in config else None,
        **settings,
    )


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.safetensors"


def _specialists(folder: Path) -> list[Specialist]:
    return [row for row in SPECIALISTS.values() if _file(folder, row.name).exists()]


def _read(
    path: Path, build: Build, config: Mapping[str, Any], device: torch.device, dtype: torch.dtype, model: Mini
) -> nn.Module:
    """Return a network of the `model`, read from its file to the `device`."""
    with torch.device("meta"):
        network = build(config, model)
    network.load_state_dict(read_tensors(path, device, dtype), assign=True)
    network.eval().requires_grad_(False)
    # Convolutions are fastest so; matrices are not touched.
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def build_vae(config: Mapping[str, Any]) -> AlphaVAE | LightVAE:
    """Return the VAE that `config.json` describes: `kind` is "light" or "alpha"."""
    values = dict(config)
    light = values.pop("kind") == "light"
    return LightVAE(LightVAEConfig.from_dict(values)) if light else AlphaVAE(VAEConfig.from_dict(values))


def read_tensors(path: Path, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """Return a safetensors file in `dtype`. `NAME.int8` with `NAME.scale` (one a row) is the int8 form of `NAME`."""
    state = load_file(path, device=str(device))
    for name in [k.removesuffix(".int8") for k in state if k.endswith(".int8")]:
        rows = state.pop(f"{name}.int8").float()
        state[name] = rows * per_row(state.pop(f"{name}.scale").float(), rows)
    return {k: v.to(dtype) for k, v in state.items()}


def per_row(scale: Tensor, rows: Tensor) -> Tensor:
    """Return numbers, one a row (n,), in the shape that multiplies `rows` (n, …)."""
    return scale.view(-1, *(1 for _ in rows.shape[1:]))
