"""Prepare pictures for the vision tower of Qwen2.5-VL: flattened on white, resampled, cut into patches.

Pillow resamples (Lanczos, then bicubic), in float32 instead of 8 bits.
"""

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
import PIL.Image
import torch
from PIL.Image import Resampling
from torch import Tensor

from ..config import FromDict
from ..request import over_white

SIDE = 32  # the published code rounds the sides of condition images to it


@dataclass(frozen=True)
class ImageSettings(FromDict):
    """Hold settings by the field names of `preprocessor_config.json`; the defaults are Qwen2.5-VL's."""

    patch_size: int = 14
    merge_size: int = 2
    temporal_patch_size: int = 2
    min_pixels: int = 56 * 56
    max_pixels: int = 28 * 28 * 16384
    image_mean: tuple[float, ...] = (0.48145466, 0.4578275, 0.40821073)
    image_std: tuple[float, ...] = (0.26862954, 0.26130258, 0.27577711)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the `processor/` folder of published weights; without one, as in Qwen-Image-2512, they are the defaults.

        Raises OSError or ValueError.
        """
        if not folder.is_dir():
            return cls()
        values = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
        size = values.get("size") or {}
        values.setdefault("min_pixels", size.get("shortest_edge"))
        values.setdefault("max_pixels", size.get("longest_edge"))
        return cls.from_dict({f.name: values[f.name] for f in fields(cls) if values.get(f.name) is not None})


def patches(rgba: Tensor, settings: ImageSettings, transposed: bool) -> tuple[Tensor, tuple[int, int]]:
    """Return one picture (4, H, W) in [0, 1] → patches (h·w, 3·t·p²) in the tower's order, and their grid (h, w).

    With `transposed` it is first resampled to W × H: the published code hands its resizer (width, height) where
    that takes (height, width), and the published weights were trained on pictures squashed so.
    """
    height, width = (max(1, round(side / SIDE)) * SIDE for side in rgba.shape[-2:])
    size = (width, height) if transposed else (height, width)
    rgb = resample(over_white(rgba.float()), size, Resampling.LANCZOS)
    rgb = resample(rgb, token_size(size, settings), Resampling.BICUBIC)
    mean, std = (rgb.new_tensor(v)[:, None, None] for v in (settings.image_mean, settings.image_std))
    rgb = (rgb - mean) / std
    p, m, t = settings.patch_size, settings.merge_size, settings.temporal_patch_size
    h, w = rgb.shape[-2] // p, rgb.shape[-1] // p
    x = rgb.view(3, h // m, m, p, w // m, m, p).permute(1, 4, 2, 5, 0, 3, 6)  # (h/m, w/m, m, m, 3, p, p)
    x = x[..., None, :, :].expand(*x.shape[:5], t, p, p)  # a still is t equal frames
    return x.reshape(h * w, 3 * t * p * p), (h, w)


def token_size(size: tuple[int, int], settings: ImageSettings) -> tuple[int, int]:
    """Return the (H, W) nearest to `size` that is made of whole tokens and within the settings' numbers of pixels."""
    step, area = settings.patch_size * settings.merge_size, size[0] * size[1]  # of a token, and of all
    rounded = [round(side / step) * step for side in size]
    if rounded[0] * rounded[1] > settings.max_pixels:
        scale = math.sqrt(area / settings.max_pixels)
        rounded = [max(step, math.floor(side / scale / step) * step) for side in size]
    elif rounded[0] * rounded[1] < settings.min_pixels:
        scale = math.sqrt(settings.min_pixels / area)
        rounded = [math.ceil(side * scale / step) * step for side in size]
    return rounded[0], rounded[1]


def resample(image: Tensor, size: tuple[int, int], kernel: Resampling) -> Tensor:
    """Resample (C, H, W) in [0, 1] to (C, *size), antialiased, clamped to [0, 1]: width first, then height."""
    for height, width in ((image.shape[1], size[1]), size):
        if image.shape[1:] != (height, width):
            planes = map(PIL.Image.fromarray, image.float().cpu().numpy())
            resized = np.stack([np.asarray(plane.resize((width, height), kernel)) for plane in planes])
            image = torch.from_numpy(resized).to(image).clamp(0, 1)
    return image
