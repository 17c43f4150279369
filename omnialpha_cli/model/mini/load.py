"""Weights in the embedded layout: `config.json`, three to seven safetensors files, and the tokenizer."""

from pathlib import Path
from typing import Any, TypeVar

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
from .detail import Detail
from .effects import Effects
from .generator import Generator, GeneratorConfig
from .inpainter import Inpainter
from .light_vae import LightVAE, LightVAEConfig

BESIDE = "effects", "detail", "inpainter"  # small networks that weights may have; they wait where the VAE does

Network = TypeVar("Network", Effects, Detail, Inpainter)


def needs(folder: Path, dtype: torch.dtype) -> Needs:
    """Bytes of each network, with those that wait where it does."""
    groups = ("transformer",), ("context", "generator"), ("vae", *BESIDE)
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
    generator = None
    if "generator" in config:
        with torch.device("meta"):
            own, table = GeneratorConfig.from_dict(config["generator"]), context_encoder.words.weight
            generator = Generator(own, transformer.config, tokenizer, table)
        _fill(generator, folder / "generator.safetensors", place.context, dtype)
    schedule = Schedule.from_dict(config.get("schedule", {}))
    return Parts(
        transformer,
        vae,
        context_encoder,
        schedule,
        effects=_beside(Effects, folder / "effects.safetensors", place.vae, dtype),
        detail=_beside(Detail, folder / "detail.safetensors", place.vae, dtype),
        inpainter=_beside(Inpainter, folder / "inpainter.safetensors", place.vae, dtype),
        generator=generator,
    )


def _beside(kind: type[Network], path: Path, device: torch.device, dtype: torch.dtype) -> Network | None:
    """A network that weights may have, None where its file is missing."""
    if not path.exists():
        return None
    with torch.device("meta"):
        network = kind()
    _fill(network, path, device, dtype)
    return network


def _fill(module: nn.Module, path: Path, device: torch.device, dtype: torch.dtype) -> None:
    module.load_state_dict(read_tensors(path, device, dtype), assign=True)
    module.eval().requires_grad_(False)
    # Convolutions are fastest so; matrices are not touched.
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def build_vae(config: dict[str, Any]) -> AlphaVAE | LightVAE:
    """The VAE that `config.json` describes: `kind` is "light" or "alpha"."""
    values = {k: v for k, v in config.items() if k != "kind"}
    if config["kind"] == "light":
        return LightVAE(LightVAEConfig.from_dict(values))
    return AlphaVAE(VAEConfig.from_dict(values))


def read_tensors(path: Path, device: torch.device, dtype: torch.dtype) -> dict[str, Tensor]:
    """A safetensors file in `dtype`. `NAME.int8` with `NAME.scale` (one a row) is the int8 form of `NAME`."""
    state = load_file(path, device=str(device))
    for name in [k.removesuffix(".int8") for k in state if k.endswith(".int8")]:
        rows = state.pop(f"{name}.int8").float()
        state[name] = rows * per_row(state.pop(f"{name}.scale").float(), rows)
    return {k: v.to(dtype) for k, v in state.items()}


def per_row(scale: Tensor, rows: Tensor) -> Tensor:
    """Numbers, one a row (n,), in the shape that multiplies `rows` (n, …)."""
    return scale.view(-1, *(1 for _ in rows.shape[1:]))
