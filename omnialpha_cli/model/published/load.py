"""Load weights in the published layout: a folder a part, as diffusers and transformers write them.

    transformer/  text_encoder/  tokenizer/  processor/  scheduler/     of Qwen-Image-Edit-2509
    rgba_vae/  lora/ (or rgba_lora/)                                    of OmniAlpha

`rgba_vae/` may be the base's `vae/`, of three channels, and the LoRA may be absent: then it is the base model. Later
bases of this layout (Edit-2511, Image-2512) load as well. What the weights were trained for is in `published.json`;
a `config.json` in the folder takes its place.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .. import lora
from ..config import TRANSFORMER, TransformerConfig, VAEConfig, lora_folder, read_config, vae_folder
from ..loading import count, load_into, read_state, shards
from ..memory import Needs
from ..omnialpha import OmniAlpha
from ..sampler import Schedule
from ..transformer import Transformer
from ..vae import AlphaVAE
from .qwen import QwenContext

PUBLISHED_TRAINING = {"timestep_rounding": True}  # where a config.json says nothing of the transformer
_COMFYUI = "model.diffusion_model."  # what single files put before every key of the transformer


def needs(folder: Path, dtype: torch.dtype) -> Needs:
    """Return bytes of each network."""
    folders = (folder / TRANSFORMER, folder / "text_encoder", vae_folder(folder))
    return Needs(*(count(shards(part)) * dtype.itemsize for part in folders))


def load(folder: Path, config: dict[str, Any], place: dict[str, torch.device], **settings: Any) -> OmniAlpha:
    """Load all parts, the folder's own LoRA merged, in the dtype of the `settings`, which are fields of `OmniAlpha`.

    Raises OSError, ValueError or ImportError.
    """
    dtype = settings["dtype"]
    transposed = bool(config.get("context", {}).get("transposed_images", True))
    scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text(encoding="utf-8"))
    return OmniAlpha(
        transformer=load_transformer(folder, place["transformer"], dtype),
        vae=load_vae(folder, place["vae"], dtype),
        context_encoder=QwenContext.load(folder, place["context"], dtype, transposed),
        schedule=Schedule.from_dict(scheduler),
        **settings,
    )


def load_transformer(folder: Path, device: torch.device | str, dtype: torch.dtype) -> Transformer:
    """Load the transformer, with the folder's LoRA in its weights."""
    path = folder / TRANSFORMER / "config.json"
    values = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}  # a single file brings none
    values = {**read_config(folder).get("transformer", PUBLISHED_TRAINING), **values}
    with torch.device("meta"):
        transformer = Transformer(TransformerConfig.from_dict(values))
    files = shards(folder / TRANSFORMER)
    load_into(transformer, files, device, dtype, lambda key: key.removeprefix(_COMFYUI))
    if place := lora_folder(folder):
        for file in shards(place):
            lora.merge(transformer, lora.read(file))
    return transformer.eval()


def load_vae(folder: Path, device: torch.device | str, dtype: torch.dtype) -> "AlphaVAE | RGBVAE":
    """Return the alpha-aware VAE, or the base's of three channels made to look like one."""
    part = vae_folder(folder)
    config = VAEConfig.from_dict(json.loads((part / "config.json").read_text(encoding="utf-8")))
    state = read_state(shards(part))
    channels = state["encoder.conv_in.weight"].shape[1] if "encoder.conv_in.weight" in state else config.input_channels
    vae = AlphaVAE.from_published(state, replace(config, input_channels=channels))
    vae = vae.eval().requires_grad_(False).to(device=device, dtype=dtype)
    return RGBVAE(vae) if channels == 3 else vae


class RGBVAE(nn.Module):
    """Adapt a VAE of three channels to four: pictures go in over white, and come out opaque."""

    def __init__(self, vae: AlphaVAE):
        super().__init__()
        self.vae = vae

    def encode(self, rgba: Tensor) -> Tensor:
        """Encode RGBA (B, 4, H, W) in [−1, 1] to normalised latents (B, 16, H/8, W/8)."""
        rgb, alpha = rgba[:, :3], (rgba[:, 3:] + 1) / 2
        return self.vae.encode(rgb * alpha + (1 - alpha))  # white is 1

    def decode(self, z: Tensor, clamp: bool = True) -> Tensor:
        """Decode normalised latents (B, 16, h, w) to RGBA (B, 4, 8h, 8w) with an alpha of 1."""
        rgb = self.vae.decode(z, clamp)
        return torch.cat([rgb, torch.ones_like(rgb[:, :1])], dim=1)
