"""Fill what is unknown in a picture smoothly from what is known around it."""

import torch
import torch.nn.functional as F
from torch import Tensor

SURE = 0.9  # for a network that has to tell what is less sure


def likely_colours(plate: Tensor, alpha: Tensor, sure: float = SURE) -> Tensor:
    """Return likely colours (6, h, w) of object and background: the `plate`'s where either is `sure`, else spread."""
    weights = (((share - sure) / (1 - sure)).clamp(0, 1) for share in (alpha, 1 - alpha))
    return torch.cat([spread(plate, weight) for weight in weights])


def spread(image: Tensor, weight: Tensor) -> Tensor:
    """Fill `image` (C, h, w) from coarser averages as `weight` (h, w) falls from 1 to 0; 0 where there is no weight."""
    layers = [torch.cat([image * weight, weight[None]])]  # (C + 1, h, w)
    while max(layers[-1].shape[1:]) > 1:
        half = [(side + 1) // 2 for side in layers[-1].shape[1:]]
        layers.append(F.interpolate(layers[-1][None], half, mode="bilinear")[0])  # at this scale the mean of 2×2
    filled = layers[-1][:-1] / layers[-1][-1:].clamp(min=1e-6)
    for layer in layers[-2::-1]:
        coarse = F.interpolate(filled[None], layer.shape[1:], mode="bilinear")[0]
        filled = layer[:-1] + (1 - layer[-1:]) * coarse
    return filled
