"""Solve closed-form matting (Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting", 2008).

With L the matting Laplacian of a plate, α minimises αᵀLα + Σλ(α − p)², given where it is known; p is what is likely.
Solved by conjugate gradients over what is unknown, on the plate's device, in double precision.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_STEPS = 250
TOLERANCE = 3e-4  # of the residual
LEAST = 1e-24  # squared residual: steps after it would divide 0 by 0
CENTRE = 12  # of the 5 × 5 pixels around one


def solve_alpha(
    plate: Tensor, start: Tensor, prior: Tensor, unknown: Tensor, *, prior_weights: Sequence[Tensor], epsilon: float
) -> list[Tensor]:
    """Solve alpha (h, w) in [0, 1] of a `plate` (3, h, w), kept as in `start` (h, w) where it is not `unknown` (h, w).

    There is one for each of the `prior_weights` (h, w), λ of the `prior` (h, w) pixel by pixel. `epsilon` is the
    variance of colour below which a window counts as flat.
    """
    if min(start.shape) < 3 or not bool(unknown.any()):
        return [start] * len(prior_weights)
    weights, places = laplacian_rows(plate, unknown, epsilon)  # (n, 25) both
    alpha, where = start.flatten().double(), unknown.flatten().nonzero()[:, 0]  # (n,)
    inside = unknown.flatten()[places]
    likely, known = prior.flatten().double()[where], (weights * alpha[places]).masked_fill(inside, 0).sum(1)
    number = torch.zeros_like(unknown.flatten(), dtype=torch.long)
    number[where] = torch.arange(len(where), device=where.device)  # a pixel's row
    weights = weights.masked_fill(~inside, 0)
    columns, diagonal, x, solved = number[places], weights[:, CENTRE].clone(), alpha[where], []
    for prior_weight in prior_weights:
        trust = prior_weight.flatten().double()[where]
        weights[:, CENTRE] = diagonal + trust
        x = _conjugate_gradients(weights, columns, trust * likely - known, x)
        solved.append(alpha.index_copy(0, where, x).clamp(0, 1).view_as(start).to(start.dtype))
    return solved


def _conjugate_gradients(weights: Tensor, places: Tensor, wanted: Tensor, x: Tensor) -> Tensor:
    """Solve Ax ≈ `wanted` (n,), A being symmetric with `weights` (n, 25) at the columns `places` (n, 25)."""
    diagonal = weights[:, CENTRE]
    residual = wanted - torch.linalg.vecdot(weights, x[places])
    enough = (TOLERANCE**2 * wanted.square().sum()).clamp(min=LEAST)
    direction = z = residual / diagonal
    rz = (residual * z).sum()
    for _ in range(MAX_STEPS):
        if residual.square().sum() <= enough:
            break
        applied = torch.linalg.vecdot(weights, direction[places])
        step = rz / (direction * applied).sum()
        x = x + step * direction
        residual = residual - step * applied
        z = residual / diagonal
        rz, before = (residual * z).sum(), rz
        direction = z + rz / before * direction
    return x


def laplacian_rows(plate: Tensor, unknown: Tensor, epsilon: float) -> tuple[Tensor, Tensor]:
    """Return the matting Laplacian's rows of the `unknown` pixels (h, w) of a `plate` (3, h, w), windows of 3 × 3.

    Weights (n, 25) of the 5 × 5 pixels around each, in double precision, and those pixels' places (n, 25) in the
    flattened picture; what lies outside it has weight 0.
    """
    _, h, w = plate.shape
    windows = _whitened(plate.double(), epsilon / 9)  # (3, 9, windows)
    rows, columns = unknown.nonzero(as_tuple=True)  # (n,)
    weights = windows.new_zeros(len(rows), 25)
    members = torch.arange(9, device=plate.device)
    for own in range(9):  # which pixel of the window the unknown one is
        top, left = rows - own // 3, columns - own % 3
        here = ((top >= 0) & (top < h - 2) & (left >= 0) & (left < w - 2)).nonzero()[:, 0]  # (m,)
        window = windows[:, :, top[here] * (w - 2) + left[here]]  # (3, 9, m)
        share = -(1 + (window * window[:, own : own + 1]).sum(0)) / 9  # (9, m)
        share[own] += 1
        around = (members // 3 - own // 3 + 2) * 5 + members % 3 - own % 3 + 2
        weights[here[:, None], around] += share.T
    offsets = torch.arange(-2, 3, device=plate.device)
    near_rows = (rows[:, None] + offsets).clamp(0, h - 1)  # (n, 5)
    near_columns = (columns[:, None] + offsets).clamp(0, w - 1)
    return weights, (near_rows[:, :, None] * w + near_columns[:, None]).flatten(1)


def _whitened(plate: Tensor, least: float) -> Tensor:
    """Return the colours of each 3 × 3 window of `plate` (3, h, w) about their mean, as L⁻¹ of them: (3, 9, windows).

    LLᵀ is their covariance with `least` added on its diagonal.
    """
    colours = F.unfold(plate[None], 3)[0].unflatten(0, (3, 9))  # (3, 9, windows)
    r, g, b = colours - colours.mean(1, keepdim=True)
    rr, rg, rb, gg, gb, bb = ((x * y).mean(0) for x, y in ((r, r), (r, g), (r, b), (g, g), (g, b), (b, b)))
    first = (rr + least).sqrt()
    rg, rb = rg / first, rb / first
    second = (gg + least - rg * rg).clamp(min=least).sqrt()
    gb = (gb - rg * rb) / second
    third = (bb + least - rb * rb - gb * gb).clamp(min=least).sqrt()
    one = r / first
    two = (g - rg * one) / second
    return torch.stack((one, two, (b - rb * one - gb * two) / third))
