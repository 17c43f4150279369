"""Prepare pictures for the vision tower of Qwen2.5-VL: flattened on white, resampled, cut into patches.

Resampling is separable convolution as Pillow does it (Lanczos, then bicubic), in float32 instead of 8 bits.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor

from ..parts import over_white

SIDE = 32  # the published code rounds the sides of condition images to it


@dataclass(frozen=True)
class ImageSettings:
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
        """Read the `processor/` folder; without one these are the defaults. Raises OSError or ValueError."""
        if not folder.is_dir():
            return cls()
        values = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
        size = values.get("size") or {}
        values.setdefault("min_pixels", size.get("shortest_edge"))
        values.setdefault("max_pixels", size.get("longest_edge"))
        known = {name: values[name] for name in cls.__dataclass_fields__ if values.get(name) is not None}
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in known.items()}
        return cls(**given)

    @property
    def step(self) -> int:
        """Return pixels a side of one token."""
        return self.patch_size * self.merge_size


def patches(rgba: Tensor, settings: ImageSettings, transposed: bool) -> tuple[Tensor, tuple[int, int]]:
    """Return one picture (4, H, W) in [0, 1] → patches (h·w, 3·t·p²) in the tower's order, and their grid (h, w).

    With `transposed` it is first resampled to W × H: the published code hands its resizer (width, height) where that
    takes (height, width), and the published weights were trained on pictures squashed so.
    """
    height, width = (max(1, round(side / SIDE)) * SIDE for side in rgba.shape[-2:])
    size = (width, height) if transposed else (height, width)
    rgb = resample(over_white(rgba.float()), size, LANCZOS)
    rgb = resample(rgb, token_size(size, settings), BICUBIC)
    mean, std = (rgb.new_tensor(v)[:, None, None] for v in (settings.image_mean, settings.image_std))
    rgb = (rgb - mean) / std
    p, m, t = settings.patch_size, settings.merge_size, settings.temporal_patch_size
    h, w = rgb.shape[-2] // p, rgb.shape[-1] // p
    x = rgb.view(3, h // m, m, p, w // m, m, p).permute(1, 4, 2, 5, 0, 3, 6)  # (h/m, w/m, m, m, 3, p, p)
    x = x[..., None, :, :].expand(*x.shape[:5], t, p, p)  # a still is t equal frames
    return x.reshape(h * w, 3 * t * p * p), (h, w)


def token_size(size: tuple[int, int], settings: ImageSettings) -> tuple[int, int]:
    """Return the (H, W) nearest to `size` that is made of whole tokens and within the settings' numbers of pixels."""
    step, area = settings.step, size[0] * size[1]
    rounded = [round(side / step) * step for side in size]
    if rounded[0] * rounded[1] > settings.max_pixels:
        scale = math.sqrt(area / settings.max_pixels)
        rounded = [max(step, math.floor(side / scale / step) * step) for side in size]
    elif rounded[0] * rounded[1] < settings.min_pixels:
        scale = math.sqrt(settings.min_pixels / area)
        rounded = [math.ceil(side * scale / step) * step for side in size]
    return rounded[0], rounded[1]


@dataclass(frozen=True)
class Kernel:
    """Describe a resampling kernel and how far it reaches, in pixels of the smaller picture."""

    weight: Callable[[Tensor], Tensor]
    reach: float


def _cubic(x: Tensor) -> Tensor:
    x, a = x.abs(), -0.5
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


LANCZOS = Kernel(lambda x: torch.where(x.abs() < 3, torch.sinc(x) * torch.sinc(x / 3), torch.zeros_like(x)), 3)
BICUBIC = Kernel(_cubic, 2)


def resample(image: Tensor, size: tuple[int, int], kernel: Kernel) -> Tensor:
    """Resample (C, H, W) in [0, 1] to (C, *size), antialiased, clamped to [0, 1]: width first, then height."""
    height, width = image.shape[-2:]
    if width != size[1]:
        image = (image @ _matrix(width, size[1], kernel).to(image).T).clamp(0, 1)
    if height != size[0]:
        image = (_matrix(height, size[0], kernel).to(image) @ image).clamp(0, 1)
    return image


def _matrix(old: int, new: int, kernel: Kernel) -> Tensor:
    """Return (new, old): the weights of every pixel in every resampled one; rows sum to 1."""
    scale = old / new
    stretch = max(scale, 1.0)
    centres = (torch.arange(new, dtype=torch.float64)[:, None] + 0.5) * scale  # (new, 1)
    places = torch.arange(old, dtype=torch.float64)[None]
    first = (centres - kernel.reach * stretch + 0.5).floor().clamp(min=0)
    last = (centres + kernel.reach * stretch + 0.5).floor().clamp(max=old)
    weights = kernel.weight((places - centres + 0.5) / stretch)
    weights = weights * ((places >= first) & (places < last))
    return weights / weights.sum(1, keepdim=True)
