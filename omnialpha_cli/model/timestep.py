"""Embed sigma for the transformer: sinusoids of the timestep 1000·sigma, then an MLP.

The published pipeline holds the timestep in the dtype of the latents, and training did too. In bfloat16 that leaves
some 1900 values of sigma, and the fast sinusoids of neighbouring values are radians apart: weights trained so know no
others. `rounded` makes sigma one of them.
"""

import math
from collections import OrderedDict

import torch
from torch import Tensor, nn

TIME_CHANNELS = 256
TIME_SCALE = 1000.0


def rounded(sigma: Tensor, dtype: torch.dtype) -> Tensor:
    """Round sigma (…) as the published pipeline does: the timestep to `dtype`, then a thousandth of it again."""
    return ((sigma * TIME_SCALE).to(dtype) / TIME_SCALE).to(sigma.dtype)


def sinusoids(sigma: Tensor) -> Tensor:
    """Map sigma (…) to (…, 256) in float32: cosines first, then sines, of 1000·sigma at 128 frequencies."""
    half = TIME_CHANNELS // 2
    frequencies = torch.exp(-math.log(10000.0) * torch.arange(half, dtype=torch.float32, device=sigma.device) / half)
    angles = sigma.float()[..., None] * TIME_SCALE * frequencies  # (…, 128)
    return torch.cat((angles.cos(), angles.sin()), dim=-1)


class TimeEmbedding(nn.Module):
    """Embed sigma as the vector that modulates every block; with `rounding` as in the published pipeline."""

    def __init__(self, dim: int, rounding: bool = False):
        super().__init__()
        self.rounding = rounding
        layers = {"linear_1": nn.Linear(TIME_CHANNELS, dim), "silu": nn.SiLU(), "linear_2": nn.Linear(dim, dim)}
        self.timestep_embedder = nn.Sequential(OrderedDict(layers))

    def forward(self, sigma: Tensor, dtype: torch.dtype) -> Tensor:
        """Map (…) to (…, D) in `dtype`."""
        sigma = rounded(sigma, dtype) if self.rounding else sigma
        return self.timestep_embedder(sinusoids(sigma).to(dtype))
