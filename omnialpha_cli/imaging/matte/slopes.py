"""Measure how a picture changes from pixel to pixel, by which motion is found."""

import torch.nn.functional as F
from torch import Tensor


def slopes(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return by how much (C, h, w) changes from pixel to pixel, downwards and to the right."""
    padded = F.pad(image[None], (1, 1, 1, 1), "replicate")[0]
    return (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2, (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
