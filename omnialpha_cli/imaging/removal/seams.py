"""Join copied pieces in their gradients: Pérez et al., "Poisson Image Editing" (SIGGRAPH 2003)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..tiles import bounds

PULL = 0.002  # of the guide's colours on those of the pieces, against a weight of 1 of each gradient
SMOOTH = 9  # pixels a side over which those colours are averaged
STEPS = 80  # of conjugate gradients


def join(image: Tensor, mask: Tensor, offsets: Tensor) -> Tensor:
    """Return what (3, h, w) to add to what `offsets` (2, h, w) copy into the `mask` (h, w), so that no seam is left.

    The gradients become those of the pieces, going on from the `image` (3, h, w) around the mask; within it, the image
    is a guide, to whose colours the result is drawn a little. On a border of one pixel it leads to the image itself.
    """
    h, w = mask.shape
    part = bounds(mask)
    if part is None:
        return torch.zeros_like(image)
    rows, columns = (slice(max(0, one.start - 1), one.stop + 1) for one in part)
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
