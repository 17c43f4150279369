"""Write weights: a folder of the embedded kind, or one part in the published layout.

The embedded kind is `config.json`, `transformer`, `vae`, `context` and the specialists that there are, as safetensors,
and `tokenizer.json`; a part of the published layout a `config.json` and
`diffusion_pytorch_model.safetensors`.
"""

import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...model.mini.context import TOKENIZER_FILE, MiniContext
from ...model.mini.light_vae import LightVAE
from ...model.mini.load import per_row
from ...model.mini.model import Mini
from ...model.transformer import Transformer
from ...model.vae import AlphaVAE, Resample
from .distributed import Group, whole
from .save import save_tensors

PART_FILE = "diffusion_pytorch_model.safetensors"
TEMPORAL = [False, True, True]  # the published VAE's levels that also halve time, which stills do not have
INT8_FROM = 2**16  # entries of a matrix; smaller ones are not worth it
INT8_KERNELS_FROM = 2**13  # of convolutions' kernels


def quantise_rows(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Quantise (rows, …) to int8 of that shape, and one float32 scale a row, with weight ≈ int8 · scale."""
    scale = weight.abs().flatten(1).amax(1).clamp(min=1e-12) / 127
    return (weight / per_row(scale, weight)).round().to(torch.int8), scale


def stored(module: nn.Module) -> dict[str, Tensor]:
    """Return tensors as files hold them: large matrices, and kernels but the VAE's, int8 per row, others fp16."""
    out: dict[str, Tensor] = {}
    least = {2: INT8_FROM} if isinstance(module, LightVAE) else {2: INT8_FROM, 4: INT8_KERNELS_FROM}
    for name, tensor in module.state_dict().items():
        value = tensor.detach().float().cpu().contiguous()
        if value.numel() >= least.get(value.ndim, math.inf):
            out[f"{name}.int8"], out[f"{name}.scale"] = quantise_rows(value)
        else:
            out[name] = value.half()
    return out


def write_weights(model: Mini, name: str, folder: Path) -> dict[str, tuple[int, int]]:
    """Write `model` to `folder`. Returns (parameters, bytes) of each part."""
    assert isinstance(model.vae, LightVAE) and isinstance(model.context_encoder, MiniContext)
    folder.mkdir(parents=True, exist_ok=True)
    sizes: dict[str, tuple[int, int]] = {}
    parts: dict[str, nn.Module] = {"transformer": model.transformer, "context": model.context_encoder, "vae": model.vae}
    specialists = {name: model.specialist(name) for name in model.specialists}
    parts |= specialists
    for part, module in parts.items():
        path = folder / f"{part}.safetensors"
        save_tensors(stored(module), path)
        sizes[part] = (sum(p.numel() for p in module.parameters()), path.stat().st_size)
    model.context_encoder.tokenizer.save(str(folder / TOKENIZER_FILE), pretty=False)
    config: dict[str, Any] = {
        "name": name,
        "prediction": model.prediction,
        "tasks": list(model.tasks),
        "defaults": asdict(model.defaults),
        "schedule": asdict(model.schedule),
        "transformer": asdict(model.transformer.config),
        "context": asdict(model.context_encoder.config),
        "vae": {"kind": "light", **asdict(model.vae.config)},
    }
    config |= {name: own for name, network in specialists.items() if (own := config_of(network))}
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    return sizes


def write_alpha_vae(vae: AlphaVAE, folder: Path) -> None:
    """Write `rgba_vae/`, float32, as the published class of diffusers reads it."""
    config = {"_class_name": "AutoencoderKLQwenImage", **asdict(vae.config), "temperal_downsample": TEMPORAL}
    _write_part(as_published(vae), config, folder)


def as_published(vae: AlphaVAE) -> dict[str, Tensor]:
    """Return the state dict of the published, three-dimensional layout: the inverse of `AlphaVAE.from_published`.

    A kernel acts on one frame through its last temporal slice; the others, and the temporal resamplers, are zero.
    """
    state: dict[str, Tensor] = {}
    for name, tensor in vae.state_dict().items():
        flat = ".resample." in name or ".attentions." in name  # two-dimensional there too
        if name.endswith("gamma") and not flat:
            tensor = tensor[..., None]  # (C, 1, 1, 1)
        elif tensor.ndim == 4 and not flat:
            frames = tensor.shape[-1]  # kernels are cubes
            before = tensor.new_zeros(*tensor.shape[:2], frames - 1, *tensor.shape[2:])
            tensor = torch.cat((before, tensor[:, :, None]), dim=2)  # (O, I, T, h, w)
        state[name] = tensor
    down = [n for n, m in vae.encoder.named_modules() if isinstance(m, Resample)]
    up = [n for n, m in vae.decoder.named_modules() if isinstance(m, Resample)]
    for prefix, names, temporal, widening in (("encoder", down, TEMPORAL, 1), ("decoder", up, TEMPORAL[::-1], 2)):
        for name in (n for n, on in zip(names, temporal, strict=True) if on):
            width = state[f"{prefix}.{name}.resample.1.weight"].shape[1]
            state[f"{prefix}.{name}.time_conv.weight"] = torch.zeros(widening * width, width, 3, 1, 1)
            state[f"{prefix}.{name}.time_conv.bias"] = torch.zeros(widening * width)
    return state


def write_transformer(transformer: Transformer, folder: Path, group: Group) -> None:
    """Write `transformer/` in bfloat16. All processes have to come here; the first one writes."""
    state = {name: whole(tensor).bfloat16() for name, tensor in transformer.state_dict().items()}
    if group.first:
        _write_part(state, asdict(transformer.config), folder)


def _write_part(state: dict[str, Tensor], config: dict[str, Any], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_tensors({name: t.detach().cpu().contiguous() for name, t in state.items()}, folder / PART_FILE)
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")


def config_of(network: nn.Module) -> dict[str, Any]:
    """Return what `config.json` says of a specialist; nothing where its class alone says all."""
    config = getattr(network, "config", None)
    return {} if config is None else asdict(config)
