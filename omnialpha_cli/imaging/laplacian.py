"""Alpha from the canvas to the plate's resolution by the matting Laplacian, for stills with hair.

Closed-form matting (Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting", 2008) in the
unknown band: with L the plate's matting Laplacian and p the guided filter's alpha, (L + λ) α = λ p, where α is known
outside the band. The prior is near the solution, so that a few steps of preconditioned conjugate gradients are enough,
and what is farther than a tile's margin hardly counts: the plate is solved in tiles, at full size, in bounded memory.
"""

from torch import Tensor

from .canvas import Canvas
from .closed_form import solve_alpha
from .guided import guided_alpha
from .tiles import tiles

SIDE = 512  # of a tile, in pixels
MARGIN = 24  # solved around a tile and thrown away
PRIOR = 1e-3  # λ
EPSILON = 1e-7  # variance of colour below which a window counts as flat
KNOWN = 0.005  # bilinear alpha within this of 0 or 1, where the prior is solid too, is known


def laplacian_alpha(alpha: Tensor, plate: Tensor, canvas: Canvas, behind: Tensor | None = None) -> Tensor:
    """Alpha (H, W) in [0, 1] at the plate's size, from `alpha` (h, w) on the canvas and the `plate` (3, H, W).

    `behind` (3, H, W) is a clean plate, for the guided filter. Runs on the plate's device.
    """
    prior = guided_alpha(alpha, plate, canvas, behind)
    coarse = canvas.restore(alpha[None].to(plate))[0]
    unknown = ((coarse > KNOWN) & (coarse < 1 - KNOWN)) | ((prior > 0) & (prior < 1))
    result = prior.clone()
    height, width = prior.shape
    for rows, columns in tiles(height, width, SIDE):
        if unknown[rows, columns].any():
            (tall, high), (wide, across) = _grow(rows, height), _grow(columns, width)
            near, part = prior[tall, wide], unknown[tall, wide]
            solved = solve_alpha(plate[:, tall, wide], near, near, part, prior_weight=PRIOR, epsilon=EPSILON)
            result[rows, columns] = solved[high, across]
    return result


def _grow(part: slice, side: int) -> tuple[slice, slice]:
    """A part of `side` pixels with its margin, as far as there are pixels, and where the part lies in that."""
    grown = slice(max(part.start - MARGIN, 0), min(part.stop + MARGIN, side))
    return grown, slice(part.start - grown.start, part.stop - grown.start)
