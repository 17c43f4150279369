"""Fill a hole smoothly from its border: the membrane between the colours around it.

Each pixel of the hole becomes the mean of its four neighbours (Laplace's equation), relaxed from coarse to fine so that
a few rounds a level are enough.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .hint import BACKGROUND, grow
from .spread import spread

ROUNDS = 6  # of relaxation at each level
SMALLEST = 8  # pixels of the short side, below which no level is made
FASTER = 1.6  # over-relaxation
MARGIN = 2  # pixels around an object that are filled as well: its edge is mixed with it


def paint_over(scene: Tensor, hint: Tensor) -> Tensor:
    """The `scene` (C, h, w) with the object that a trimap or mask `hint` (h, w) shows filled from around it."""
    return fill_hole(scene, grow(hint, MARGIN) > BACKGROUND)


def fill_hole(image: Tensor, hole: Tensor) -> Tensor:
    """The `image` (C, h, w) with what is in the `hole` (h, w), of bools, replaced; if all of it is hole, unchanged."""
    known = (~hole).to(image)
    if not bool(known.any()) or not bool(hole.any()):
        return image
    levels = [(image, known)]
    while min(levels[-1][1].shape) >= 2 * SMALLEST:
        colours, weight = levels[-1]
        both = F.avg_pool2d(torch.cat([colours * weight, weight[None]])[None], 2, ceil_mode=True)[0]
        share = both[-1]
        levels.append((both[:-1] / share.clamp(min=1e-6), (share > 0).to(image)))
    filled = spread(*levels[-1])
    for colours, weight in reversed(levels):
        start = F.interpolate(filled[None], weight.shape, mode="bilinear")[0]
        filled = _relax(torch.where(weight > 0, colours, start), weight == 0)
    return filled


def _relax(image: Tensor, hole: Tensor) -> Tensor:
    """Rounds of over-relaxation in the `hole` (h, w), on the two colours of a chessboard in turn."""
    # All that is read is in a box with one pixel around the hole.
    box = tuple(
        slice(max(0, int(places[0]) - 1), int(places[-1]) + 2)
        for places in (hole.any(axis).nonzero()[:, 0] for axis in (1, 0))
        if len(places)
    )
    if not box:
        return image
    rows, columns = (torch.arange(side, device=image.device) for side in hole.shape)
    black = ((rows[:, None] + columns) % 2 == 0)[box]
    part, hole = image[:, *box], hole[box]
    for _ in range(ROUNDS):
        for squares in (hole & black, hole & ~black):
            p = F.pad(part[None], (1, 1, 1, 1), mode="replicate")[0]
            mean = (p[:, :-2, 1:-1] + p[:, 2:, 1:-1] + p[:, 1:-1, :-2] + p[:, 1:-1, 2:]) / 4
            part = torch.where(squares, torch.lerp(part, mean, FASTER), part)
    filled = image.clone()
    filled[:, *box] = part
    return filled
