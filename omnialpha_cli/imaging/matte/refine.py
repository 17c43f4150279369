"""Bring alpha from a canvas to the plate's resolution, by a method and by what else is known of it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..canvas import Canvas
from ..hint import keep_known
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
) -> Tensor:
    """Return alpha (H, W) in [0, 1] at the plate's size, from `alpha` (h, w) on the canvas and the `plate` (3, H, W).

    `behind` (3, H, W) is a clean plate; what a `trimap` (H, W) is sure of is kept, what `steering` makes of it counts.
    """
    full = METHODS[method](alpha.to(plate), plate, canvas, behind)
    full = full if trimap is None else keep_known(full, trimap)
    return full if steering is None else steering.steer(full)


def _bilinear_alpha(alpha: Tensor, plate: Tensor, canvas: Canvas, behind: Tensor | None) -> Tensor:
    """Return it without a look at the plate."""
    return canvas.restore(alpha[None])[0].clamp(0, 1)


METHODS: dict[str, Callable[[Tensor, Tensor, Canvas, Tensor | None], Tensor]] = {
    "guided": guided_alpha,
    "laplacian": laplacian_alpha,
    "none": _bilinear_alpha,
}
