"""Make a synthetic shot whose mattes are known: a cut-out moves before a still background, filmed by a noisy camera."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ...imaging.composite import over

GRAIN = 0.03  # standard deviation of the camera's noise, which changes from frame to frame
EXPOSURE = 0.06  # by how much the light goes up and down


def moving_shot(cut_out: Tensor, background: Tensor, frames: int, seed: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield frames (3, H, W) and true alphas (H, W), of a straight RGBA `cut_out` and a `background` (3, H, W).

    The cut-out goes from left to right by a third of the width, swaying, and turns a little.
    """
    noise = torch.Generator().manual_seed(seed)
    premultiplied = torch.cat([cut_out[:3] * cut_out[3:], cut_out[3:]])[None]
    for frame in range(frames):
        time = frame / max(1, frames - 1)
        angle, right, down = 0.15 * math.sin(4 * time), time / 1.5 - 1 / 3, 0.1 * math.sin(7 * time)
        cos, sin = math.cos(angle), math.sin(angle)
        theta = torch.tensor([[[cos, -sin, -right], [sin, cos, -down]]])
        grid = F.affine_grid(theta, [1, 4, *background.shape[1:]], align_corners=False)
        moved = F.grid_sample(premultiplied, grid, align_corners=False)[0]  # (4, H, W)
        alpha = moved[3]
        straight = torch.cat([moved[:3] / alpha.clamp(min=1e-4), alpha[None]])
        light = 1 + EXPOSURE * math.sin(2.4 * frame)
        grain = torch.randn(background.shape, generator=noise) * GRAIN
        yield (over(straight, background) * light + grain).clamp(0, 1), alpha


@dataclass(frozen=True)
class Steadiness:
    """Hold `mse` of alpha, and `flicker`: the mean change of its error from frame to frame, both over all pixels."""

    mse: float
    flicker: float


def steadiness(found: Sequence[Tensor], true: Sequence[Tensor]) -> Steadiness:
    """Measure alphas (H, W) in [0, 1], two frames at least."""
    errors = torch.stack(list(found)) - torch.stack(list(true))  # (frames, H, W)
    return Steadiness(float(errors.square().mean()), float(errors.diff(dim=0).abs().mean()))
