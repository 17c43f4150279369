"""From the model's matte on the canvas to the cut-out at the plate's size."""

from torch import Tensor

from .canvas import Canvas
from .foreground import estimate_foreground
from .refine import refine_alpha


def finish_matte(plate: Tensor, alpha_in: Tensor | None, matte: Tensor, canvas: Canvas) -> Tensor:
    """Straight RGBA (4, H, W) of the object in `plate` (3, H, W), from the model's `matte` (4, h, w) on the canvas.

    `alpha_in` (H, W) is the plate's own alpha, multiplied in, or None. Where the matte is opaque the colours are the
    plate's, bit for bit; elsewhere they are the object's own, without the background. Runs on the plate's device.
    """
    alpha = refine_alpha(matte[3].to(plate), plate, canvas)
    result = plate.new_empty(*plate.shape[1:], 4).permute(
        2, 0, 1
    )  # in memory as files want it: a pixel's values together
    estimate_foreground(plate, alpha, out=result[:3])
    result[3] = alpha if alpha_in is None else alpha * alpha_in
    return result
