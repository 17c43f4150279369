"""Load weights in the embedded layout: `config.json`, a safetensors file a network, and the tokenizer."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ..config import TransformerConfig, VAEConfig
from ..loading import check_whole, count
from ..memory import Needs
from ..parts import Parts, Read
from ..sampler import Schedule
from ..transformer import Transformer
from ..vae import AlphaVAE
from .context import MiniContext, MiniContextConfig, load_tokenizer
from .light_vae import LightVAE, LightVAEConfig
from .model import Mini
from .specialists import SPECIALISTS, Build

WITH = ("context", "vae")


def needs(folder: Path, dtype: torch.dtype) -> Needs:
    """Return the bytes of each network, with those of the specialists that wait where it does."""
    waiting = {where: [row.name for row in SPECIALISTS.values() if row.waits_with == where] for where in WITH}
    groups = ("transformer",), ("context", *waiting["context"]), ("vae", *waiting["vae"])
    files = [[folder / f"{name}.safetensors" for name in names] for names in groups]
    return Needs(*(count([file for file in group if file.exists()]) * dtype.itemsize for group in files))


def load_parts(folder: Path, config: dict[str, Any], place: dict[str, torch.device], dtype: torch.dtype) -> Parts:
    """Return all parts, each to be read from its file when a task first needs it. Raises OSError or ValueError."""

    def waiting(name: str, build: Build, device: torch.device) -> Read:
        path = folder / f"{name}.safetensors"
        check_whole(path)
        return partial(_read, path, build, config.get(name, {}), device, dtype)

    parts = {name: waiting(name, build, place[name]) for name, build in _parts(folder).items()}
    specialists = {
        name: waiting(name, row.build, place[row.waits_with])
        for name, row in SPECIALISTS.items()
        if (folder / f"{name}.safetensors").exists()
    }
    schedule = Schedule.from_dict(config.get("schedule", {}))
    return Parts(parts["transformer"], parts["vae"], parts["context"], schedule, specialists)


def _parts(folder: Path) -> dict[str, Build]:
    """Return how each of the paper's parts is built from what `config.json` says under its name."""
    return {
        "transformer": lambda config, _: Transformer(TransformerConfig.from_dict(config)),
        "context": lambda config, _: MiniContext(MiniContextConfig.from_dict(config), load_tokenizer(folder)),
        "vae": lambda config, _: build_vae(config),
    }


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
    values = {k: v for k, v in config.items() if k != "kind"}
    if config["kind"] == "light":
        return LightVAE(LightVAEConfig.from_dict(values))
    return AlphaVAE(VAEConfig.from_dict(values))


def read_tensors(path: Path, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """Return a safetensors file in `dtype`. `NAME.int8` with `NAME.scale` (one a row) is the int8 form of `NAME`."""
    state = load_file(path, device=str(device))
    for name in [k.removesuffix(".int8") for k in state if k.endswith(".int8")]:
        rows = state.pop(f"{name}.int8").float()
        state[name] = rows * per_row(state.pop(f"{name}.scale").float(), rows)
    return {k: v.to(dtype) for k, v in state.items()}


def per_row(scale: Tensor, rows: Tensor) -> Tensor:
    """Numbers, one a row (n,), in the shape that multiplies `rows` (n, …)."""
    return scale.view(-1, *(1 for _ in rows.shape[1:]))
