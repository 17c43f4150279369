"""Sample by a stochastic differential equation, whose steps have densities, as policy gradients need them.

The flow's ODE dx = v dσ has the same marginals as dx = (v − ½η² s) dσ + η dw with the score s = ∇ log p of x at σ,
run from σ = 1 to 0 (Song et al., ICLR 2021). With x = (1 − σ)·x0 + σ·ε the score is −E[ε]/σ, and E[ε] = x + (1 − σ)·v.
An Euler–Maruyama step is a draw from a normal, whose density is exact.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from ...model.sampler import Denoise


@dataclass(frozen=True)
class Trajectory:
    """Hold `states[k]` (B, N, C) at `sigmas[k]`; `log_densities[k]` (B,) is that of the step from k to k + 1."""

    sigmas: Sequence[float]
    states: list[Tensor]
    log_densities: list[Tensor]


def transition(x: Tensor, velocity: Tensor, sigma: float, following: float, eta: float) -> tuple[Tensor, float]:
    """Return the mean (B, N, C) and standard deviation of the state at `following` < sigma, of x and velocity."""
    step = following - sigma
    score = -(x + (1 - sigma) * velocity) / sigma
    return x + (velocity - 0.5 * eta**2 * score) * step, eta * math.sqrt(-step)


def log_density(x: Tensor, mean: Tensor, std: float) -> Tensor:
    """Return the log density (B,) at x (B, N, C) of independent normals, summed over all but the first dimension."""
    squares = ((x - mean) / std).square().flatten(1).sum(1)
    return -0.5 * squares - x[0].numel() * (math.log(std) + 0.5 * math.log(2 * math.pi))


def roll_out(denoise: Denoise, x: Tensor, sigmas: Sequence[float], eta: float, g: torch.Generator) -> Trajectory:
    """Sample from noise x (B, N, C) at sigmas[0] to sigmas[-1] = 0.

    The last step is the ODE's: noise added there would stay in the picture. It has no density.
    """
    states, densities = [x], []
    for k, (sigma, following) in enumerate(pairwise(sigmas)):
        velocity = denoise(x, sigma)
        if k == len(sigmas) - 2:
            x = x + (following - sigma) * velocity
        else:
            mean, std = transition(x, velocity, sigma, following, eta)
            x = mean + std * torch.randn(x.shape, generator=g).to(x)
            densities.append(log_density(x, mean, std))
        states.append(x)
    return Trajectory(sigmas, states, densities)
