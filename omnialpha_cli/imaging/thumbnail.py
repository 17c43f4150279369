"""Make small copies of pictures, to be looked at."""

import torch
from numpy.typing import NDArray
from torch import Tensor

from .canvas import resample


def resized(image: Tensor, side: int) -> Tensor:
    """Return a picture (C, H, W) with its longer side made `side` pixels; four channels are straight RGBA."""
    scale = side / max(image.shape[1:])
    height, width = (max(1, round(n * scale)) for n in image.shape[1:])
    return resample(image, height, width)


def to_bytes(image: Tensor) -> NDArray:
    """Return a picture (C, h, w) in [0, 1], clamped, as (h, w, C) uint8; one channel becomes three."""
    channels = max(3, image.shape[0])
    return image.expand(channels, -1, -1).mul(255).round().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy()
