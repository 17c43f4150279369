"""From the model's matte on the canvas to the cut-out at the plate's size."""

from torch import Tensor

from .canvas import Canvas
from .despill import despill
from .foreground import estimate_foreground
from .hint import keep_known
from .refine import refine_alpha
from .tiles import rgba_like


def finish_matte(
    plate: Tensor,
    alpha_in: Tensor | None,
    matte: Tensor,
    canvas: Canvas,
    trimap: Tensor | None = None,
    *,
    refine: str = "guided",
    screen: str | None = None,
) -> Tensor:
    """Straight RGBA (4, H, W) of the object in `plate` (3, H, W), from the model's `matte` (4, h, w) on the canvas.

    `alpha_in` (H, W) is the plate's own alpha, multiplied in, or None. Regions that the `trimap` (H, W) knows are
    kept. Where the matte is opaque the colours are the plate's, bit for bit; elsewhere they are the object's own,
    without the background. With a `screen` (green, blue, or auto) its spill is taken out of all of them. `refine` is
    the method of `refine_alpha`. Runs on the plate's device.
    """
    alpha = refine_alpha(matte[3].to(plate), plate, canvas, refine)
    if trimap is not None:
        alpha = keep_known(alpha, trimap)
    result = rgba_like(plate)
    estimate_foreground(plate, alpha, out=result[:3])
    despill(result[:3], alpha, plate, screen)
    result[3] = alpha if alpha_in is None else alpha * alpha_in
    return result
