"""Paint a masked region with patches of the picture itself, where a guide says what belongs there.

A network's guess at what is behind an object has the right colours and lines but no detail; the picture around it has
all its detail and grain. Offsets to what is copied are found on a reduced size (`patch_search.py`), corrected so that
the pieces join in their gradients (Pérez et al., "Poisson Image Editing", SIGGRAPH 2003), and carried to full size,
where the pixels themselves are copied.
"""

import math
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from ..canvas import bounds, enlarge, grow, widened
from ..colour import compress, expand
from .patch_search import find_offsets

SIDE = 480  # pixels of the longer side on which offsets are looked for, at most
FRINGE = 2  # pixels of the reduced size around a mask that are not copied nor joined to: an object's edge is mixed
AROUND = 96  # pixels around a mask that are copied from, at least; else as many as the mask's longer side has
PULL = 0.002  # of the guide's colours on those of the pieces, against a weight of 1 of each gradient
SMOOTH = 9  # pixels a side over which those colours are averaged
STEPS = 80  # of conjugate gradients


def paint_with_patches(plate: Tensor, guide: Tensor, mask: Tensor, seed: int = 0) -> Tensor | None:
    """Return the `plate` (3, H, W), where the `mask` (H, W), of bools, is true painted as the `guide` (3, h, w) says.

    None where nothing is masked, or too little is known to copy from; what is masked is never copied. Equal seeds
    give equal results.
    """
    inner = bounds(mask)
    if inner is None:
        return None
    margin = max(AROUND, *(part.stop - part.start for part in inner))
    box = widened(inner, (margin, margin), mask.shape)
    own, inside = compress(plate[:, *box]), mask[box]  # (3, k, l), (k, l)
    scale = math.ceil(max(inside.shape) / SIDE)
    wide = grow(F.max_pool2d(inside[None].to(own), scale, ceil_mode=True)[0] > 0, FRINGE)  # (h, w)
    belongs = compress(enlarge(guide, box, (mask.shape[0], mask.shape[1])))
    enlarged = wide.repeat_interleave(scale, 0).repeat_interleave(scale, 1)[: own.shape[1], : own.shape[2]]
    guided = torch.where(enlarged, belongs, own)
    small = F.avg_pool2d(guided[None], scale, ceil_mode=True)[0]  # (3, h, w)
    offsets = find_offsets(small, wide, torch.Generator().manual_seed(seed))
    if offsets is None:
        return None
    painted = own.clone()
    painted[:, inside] = _copied(own, inside, offsets * scale, join(small, wide, offsets), scale)
    low, high = own.amin().item(), own.amax().item()
    result = plate.clone()
    result[:, *box] = torch.where(inside, expand(painted.clamp_(low, high)), plate[:, *box])
    return result


def _copied(own: Tensor, inside: Tensor, offsets: Tensor, light: Tensor, scale: int) -> Tensor:
    """Return colours (3, n) `inside` (k, l): what `offsets` (2, h, w) copy of `own`, plus `light`, mixed bilinearly."""
    rows, columns = inside.nonzero(as_tuple=True)  # (n,)
    taps = []
    for place, side in zip((rows, columns), offsets.shape[1:], strict=True):
        position = (place + 0.5) / scale - 0.5
        first = position.floor()
        second = position - first
        taps.append([(first.long().clamp(0, side - 1), 1 - second), ((first.long() + 1).clamp(0, side - 1), second)])
    if scale == 1:
        taps = [pair[:1] for pair in taps]
    total = own.new_zeros(3, len(rows))
    for (row, down), (column, across) in product(*taps):
        dy, dx = offsets[:, row, column]
        source = (rows + dy).clamp(0, own.shape[1] - 1), (columns + dx).clamp(0, own.shape[2] - 1)
        total += (own[:, *source] + light[:, row, column]) * (down * across)
    return total


def join(image: Tensor, mask: Tensor, offsets: Tensor) -> Tensor:
    """Return what (3, h, w) to add to what `offsets` (2, h, w) copy into the `mask` (h, w), so that no seam is left.

    The gradients become those of the pieces, going on from the `image` (3, h, w) around the mask; within it, the image
    is a guide, to whose colours the result is drawn a little. On a border of one pixel it leads to the image itself.
    """
    h, w = mask.shape
    part = bounds(mask)
    if part is None:
        return torch.zeros_like(image)
    rows, columns = widened(part, (1, 1), mask.shape)
    y, x = torch.arange(h, device=image.device)[rows, None], torch.arange(w, device=image.device)[None, columns]
    dy, dx = offsets[:, rows, columns]
    inside = mask[rows, columns]

    def piece(down: int, across: int) -> Tensor:  # (3, k, l): what each pixel's offset shows beside it
        return image[:, (y + dy + down).clamp(0, h - 1), (x + dx + across).clamp(0, w - 1)]

    copied, given = piece(0, 0), image[:, rows, columns]
    # Across a seam the mean of what both pieces show.
    down = ((piece(1, 0) - copied)[:, :-1] + (copied - piece(-1, 0))[:, 1:]) / 2  # (3, k − 1, l)
    across = ((piece(0, 1) - copied)[:, :, :-1] + (copied - piece(0, -1))[:, :, 1:]) / 2  # (3, k, l − 1)
    lead = copied + F.avg_pool2d((given - copied)[None], SMOOTH, 1, SMOOTH // 2, count_include_pad=False)[0]

    def system(u: Tensor) -> Tensor:
        return _divergence(u.diff(dim=1), u.diff(dim=2)) + PULL * u

    u = torch.where(inside, lead, given)
    rest = (_divergence(down, across) + PULL * lead - system(u)) * inside
    direction, size = rest, _squares(rest)
    for _ in range(STEPS):
        ahead = system(direction) * inside
        rate = size / (direction * ahead).sum((1, 2), keepdim=True).clamp(min=1e-20)
        u, rest = u + rate * direction, rest - rate * ahead
        previous, size = size, _squares(rest)
        direction = rest + size / previous.clamp(min=1e-20) * direction
    light = torch.zeros_like(image)
    light[:, rows, columns] = u - copied
    return light


def _divergence(down: Tensor, across: Tensor) -> Tensor:
    """Return the negative divergence (3, k, l) of differences (3, k − 1, l) and (3, k, l − 1)."""
    vertical = F.pad(down, (0, 0, 1, 0)) - F.pad(down, (0, 0, 0, 1))
    return vertical + F.pad(across, (1, 0)) - F.pad(across, (0, 1))


def _squares(rest: Tensor) -> Tensor:
    return rest.square().sum((1, 2), keepdim=True)
