"""Make the cut-out at the plate's size from the model's matte on the canvas, and what else is known of it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..canvas import Canvas, rgba_like, tiles
from ..colour import despill, value_range
from ..hint import keep_known
from .foreground import estimate_foreground
from .guided import guided_alpha
from .laplacian import laplacian_alpha
from .motion import Carried


@dataclass(frozen=True, eq=False)
class Steering:
    """Hold bounds (H, W) of alpha, `least` and `most`, of which the latter wins, and what is `known` of it already."""

    least: Tensor | None = None
    most: Tensor | None = None
    known: tuple[Carried, ...] = ()

    def steer(self, alpha: Tensor) -> Tensor:
        """Return `alpha` (H, W) moved towards what is known, and put within the bounds."""
        for known in self.known:
            alpha = known.steady(alpha)
        if self.least is not None:
            alpha = torch.maximum(alpha, self.least)
        return alpha if self.most is None else torch.minimum(alpha, self.most)


def refine_alpha(
    alpha: Tensor,
    plate: Tensor,
    canvas: Canvas,
    method: str = "guided",
    behind: Tensor | None = None,
    trimap: Tensor | None = None,
    steering: Steering | None = None,
    opaque_from: float = 1.0,
) -> Tensor:
    """Return alpha (H, W) in [0, 1] at the plate's size, from `alpha` (h, w) on the canvas and the `plate` (3, H, W).

    `behind` (3, H, W) is a clean plate; what a `trimap` (H, W) is sure of is kept, what `steering` makes of it counts.
    From `opaque_from` it is 1, as it will be in the file, so that colours are solved for what the file holds.
    """
    full = METHODS[method](alpha.to(plate), plate, canvas, behind)
    full = full if trimap is None else keep_known(full, trimap)
    full = full if steering is None else steering.steer(full)
    return torch.where(full >= opaque_from, 1.0, full)


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
    opaque_from: float = 1.0,
) -> Tensor:
    """Return straight RGBA (4, H, W) of the object in `plate` (3, H, W), from its `alpha` (h, w) on the canvas.

    `alpha_in` (H, W) is the plate's own alpha, multiplied in, or None. Regions that the `trimap` (H, W) knows are
    kept. `behind` (3, H, W) is a clean plate: with it the object's colours follow from the plate's, where there is
    enough of the object to see. Where the matte is opaque the colours are the plate's, bit for bit; elsewhere they are
    the object's own, without the background. With a `screen` (green or blue) its spill is taken out of all of
    them. `refine`, `steering` and `opaque_from` are those of `refine_alpha`. Runs on the plate's device.
    """
    alpha = refine_alpha(alpha, visible(plate, alpha_in), canvas, refine, behind, trimap, steering, opaque_from)
    result = rgba_like(plate)
    estimate_foreground(plate, alpha, out=result[:3])
    if behind is not None:
        _look_through(result[:3], plate, alpha, behind)
    if screen:
        despill(result[:3], alpha, screen)
    result[3] = alpha if alpha_in is None else alpha * alpha_in
    return result


def visible(plate: Tensor, alpha_in: Tensor | None) -> Tensor:
    """Return the plate (3, H, W) white where its own alpha (H, W) is 0, as the model was shown it.

    What is there cannot be seen, and says nothing of a matte.
    """
    return plate if alpha_in is None else torch.where(alpha_in > 0, plate, 1.0)


def _look_through(foreground: Tensor, plate: Tensor, alpha: Tensor, behind: Tensor) -> None:
    """Move colours (3, H, W) to those that make the `plate` over `behind`, less where it is thin, and that is noise."""
    low, high = value_range(plate)
    for tile in tiles(*alpha.shape):
        share = alpha[tile]
        if ((share > 0) & (share < 1)).any():
            seen = plate[:, *tile] - (1 - share) * behind[:, *tile]
            seen = (seen / share.clamp(min=1e-3)).clamp(low, high)
            weight = torch.where(share < 1, share, 0)
            foreground[:, *tile] = torch.lerp(foreground[:, *tile], seen, weight)


def _bilinear_alpha(alpha: Tensor, plate: Tensor, canvas: Canvas, behind: Tensor | None) -> Tensor:
    """Return it without a look at the plate."""
    return canvas.restore(alpha).clamp(0, 1)


METHODS: dict[str, Callable[[Tensor, Tensor, Canvas, Tensor | None], Tensor]] = {
    "guided": guided_alpha,
    "laplacian": laplacian_alpha,
    "none": _bilinear_alpha,
}
