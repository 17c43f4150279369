"""Alpha from the canvas to the plate's resolution, by the method that was asked for."""

from collections.abc import Callable

from torch import Tensor

from .canvas import Canvas
from .guided import guided_alpha
from .hint import keep_known
from .known import alpha_in_band
from .laplacian import laplacian_alpha


def full_size_alpha(
    matte: Tensor,
    plate: Tensor,
    canvas: Canvas,
    trimap: Tensor | None = None,
    method: str = "guided",
    behind: Tensor | None = None,
) -> Tensor:
    """Alpha (H, W) in [0, 1] at the plate's size, from `matte` (h, w) on the canvas and the `plate` (3, H, W).

    A `trimap` (H, W) is kept where it is sure, and tells the rest too (`known.py`). `method` and `behind` are those of
    `refine_alpha`.
    """
    alpha = matte.to(plate)
    if trimap is None:
        return refine_alpha(alpha, plate, canvas, method, behind)
    alpha, canvas = alpha_in_band(alpha, plate, canvas, trimap)
    return keep_known(refine_alpha(alpha, plate, canvas, method, behind), trimap)


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
