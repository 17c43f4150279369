"""Load weights in the embedded layout: `config.json`, a safetensors file a network, and the tokenizer."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ..config import TransformerConfig, VAEConfig
from ..loading import count
from ..memory import Needs, Placement
from ..parts import Parts
from ..sampler import Schedule
from ..transformer import Transformer
from ..vae import AlphaVAE
from .context import MiniContext, MiniContextConfig, load_tokenizer
from .light_vae import LightVAE, LightVAEConfig
from .specialists import SPECIALISTS, Specialist

WITH = ("context", "vae")


def needs(folder: Path, dtype: torch.dtype) -> Needs:
    """Return the bytes of each network, with those of the specialists that wait where it does."""
    waiting = {where: [row.name for row in SPECIALISTS.values() if row.waits_with == where] for where in WITH}
    groups = ("transformer",), ("context", *waiting["context"]), ("vae", *waiting["vae"])
    files = [[folder / f"{name}.safetensors" for name in names] for names in groups]
    return Needs(*(count([file for file in group if file.exists()]) * dtype.itemsize for group in files))


def load_parts(folder: Path, config: dict[str, Any], place: Placement, dtype: torch.dtype) -> Parts:
    """Load all parts. Raises OSError, KeyError, ValueError or RuntimeError."""
    tokenizer = load_tokenizer(folder)
    with torch.device("meta"):
        transformer = Transformer(TransformerConfig.from_dict(config["transformer"]))
        context_encoder = MiniContext(MiniContextConfig.from_dict(config["context"]), tokenizer)
        vae = build_vae(config["vae"])
    for name, module, device in (
        ("transformer", transformer, place.transformer),
        ("context", context_encoder, place.context),
        ("vae", vae, place.vae),
    ):
        _fill(module, folder / f"{name}.safetensors", device, dtype)
    specialists = {
        name: partial(_read, row, folder, config, (transformer, context_encoder), place, dtype)
        for name, row in SPECIALISTS.items()
        if (folder / f"{name}.safetensors").exists()
    }
    schedule = Schedule.from_dict(config.get("schedule", {}))
    return Parts(transformer, vae, context_encoder, schedule, specialists)


def _read(
    row: Specialist,
    folder: Path,
    config: dict[str, Any],
    beside: tuple[Transformer, MiniContext],
    place: Placement,
    dtype: torch.dtype,
) -> nn.Module:
    """Return a specialist, read from its file to where it waits."""
    with torch.device("meta"):
        network = row.build(config.get(row.name, {}), *beside)
    where = place.context if row.waits_with == "context" else place.vae
    _fill(network, folder / f"{row.name}.safetensors", where, dtype)
    return network


def _fill(module: nn.Module, path: Path, device: torch.device, dtype: torch.dtype) -> None:
    module.load_state_dict(read_tensors(path, device, dtype), assign=True)
    module.eval().requires_grad_(False)
    # Convolutions are fastest so; matrices are not touched.
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def build_vae(config: dict[str, Any]) -> AlphaVAE | LightVAE:
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
