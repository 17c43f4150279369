"""From the model's background and foreground on the canvas to two layers that make up the plate again."""

import torch
from torch import Tensor

from .canvas import Canvas
from .clean_plate import match_surroundings
from .foreground import estimate_foreground, value_range
from .hint import keep_known
from .refine import refine_alpha
from .tiles import enlarge, rgba_like, tiles


def finish_layers(
    plate: Tensor, background: Tensor, foreground: Tensor, canvas: Canvas, trimap: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Background and foreground, straight RGBA (4, H, W), of `plate` (3, H, W); the model's are (4, h, w).

    The foreground over the background is the plate: bit for bit where alpha is 0 or 1, to rounding in between. The
    background is opaque, and the plate's own where alpha is 0. Regions that the `trimap` (H, W) knows are kept.
    """
    alpha = refine_alpha(foreground[3].to(plate), plate, canvas)
    if trimap is not None:
        alpha = keep_known(alpha, trimap)
    limits = value_range(plate)
    clean = match_surroundings(plate, background[:3].to(plate), alpha, canvas)  # (3, ·, ·)
    behind, front = rgba_like(plate), rgba_like(plate)
    estimate_foreground(plate, alpha, out=front[:3])
    size = alpha.shape[0], alpha.shape[1]
    for tile in tiles(*size):
        own, share, colour = plate[:, *tile], alpha[tile], front[:3, *tile]
        front[:3, *tile], behind[:3, *tile] = solve(own, share, colour, enlarge(clean, tile, size), limits)
    front[3], behind[3] = alpha, 1
    return behind, front


def solve(
    plate: Tensor, alpha: Tensor, foreground: Tensor, background: Tensor, limits: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """The colours F and B (3, H, W) nearest to those given for which αF + (1 − α)B is the `plate` (3, H, W).

    Nearest by F² + B² in each channel: a projection on a line, cut off where F or B leaves the `limits`. Such colours
    exist always where the plate itself is within them.
    """
    front, behind = torch.where(alpha == 1, plate, foreground), torch.where(alpha == 0, plate, background)
    rows, columns = ((alpha > 0) & (alpha < 1)).nonzero(as_tuple=True)  # (n,): the others are settled
    own, f, b = (layer[:, rows, columns] for layer in (plate, foreground, background))  # (3, n) each
    front[:, rows, columns], behind[:, rows, columns] = _project(alpha[rows, columns], own, f, b, limits)
    return front, behind


def _project(
    alpha: Tensor, plate: Tensor, foreground: Tensor, background: Tensor, limits: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """F and B (3, n) for `alpha` (n,) between 0 and 1."""
    low, high = limits
    rest = 1 - alpha
    missing = (plate - alpha * foreground - rest * background) / (alpha * alpha + rest * rest)
    front = foreground + alpha * missing
    # B = (I − αF) / (1 − α) stays within the limits for F between these two.
    least, most = (plate - rest * high) / alpha, (plate - rest * low) / alpha
    front = torch.maximum(torch.minimum(front, most), least).clamp(low, high)
    return front, ((plate - alpha * front) / rest).clamp(low, high)
