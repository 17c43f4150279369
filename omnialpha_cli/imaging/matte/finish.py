"""Make the cut-out at the plate's size from the model's matte on the canvas."""

import torch
from torch import Tensor

from ..canvas import Canvas
from ..colour.despill import despill
from ..tiles import rgba_like, tiles
from .foreground import estimate_foreground, value_range
from .refine import Steering, refine_alpha


def finish_matte(
    plate: Tensor,
    alpha_in: Tensor | None,
    alpha: Tensor,
    canvas: Canvas,
    trimap: Tensor | None = None,
    behind: Tensor | None = None,
    *,
    refine: str = "guided",
    screen: str | None = None,
    steering: Steering | None = None,
) -> Tensor:
    """Return straight RGBA (4, H, W) of the object in `plate` (3, H, W), from its `alpha` (h, w) on the canvas.

    `alpha_in` (H, W) is the plate's own alpha, multiplied in, or None. Regions that the `trimap` (H, W) knows are
    kept. `behind` (3, H, W) is a clean plate: with it the object's colours follow from the plate's, where there is
    enough of the object to see. Where the matte is opaque the colours are the plate's, bit for bit; elsewhere they are
    the object's own, without the background. With a `screen` (green or blue) its spill is taken out of all of
    them. `refine` and `steering` are those of `refine_alpha`. Runs on the plate's device.
    """
    alpha = refine_alpha(alpha, visible(plate, alpha_in), canvas, refine, behind, trimap, steering)
    result = rgba_like(plate)
    estimate_foreground(plate, alpha, out=result[:3])
    if behind is not None:
        _look_through(result[:3], plate, alpha, behind)
    if screen:
        despill(result[:3], alpha, screen)
    result[3] = alpha if alpha_in is None else alpha * alpha_in
    return result


def visible(plate: Tensor, alpha_in: Tensor | None) -> Tensor:
    """Return the plate (3, H, W) white where its own alpha (H, W) is 0: what is there cannot be seen, and says nothing
    of a matte. The model, too, was shown the plate over white.
    """
    return plate if alpha_in is None else torch.where(alpha_in > 0, plate, 1.0)


def _look_through(foreground: Tensor, plate: Tensor, alpha: Tensor, behind: Tensor) -> None:
    """Move colours (3, H, W) towards those that make the `plate` over what is `behind`: (I − (1 − α)B) / α.

    The thinner the object, the more that is noise, and the less it counts.
    """
    low, high = value_range(plate)
    for tile in tiles(*alpha.shape):
        share = alpha[tile]
        if ((share > 0) & (share < 1)).any():
            seen = plate[:, *tile] - (1 - share) * behind[:, *tile]
            seen = (seen / share.clamp(min=1e-3)).clamp(low, high)
            weight = torch.where(share < 1, share, 0)
            foreground[:, *tile] = torch.lerp(foreground[:, *tile], seen, weight)
