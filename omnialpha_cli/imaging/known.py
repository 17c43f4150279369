"""Alpha in a trimap's unknown band: closed-form matting, with the model's matte as what is likely.

With L the matting Laplacian of the plate (Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image
Matting", 2008), α is what minimises αᵀLα + λ‖α − p‖² and is 0 and 1 where the trimap is sure; p is the model's matte.
A band is wider than the edge that it hides, and a trimap says more of it than a network makes use of: what connects to
the sure parts by its colour. The plate is solved at a reduced size, from coarse to fine, each size from the one before.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from .canvas import Canvas, resample
from .hint import BACKGROUND, OBJECT

SIDE = 384  # of the square that has the area at which it is solved, pixels
COARSEST = 48  # short side of the smallest size
PRIOR = 3e-4  # λ
EPSILON = 1e-6  # of the Laplacian: variance of colour below which a window counts as flat
MAX_STEPS = 250  # of conjugate gradients
TOLERANCE = 3e-4  # of the residual
CENTRE = 12  # of the 5 × 5 pixels around one


def alpha_in_band(matte: Tensor, plate: Tensor, canvas: Canvas, trimap: Tensor) -> tuple[Tensor, Canvas]:
    """Alpha (h, w) in [0, 1] and the canvas that it is on, larger than the model's where the plate is.

    From the model's `matte` (·, ·) on its `canvas`, the `plate` (3, H, W), and the `trimap` (H, W).
    """
    height, width = trimap.shape
    scale = min(1.0, SIDE / (height * width) ** 0.5)
    size = max(1, round(height * scale)), max(1, round(width * scale))
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
        start = _solve(resample(plate, h, w), start, likely, ~sure)
    return start, Canvas(height, width, size, (0, 0, *size))


def _solve(plate: Tensor, start: Tensor, prior: Tensor, unknown: Tensor) -> Tensor:
    """Alpha (h, w) of a `plate` (3, h, w), kept as in `start` where it is not `unknown` (h, w)."""
    if min(start.shape) < 3 or not bool(unknown.any()):
        return start
    weights, places = laplacian_rows(plate, unknown)  # (n, 25) both
    alpha, where = start.flatten().double(), unknown.flatten().nonzero()[:, 0]  # (n,)
    inside = unknown.flatten()[places]
    wanted = PRIOR * prior.flatten().double()[where] - (weights * alpha[places]).masked_fill(inside, 0).sum(1)
    number = torch.zeros_like(unknown.flatten(), dtype=torch.long)
    number[where] = torch.arange(len(where), device=where.device)  # a pixel's row
    weights = weights.masked_fill(~inside, 0)
    weights[:, CENTRE] += PRIOR
    x = _conjugate_gradients(weights, number[places], wanted, alpha[where], weights[:, CENTRE])
    return alpha.index_copy(0, where, x).clamp(0, 1).view_as(start).to(start.dtype)


def _conjugate_gradients(weights: Tensor, places: Tensor, wanted: Tensor, x: Tensor, diagonal: Tensor) -> Tensor:
    """x (n,) with Ax ≈ `wanted` (n,), A being symmetric with `weights` (n, 25) at the columns `places` (n, 25)."""
    residual = wanted - torch.linalg.vecdot(weights, x[places])
    enough = TOLERANCE**2 * wanted.square().sum()
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


def laplacian_rows(plate: Tensor, unknown: Tensor) -> tuple[Tensor, Tensor]:
    """The matting Laplacian's rows of the `unknown` pixels (h, w) of a `plate` (3, h, w), windows of 3 × 3.

    Weights (n, 25) of the 5 × 5 pixels around each, in double precision, and those pixels' places (n, 25) in the
    flattened picture; what lies outside it has weight 0.
    """
    _, h, w = plate.shape
    colours = F.unfold(plate[None].double(), 3)[0].view(3, 9, h - 2, w - 2)  # of each window
    mean = colours.mean(1)  # (3, h − 2, w − 2)
    whitened = _whiten(colours - mean[:, None])
    stencil = plate.new_zeros(25, h, w, dtype=torch.float64)
    for i in range(9):
        row, column = divmod(i, 3)
        for j in range(9):
            down, across = j // 3 - row, j % 3 - column
            weight = (1.0 if i == j else 0.0) - (1 + (whitened[:, i] * whitened[:, j]).sum(0)) / 9  # (h − 2, w − 2)
            stencil[(down + 2) * 5 + across + 2, row : row + h - 2, column : column + w - 2] += weight
    rows, columns = unknown.nonzero(as_tuple=True)
    offsets = torch.arange(-2, 3, device=plate.device)
    near_rows = (rows[:, None] + offsets).clamp(0, h - 1)  # (n, 5)
    near_columns = (columns[:, None] + offsets).clamp(0, w - 1)
    places = (near_rows[:, :, None] * w + near_columns[:, None]).flatten(1)  # (n, 25)
    return stencil[:, rows, columns].T.contiguous(), places


def _whiten(centred: Tensor) -> Tensor:
    """Colours (3, 9, ·, ·) about their mean → L⁻¹ of them, where LLᵀ is their covariance with ε / 9 on its diagonal."""
    r, g, b = centred
    rr, rg, rb, gg, gb, bb = ((x * y).mean(0) for x, y in ((r, r), (r, g), (r, b), (g, g), (g, b), (b, b)))
    first = (rr + EPSILON / 9).sqrt()
    rg, rb = rg / first, rb / first
    second = (gg + EPSILON / 9 - rg * rg).clamp(min=EPSILON / 9).sqrt()
    gb = (gb - rg * rb) / second
    third = (bb + EPSILON / 9 - rb * rb - gb * gb).clamp(min=EPSILON / 9).sqrt()
    one = r / first
    two = (g - rg * one) / second
    return torch.stack((one, two, (b - rb * one - gb * two) / third))
