"""Solve alpha in a trimap's unknown band: closed-form matting, with the model's matte as the prior.

A band is wider than the edge that it hides, and a trimap says more of it than a network makes use of: what connects to
the sure parts by its colour. The plate is solved at a reduced size, from coarse to fine, each size from the one before.
"""

import torch
from torch import Tensor

from ..canvas import Canvas, resample, within
from ..colour import compress, spread
from ..hint import BACKGROUND, OBJECT
from .closed_form import solve_alpha

SIDE = 384  # of the square that has the area at which it is solved, pixels
COARSEST = 48  # short side of the smallest size
PRIOR, FIRM_PRIOR = 3e-5, 1e-3  # λ
# Share of the solution that trusts the model more, at most, and the mean difference of the two at which it has half of
# that: where they differ all over, as in glass and smoke, neither is right; where they agree the colours decide.
FIRM, APART = 0.4, 0.15
PLATE = 1e-2  # λ where a clean plate decides
CONTRAST, MISFIT = 0.02, 10.0  # squared distances of colours: at which it does half; weight of what it does not explain
EPSILON = 1e-6  # of the Laplacian: variance of colour below which a window counts as flat


def alpha_in_band(
    matte: Tensor, plate: Tensor, canvas: Canvas, trimap: Tensor, behind: Tensor | None = None
) -> tuple[Tensor, Canvas]:
    """Return alpha (h, w) in [0, 1] and the canvas that it is on, larger than the model's where the plate is.

    It is solved where the `trimap` (H, W) is unknown, from the model's `matte` (·, ·) on its `canvas` and the
    `plate` (3, H, W). `behind` (3, H, W) is a clean plate: where the object's colour is far from it, alpha follows
    from the two.
    """
    height, width = trimap.shape
    plate = compress(plate)  # the Laplacian's windows square it
    behind = None if behind is None else compress(behind)
    size = within(height, width, SIDE)
    sizes = [size]
    while min(sizes[-1]) >= 2 * COARSEST:
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    prior = resample(canvas.crop(matte.to(plate)), *size)
    start = prior
    for h, w in reversed(sizes):
        known = resample(trimap.to(plate), h, w)
        sure = (known < BACKGROUND) | (known > OBJECT)
        start = torch.where(sure, (known > 0.5).to(plate), resample(start, h, w))
        likely, colours = resample(prior, h, w), resample(plate, h, w)
        weights = [torch.full_like(likely, value) for value in (PRIOR, FIRM_PRIOR)[: 1 + ((h, w) == size)]]
        if behind is not None:
            likely, trust = _between(likely, colours, torch.where(sure, known, 0.5), resample(behind, h, w))
            weights = [weight + PLATE * trust for weight in weights]
        start, *firm = solve_alpha(colours, start, likely, ~sure, prior_weights=weights, epsilon=EPSILON)
    apart = (firm[0] - start)[~sure].abs().mean() if bool((~sure).any()) else start.new_zeros(())
    return torch.lerp(start, firm[0], FIRM * apart**2 / (apart**2 + APART**2)), Canvas(
        height, width, size, (0, 0, *size)
    )


def _between(matte: Tensor, plate: Tensor, known: Tensor, behind: Tensor) -> tuple[Tensor, Tensor]:
    """Return alpha (h, w) by where a `plate` (3, h, w) lies between two colours, and how far that is trusted, (h, w).

    These are the object's, spread from where the trimap `known` (h, w) shows it, and those `behind` (3, h, w). As
    far as it is not to be trusted alpha is that of the `matte` (h, w).
    """
    front = spread(plate, (known > OBJECT).to(plate))
    line, rest = front - behind, plate - behind
    contrast = line.square().sum(0)
    along = ((rest * line).sum(0) / contrast.clamp(min=1e-6)).clamp(0, 1)
    misfit = (rest - along * line).square().sum(0)
    trust = contrast / (contrast + CONTRAST + MISFIT * misfit)
    return torch.lerp(matte, along, trust), trust
