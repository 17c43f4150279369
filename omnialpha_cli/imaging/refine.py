"""Alpha from the canvas to the plate's resolution, by the method that was asked for."""

from collections.abc import Callable

from torch import Tensor

from .canvas import Canvas
from .guided import guided_alpha
from .laplacian import laplacian_alpha


def refine_alpha(alpha: Tensor, plate: Tensor, canvas: Canvas, method: str = "guided") -> Tensor:
    """Alpha (H, W) in [0, 1] at the plate's size, from `alpha` (h, w) on the canvas and the `plate` (3, H, W)."""
    return METHODS[method](alpha, plate, canvas)


def _bilinear_alpha(alpha: Tensor, plate: Tensor, canvas: Canvas) -> Tensor:
    """Without a look at the plate."""
    return canvas.restore(alpha[None].to(plate))[0].clamp(0, 1)


METHODS: dict[str, Callable[[Tensor, Tensor, Canvas], Tensor]] = {
    "guided": guided_alpha,
    "laplacian": laplacian_alpha,
    "none": _bilinear_alpha,
}
