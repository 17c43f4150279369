"""Alpha from the canvas to the plate's resolution, by the method that was asked for."""

from collections.abc import Callable

from torch import Tensor

from .canvas import Canvas
from .guided import guided_alpha
from .laplacian import laplacian_alpha


def refine_alpha(
    alpha: Tensor, plate: Tensor, canvas: Canvas, method: str = "guided", behind: Tensor | None = None
) -> Tensor:
    """Alpha (H, W) in [0, 1] at the plate's size, from `alpha` (h, w) on the canvas and the `plate` (3, H, W).

    `behind` (3, H, W) is a clean plate, where there is one.
    """
    return METHODS[method](alpha, plate, canvas, behind)


def _bilinear_alpha(alpha: Tensor, plate: Tensor, canvas: Canvas, behind: Tensor | None) -> Tensor:
    """Without a look at the plate."""
    return canvas.restore(alpha[None].to(plate))[0].clamp(0, 1)


METHODS: dict[str, Callable[[Tensor, Tensor, Canvas, Tensor | None], Tensor]] = {
    "guided": guided_alpha,
    "laplacian": laplacian_alpha,
    "none": _bilinear_alpha,
}
