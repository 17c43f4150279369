"""Make layers that compose the plate again, from the model's background and foregrounds on the canvas."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..canvas import Canvas, enlarge, rgba_like, tiles
from ..colour import despill, value_range
from ..composite import over
from ..removal.clean_plate import match_surroundings
from ..removal.grain import grain_like
from ..removal.patches import paint_with_patches
from .finish import Steering, refine_alpha
from .foreground import estimate_foreground


def finish_layers(
    plate: Tensor,
    background: Tensor,
    foregrounds: Sequence[Tensor],
    canvas: Canvas,
    mattes: Sequence[tuple[Tensor, Canvas]],
    trimap: Tensor | None = None,
    *,
    refine: str = "guided",
    screen: str | None = None,
    patches: bool = False,
    steering: Steering | None = None,
    opaque_from: float = 1.0,
) -> list[Tensor]:
    """Return background and foregrounds, straight RGBA (4, H, W), bottom first, of `plate` (3, H, W).

    The model's layers are (4, h, w) on the `canvas`; `mattes` are the foregrounds' alphas (h, w), each on a canvas of
    its own. All layers over one another are the plate: bit for bit where their alphas are 0 or 1, to rounding in
    between. The background is opaque, and the plate's own where all others are transparent. Regions that the `trimap`
    (H, W) of a single foreground knows are kept. With a `screen` (green or blue) its spill is taken out of the
    foregrounds, which then lack it in the plate. `refine`, `steering` and `opaque_from` are those of `refine_alpha`,
    `patches` as in `finish_removal`.

    The topmost foreground is taken off the plate first; what is then behind it is the plate of the next.
    """
    behind = [background[:3].to(plate)]  # what the model sees behind each foreground, (3, h, w)
    for layer in foregrounds[:-1]:
        behind.append(over(layer.to(plate), behind[-1]))
    finished = []
    for (matte, own_canvas), rendered in zip(mattes[::-1], behind[::-1], strict=True):
        alpha = refine_alpha(matte, plate, own_canvas, refine, None, trimap, steering, opaque_from)
        rest, front = _take_off(plate, rendered, alpha, canvas, patches)
        if screen:
            despill(front[:3], front[3], screen)
        finished.append(front)
        plate = rest[:3]
    return [rest, *finished[::-1]]


def _take_off(plate: Tensor, rendered: Tensor, alpha: Tensor, canvas: Canvas, patches: bool) -> tuple[Tensor, Tensor]:
    """Return what is behind a foreground of `alpha` (H, W), `rendered` on the canvas, and it: RGBA (4, H, W) each."""
    limits = value_range(plate)
    clean = match_surroundings(plate, rendered, alpha, canvas)  # (3, ·, ·)
    behind, front = rgba_like(plate), rgba_like(plate)
    estimate_foreground(plate, alpha, out=front[:3])
    size = alpha.shape[0], alpha.shape[1]
    copied = paint_with_patches(plate, clean, alpha > 0) if patches else None
    grain = grain_like(plate, alpha, clean) if copied is None else None
    for tile in tiles(*size):
        own, share, colour = plate[:, *tile], alpha[tile], front[:3, *tile]
        painted = enlarge(clean, tile, size) if copied is None else copied[:, *tile]
        if grain is not None and (hidden := share == 1).any():
            painted = (painted + grain(tile) * hidden).clamp(*limits)
        front[:3, *tile], behind[:3, *tile] = solve(own, share, colour, painted, limits)
    front[3], behind[3] = alpha, 1
    return behind, front


def solve(
    plate: Tensor, alpha: Tensor, foreground: Tensor, background: Tensor, limits: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """Solve the colours F and B (3, H, W) nearest to those given for which αF + (1 − α)B is the `plate` (3, H, W).

    Nearest by F² + B² in each channel: a projection on a line, cut off where F or B leaves the `limits`. Such
    colours exist where the plate itself is within them.
    """
    front, behind = torch.where(alpha == 1, plate, foreground), torch.where(alpha == 0, plate, background)
    rows, columns = ((alpha > 0) & (alpha < 1)).nonzero(as_tuple=True)  # (n,): the others are settled
    own, f, b = (layer[:, rows, columns] for layer in (plate, foreground, background))  # (3, n) each
    front[:, rows, columns], behind[:, rows, columns] = _project(alpha[rows, columns], own, f, b, limits)
    return front, behind


def _project(
    alpha: Tensor, plate: Tensor, foreground: Tensor, background: Tensor, limits: tuple[float, float]
) -> tuple[Tensor, Tensor]:
    """Project F and B (3, n) for `alpha` (n,) between 0 and 1."""
    low, high = limits
    rest = 1 - alpha
    missing = (plate - alpha * foreground - rest * background) / (alpha * alpha + rest * rest)
    front = foreground + alpha * missing
    # B = (I − αF) / (1 − α) stays within the limits for F between these two.
    least, most = (plate - rest * high) / alpha, (plate - rest * low) / alpha
    front = torch.maximum(torch.minimum(front, most), least).clamp(low, high)
    return front, ((plate - alpha * front) / rest).clamp(low, high)
