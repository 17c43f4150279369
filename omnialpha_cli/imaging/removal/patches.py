"""Paint a masked region with patches of the picture itself, where a guide says what belongs there.

A network's guess at what is behind an object has the right colours and lines but no detail; the picture around it has
all its detail and grain. Offsets to what is copied are found on a reduced size (`patch_search.py`), corrected so that
the pieces join (`seams.py`), and carried to full size, where the pixels themselves are copied.
"""

import math
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from ..colour.highlights import compress, expand
from ..hint import grow
from ..tiles import Tile, bounds, enlarge
from .patch_search import find_offsets
from .seams import join

SIDE = 480  # pixels of the longer side on which offsets are looked for, at most
FRINGE = 2  # pixels of the reduced size around a mask that are not copied nor joined to: an object's edge is mixed
AROUND = 96  # pixels around a mask that are copied from, at least; else as many as the mask's longer side has


def paint_with_patches(plate: Tensor, guide: Tensor, mask: Tensor, seed: int = 0) -> Tensor | None:
    """Return the `plate` (3, H, W), where the `mask` (H, W), of bools, is true painted as the `guide` (3, h, w) says.

    None where nothing is masked, or too little is known to copy from. Equal seeds give equal results.
    """
    box = _box(mask)
    if box is None:
        return None
    own, inside = compress(plate[:, *box]), mask[box]  # (3, k, l), (k, l)
    scale = math.ceil(max(inside.shape) / SIDE)
    wide = grow(F.max_pool2d(inside[None].to(own), scale, ceil_mode=True)[0], FRINGE) > 0  # (h, w)
    belongs = compress(enlarge(guide, box, (mask.shape[0], mask.shape[1])))
    guided = torch.where(_repeated(wide, scale, own), belongs, own)
    small = F.avg_pool2d(guided[None], scale, ceil_mode=True)[0]  # (3, h, w)
    offsets = find_offsets(small, wide, torch.Generator().manual_seed(seed))
    if offsets is None:
        return None
    painted = own.clone()
    painted[:, inside] = _copied(own, inside, offsets * scale, join(small, wide, offsets), scale)
    low, high = (end.item() for end in torch.aminmax(own))
    result = plate.clone()
    result[:, *box] = torch.where(inside, expand(painted.clamp_(low, high)), plate[:, *box])
    return result


def _box(mask: Tensor) -> Tile | None:
    """Return the box around a `mask` (H, W) that is copied from."""
    inner = bounds(mask)
    if inner is None:
        return None
    margin = max(AROUND, *(part.stop - part.start for part in inner))
    rows, columns = (
        slice(max(0, part.start - margin), min(side, part.stop + margin))
        for part, side in zip(inner, mask.shape, strict=True)
    )
    return rows, columns


def _repeated(small: Tensor, scale: int, like: Tensor) -> Tensor:
    """Enlarge a mask (h, w) by a whole number, to the size of an image (3, k, l)."""
    large = small.repeat_interleave(scale, 0).repeat_interleave(scale, 1)
    return large[: like.shape[1], : like.shape[2]]


def _copied(own: Tensor, inside: Tensor, offsets: Tensor, light: Tensor, scale: int) -> Tensor:
    """Return the colours (3, n) of the pixels `inside` (k, l): what `offsets` (2, h, w) copy of `own`, plus `light`.

    Between pixels of the reduced size, what the four around copy is mixed: pieces keep their pixels, seams become soft.
    """
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
