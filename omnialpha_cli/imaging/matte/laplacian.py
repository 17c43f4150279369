"""Bring alpha from the canvas to the plate's resolution by the matting Laplacian, for stills with hair.

Closed-form matting (Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting", 2008) in the
unknown band: with L the plate's matting Laplacian and p the guided filter's alpha, (L + λ) α = λ p, where α is known
outside the band. The prior is near the solution, so that a few steps of preconditioned conjugate gradients are enough,
and what is farther than a tile's margin hardly counts: the plate is solved in tiles, at full size, in bounded memory.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..canvas import Canvas, tiles, widened
from ..colour import compress, value_range
from .guided import guided_alpha

SIDE = 512  # of a tile, in pixels
MARGIN = 24  # solved around a tile and thrown away
PRIOR = 1e-3  # λ
EPSILON = 1e-7  # of the Laplacian: variance of colour below which a window counts as flat
TOLERANCE = 1e-4  # relative residual at which a solution is good enough
MAX_STEPS = 200  # what is left after them hardly shows
KNOWN = 0.005  # bilinear alpha within this of 0 or 1, where the prior is solid too, is known


def laplacian_alpha(alpha: Tensor, plate: Tensor, canvas: Canvas, behind: Tensor | None = None) -> Tensor:
    """Return alpha (H, W) as `guided_alpha` does, by the matting Laplacian, with what that returns as its prior.

    Runs on the CPU, in double precision; needs `pymatting`.
    """
    prior = guided_alpha(alpha, plate, canvas, behind)
    coarse = canvas.restore(alpha.to(plate))
    unknown = ((coarse > KNOWN) & (coarse < 1 - KNOWN)) | ((prior > 0) & (prior < 1))
    drawn_in = compress(plate)
    darkest, brightest = value_range(drawn_in)
    guide = (drawn_in - darkest) / (brightest - darkest)  # [0, 1]: pymatting inverts its windows by determinants
    result = prior.clone()
    height, width = prior.shape
    for tile in tiles(height, width, SIDE):
        if unknown[tile].any():
            wide = widened(tile, (MARGIN, MARGIN), prior.shape)
            parts = guide[:, *wide].double(), prior[wide].double(), unknown[wide]
            solved = _solve(*(part.cpu().numpy() for part in parts))
            inner = (slice(own.start - all.start, own.stop - all.start) for own, all in zip(tile, wide, strict=True))
            result[tile] = torch.from_numpy(solved[*inner]).to(result)
    return result


def _solve(plate: NDArray[np.float64], prior: NDArray[np.float64], unknown: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Solve alpha (k, l) of `plate` (3, k, l) from the `prior` (k, l), kept where it is not `unknown` (k, l)."""
    from pymatting import cf_laplacian
    from scipy.sparse import diags
    from scipy.sparse.linalg import cg

    laplacian = cf_laplacian(np.ascontiguousarray(plate.transpose(1, 2, 0)), EPSILON, is_known=~unknown)  # (kl, kl)
    where, alpha = unknown.ravel(), prior.flatten()
    rows = laplacian[where]
    system = rows[:, where]  # (n, n) for n unknown pixels
    system.setdiag(system.diagonal() + PRIOR)
    wanted = PRIOR * alpha[where] - rows[:, ~where] @ alpha[~where]
    scaled = diags(1 / system.diagonal())
    alpha[where], _ = cg(system, wanted, alpha[where], rtol=TOLERANCE, maxiter=MAX_STEPS, M=scaled)
    return alpha.clip(0, 1).reshape(prior.shape)
