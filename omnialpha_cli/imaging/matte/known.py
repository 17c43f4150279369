"""Alpha in a trimap's unknown band: closed-form matting, with the model's matte as what is likely.

A band is wider than the edge that it hides, and a trimap says more of it than a network makes use of: what connects to
the sure parts by its colour. The plate is solved at a reduced size, from coarse to fine, each size from the one before.
"""

import torch
from torch import Tensor

from ..canvas import Canvas, resample, within
from ..colour.highlights import compress
from ..hint import BACKGROUND, OBJECT
from .closed_form import solve_alpha

SIDE = 384  # of the square that has the area at which it is solved, pixels
COARSEST = 48  # short side of the smallest size
PRIOR = 3e-5  # λ
EPSILON = 1e-6  # of the Laplacian: variance of colour below which a window counts as flat


def alpha_in_band(matte: Tensor, plate: Tensor, canvas: Canvas, trimap: Tensor) -> tuple[Tensor, Canvas]:
    """Alpha (h, w) in [0, 1] and the canvas that it is on, larger than the model's where the plate is.

    From the model's `matte` (·, ·) on its `canvas`, the `plate` (3, H, W), and the `trimap` (H, W).
    """
    height, width = trimap.shape
    plate = compress(plate)  # the Laplacian's windows square it
    size = within(height, width, SIDE)
    sizes = [size]
    while min(sizes[-1]) >= 2 * COARSEST:
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    prior = resample(canvas.crop(matte[None].to(plate)), *size)[0]
    start = prior
    for h, w in reversed(sizes):
        known = resample(trimap[None].to(plate), h, w)[0]
        sure = (known < BACKGROUND) | (known > OBJECT)
        start = torch.where(sure, (known > 0.5).to(plate), resample(start[None], h, w)[0])
        likely = resample(prior[None], h, w)[0]
        start = solve_alpha(resample(plate, h, w), start, likely, ~sure, prior_weight=PRIOR, epsilon=EPSILON)
    return start, Canvas(height, width, size, (0, 0, *size))
