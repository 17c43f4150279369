"""Fill a masked part smoothly from its border by Laplace's equation, relaxed from coarse to fine.

Each masked pixel becomes the mean of its four neighbours: the membrane between the colours around.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..canvas import bounds, grow, widened
from ..colour import spread
from ..hint import BACKGROUND

ROUNDS = 6  # of relaxation at each level
SMALLEST = 8  # pixels of the short side, below which no level is made
FASTER = 1.6  # over-relaxation
MARGIN = 2  # pixels around an object that are filled as well: its edge is mixed with it


def fill_mask(hint: Tensor) -> Tensor:
    """Tell where (h, w), as bools, the object is that a trimap or mask `hint` (h, w) shows, with a margin."""
    return grow(hint, MARGIN) > BACKGROUND


def paint_over(scene: Tensor, hint: Tensor) -> Tensor:
    """Return the `scene` (C, h, w) with the object that a trimap or mask `hint` (h, w) shows filled from around it."""
    return fill_masked(scene, fill_mask(hint))


def fill_masked(images: Tensor, masks: Tensor) -> Tensor:
    """Fill images ([B,] C, h, w) where `masks` ([B,] h, w), of bools, are true; those unchanged where all of it is."""
    if images.dim() == 3:
        return fill_masked(images[None], masks[None])[0]
    masks = masks & ~masks.all((1, 2), keepdim=True)
    if not bool(masks.any()):
        return images
    levels = [(images, (~masks[:, None]).to(images))]  # colours, and weights (B, 1, h, w)
    while min(levels[-1][1].shape[2:]) >= 2 * SMALLEST:
        colours, weight = levels[-1]
        both = F.avg_pool2d(torch.cat([colours * weight, weight], 1), 2, ceil_mode=True)
        share = both[:, -1:]
        levels.append((both[:, :-1] / share.clamp(min=1e-6), (share > 0).to(images)))
    filled = torch.vmap(spread)(levels[-1][0], levels[-1][1][:, 0])
    for colours, weight in reversed(levels):
        start = F.interpolate(filled, weight.shape[2:], mode="bilinear")
        filled = _relax(torch.where(weight > 0, colours, start), weight[:, 0] == 0)
    return filled


def _relax(images: Tensor, masks: Tensor) -> Tensor:
    """Relax the `masks` (B, h, w) in rounds, on the two colours of a chessboard in turn."""
    inner = bounds(masks.any(0))
    if inner is None:
        return images
    box = widened(inner, (1, 1), masks.shape[1:])  # all that is read
    rows, columns = (torch.arange(side, device=images.device) for side in masks.shape[1:])
    black = ((rows[:, None] + columns) % 2 == 0)[box]
    part, inside = images[:, :, *box], masks[:, None, *box]
    for _ in range(ROUNDS):
        for squares in (inside & black, inside & ~black):
            p = F.pad(part, (1, 1, 1, 1), mode="replicate")
            mean = (p[:, :, :-2, 1:-1] + p[:, :, 2:, 1:-1] + p[:, :, 1:-1, :-2] + p[:, :, 1:-1, 2:]) / 4
            part = torch.where(squares, torch.lerp(part, mean, FASTER), part)
    filled = images.clone()
    filled[:, :, *box] = part
    return filled
