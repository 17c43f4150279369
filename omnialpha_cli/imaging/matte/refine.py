"""Bring alpha from the canvas to the plate's resolution, by the method that was asked for."""

import math
from collections.abc import Callable

from torch import Tensor

from ..canvas import Canvas, resample, within
from ..colour.highlights import compress
from ..hint import keep_known
from .guided import guided_alpha
from .known import alpha_in_band
from .laplacian import laplacian_alpha

# From a plate (3, h, w), alpha (h, w) and a trimap (h, w), or none, to a better alpha (h, w), or none.
Refiner = Callable[[Tensor, Tensor, Tensor | None], Tensor | None]
# Of the square that has the area at which a network refines a matte, pixels: what a trimap leaves open is worth more.
SIDE, SIDE_IN_BAND = 384, 512


def full_size_alpha(
    matte: Tensor,
    plate: Tensor,
    canvas: Canvas,
    trimap: Tensor | None = None,
    method: str = "guided",
    behind: Tensor | None = None,
    refiner: Refiner | None = None,
) -> Tensor:
    """Return alpha (H, W) in [0, 1] at the plate's size, from `matte` (h, w) on the canvas and the `plate` (3, H, W).

    A `trimap` (H, W) is kept where it is sure, and tells the rest too (`known.py`). A `refiner` improves it at a
    limited size, but no less than the canvas's; the `method` "none" takes none. `method` and `behind` are
    those of `refine_alpha`.
    """
    alpha = matte.to(plate)
    if trimap is not None:
        alpha, canvas = alpha_in_band(alpha, plate, canvas, trimap, behind)
    if refiner is not None and method != "none":
        alpha, canvas = _refined(alpha, plate, canvas, trimap, refiner)
    full = refine_alpha(alpha, plate, canvas, method, behind)
    return full if trimap is None else keep_known(full, trimap)


def _refined(
    alpha: Tensor, plate: Tensor, canvas: Canvas, trimap: Tensor | None, refiner: Refiner
) -> tuple[Tensor, Canvas]:
    """Return alpha (h, w) as the `refiner` has it, and the canvas that it is on."""
    height, width = plate.shape[1:]
    side = SIDE if trimap is None else SIDE_IN_BAND
    size = within(height, width, max(side, math.isqrt(canvas.size[0] * canvas.size[1])))
    view, at_size = resample(compress(plate), *size), resample(canvas.crop(alpha[None]), *size)[0]
    known = None if trimap is None else resample(trimap[None].to(plate), *size)[0]
    found = refiner(view, at_size, known)
    return (alpha, canvas) if found is None else (found.to(plate), Canvas(height, width, size, (0, 0, *size)))


def refine_alpha(
    alpha: Tensor, plate: Tensor, canvas: Canvas, method: str = "guided", behind: Tensor | None = None
) -> Tensor:
    """Return alpha (H, W) in [0, 1] at the plate's size, from `alpha` (h, w) on the canvas and the `plate` (3, H, W).

    `behind` (3, H, W) is a clean plate, where there is one.
    """
    return METHODS[method](alpha, plate, canvas, behind)


def _bilinear_alpha(alpha: Tensor, plate: Tensor, canvas: Canvas, behind: Tensor | None) -> Tensor:
    """Enlarge alpha without regard to the plate."""
    return canvas.restore(alpha[None].to(plate))[0].clamp(0, 1)


METHODS: dict[str, Callable[[Tensor, Tensor, Canvas, Tensor | None], Tensor]] = {
    "guided": guided_alpha,
    "laplacian": laplacian_alpha,
    "none": _bilinear_alpha,
}
