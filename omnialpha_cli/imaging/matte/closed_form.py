"""Solve alpha by closed-form matting: in a trimap's unknown band, and, for stills with hair, at the plate's full size.

A band is wider than the edge that it hides, and a trimap says more of it than a network makes use of: what connects to
the sure parts by its colour. The plate is solved at a reduced size, from coarse to fine, each size from the one before,
with the model's matte as the prior. At full size the prior is what the guided filter makes of it, which is near the
solution: what is farther than a tile's margin hardly counts, and the plate is solved in tiles, in bounded memory.

With L the matting Laplacian of a plate, α minimises αᵀLα + Σλ(α − p)², given where it is known; p is what is likely
(Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting", 2008). Solved by conjugate gradients
over what is unknown, on the plate's device, in double precision.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ..canvas import Canvas, resample, tiles, widened, within
from ..colour import compress, spread
from ..hint import BACKGROUND, OBJECT
from .guided import guided_alpha

SIDE = 384  # of the square that has the area at which it is solved, pixels
COARSEST = 48  # short side of the smallest size
PRIOR, FIRM_PRIOR = 3e-5, 1e-3  # λ
# Share of the solution that trusts the model more, at most, and the mean difference of the two at which it has half of
# that: where they differ all over, as in glass and smoke, neither is right; where they agree the colours decide.
FIRM, APART = 0.4, 0.15
PLATE = 1e-2  # λ where a clean plate decides
CONTRAST, MISFIT = 0.02, 10.0  # squared distances of colours: at which it does half; weight of what it does not explain
EPSILON = 1e-6  # of the Laplacian: variance of colour below which a window counts as flat
MAX_STEPS = 250
TOLERANCE = 3e-4  # of the residual
LEAST = 1e-24  # squared residual: steps after it would divide 0 by 0

# At full size.
TILE, MARGIN = 512, 24  # pixels: of a tile, and solved around it and thrown away
TILE_PRIOR = 1e-3  # λ
TILE_EPSILON = 1e-7  # as EPSILON, of finer detail
KNOWN = 0.005  # bilinear alpha within this of 0 or 1, where the prior is solid too, is known
CENTRE = 12  # of the 5 × 5 pixels around one


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
    mixed = torch.lerp(start, firm[0], FIRM * apart**2 / (apart**2 + APART**2))
    return mixed, Canvas(height, width, size, (0, 0, *size))


def laplacian_alpha(alpha: Tensor, plate: Tensor, canvas: Canvas, behind: Tensor | None = None) -> Tensor:
    """Return alpha (H, W) as `guided_alpha` does, solved with what that returns as its prior."""
    prior = guided_alpha(alpha, plate, canvas, behind)
    coarse = canvas.restore(alpha.to(plate))
    unknown = ((coarse > KNOWN) & (coarse < 1 - KNOWN)) | ((prior > 0) & (prior < 1))
    guide = compress(plate)
    result = prior.clone()
    height, width = prior.shape
    for tile in tiles(height, width, TILE):
        if unknown[tile].any():
            wide = widened(tile, (MARGIN, MARGIN), prior.shape)
            near = prior[wide]
            weights = [torch.full_like(near, TILE_PRIOR)]
            (solved,) = solve_alpha(
                guide[:, *wide], near, near, unknown[wide], prior_weights=weights, epsilon=TILE_EPSILON
            )
            inner = (slice(own.start - all.start, own.stop - all.start) for own, all in zip(tile, wide, strict=True))
            result[tile] = solved[*inner]
    return result


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
    number = torch.zeros_like(unknown.flatten(), dtype=torch.int32)
    number[where] = torch.arange(len(where), dtype=torch.int32, device=where.device)  # a pixel's row
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
    diagonal, flat = weights[:, CENTRE], places.flatten()
    near = weights.new_empty(len(flat))  # filled at each step: making it costs more

    def product(vector: Tensor) -> Tensor:
        torch.index_select(vector, 0, flat, out=near)
        return torch.bmm(weights[:, None], near.view(*weights.shape, 1)).flatten()  # (n, 1, 25) · (n, 25, 1)

    residual = wanted - product(x)
    enough = (TOLERANCE**2 * wanted.square().sum()).clamp(min=LEAST)
    direction = z = residual / diagonal
    rz = (residual * z).sum()
    for _ in range(MAX_STEPS):
        if residual.square().sum() <= enough:
            break
        applied = product(direction)
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
