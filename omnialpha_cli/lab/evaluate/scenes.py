"""Draw a scene whose layers are known exactly: a head with fine hair before a textured background."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..data.strands import POINTS_PER_PIXEL, draw_strands

STRANDS_PER_PIXEL = 0.2  # strands for each pixel of the picture's short side
GRAIN = 0.01  # standard deviation of the noise of the camera


@dataclass(frozen=True, eq=False)
class Scene:
    """Hold straight RGBA `foreground` (4, H, W) and `background` (3, H, W); `plate` (3, H, W) is one over the other."""

    foreground: Tensor
    background: Tensor
    plate: Tensor


def hair_scene(height: int, width: int, seed: int = 0) -> Scene:
    """Draw dark hair, strand by strand, with edges as a camera gives them, before a brighter background."""
    noise = torch.Generator().manual_seed(seed)
    alpha = hair(height, width, noise)
    foreground = torch.cat([textured(height, width, (0.28, 0.18, 0.12), noise), alpha[None]])
    background = textured(height, width, (0.55, 0.65, 0.7), noise)
    grain = torch.randn(3, height, width, generator=noise) * GRAIN
    plate = torch.lerp(background, foreground[:3], alpha) + grain
    return Scene(foreground, background, plate.clamp_(0, 1))


def textured(height: int, width: int, colour: tuple[float, float, float], noise: torch.Generator) -> Tensor:
    """Draw a texture (3, height, width) around a colour, with detail at every scale from 4 pixels up, within [0, 1]."""
    texture = torch.zeros(3, height, width)
    side, strength = float(max(height, width)), 0.2
    while side >= 4:
        cells = [max(2, round(length / side) + 1) for length in (height, width)]
        coarse = torch.rand(1, 3, *cells, generator=noise) - 0.5
        texture.add_(F.interpolate(coarse, (height, width), mode="bilinear")[0], alpha=strength)
        side, strength = side / 4, strength * 0.85
    return texture.add_(torch.tensor(colour)[:, None, None]).clamp_(0, 1)


def hair(height: int, width: int, noise: torch.Generator) -> Tensor:
    """Draw the alpha (height, width) of a disc with curved strands, tapered, about a pixel wide."""
    short = min(height, width)
    count, length = max(8, round(STRANDS_PER_PIXEL * short)), 0.2 * short
    rows, columns = torch.arange(height)[:, None] + 0.5, torch.arange(width) + 0.5
    distance = torch.hypot(rows - height / 2, columns - width / 2)
    alpha = (0.28 * short - distance + 0.5).clamp(0, 1)

    angle, bend, curl, reach, thick = torch.rand(5, count, 1, generator=noise)
    along = torch.linspace(0, 1, max(2, round(POINTS_PER_PIXEL * length)))[None]  # (1, n), from root to tip
    out = 0.26 * short + along * length * (0.4 + 0.6 * reach)  # from the centre of the disc, (count, n)
    turn = 2 * torch.pi * angle + (bend - 0.5) * 1.2 * along**2 + 0.03 * torch.sin(9 * along + 6 * curl)
    radius = (0.4 + 0.6 * thick) * (1 - 0.7 * along) * max(1.0, (short / 1080) ** 0.5)  # of the strand, (count, n)
    y, x = (height / 2 + out * turn.sin()).flatten(), (width / 2 + out * turn.cos()).flatten()
    draw_strands(alpha, y, x, radius.flatten())
    return alpha
