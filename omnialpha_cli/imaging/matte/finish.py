"""Make cut-outs and layers at the plate's size from the model's on the canvas, and what else is known of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..canvas import Canvas, rgba_like, tiles
from ..colour import despill, value_range
from ..composite import over
from ..hint import keep_known
from ..removal.clean_plate import paint_behind
from .closed_form import laplacian_alpha
from .foreground import estimate_foreground
from .guided import guided_alpha
from .motion import Carried


@dataclass(frozen=True, eq=False)
class Steering:
    """Hold what is known of alpha: a `trimap` (H, W), bounds `least` and `most` (H, W), and what is `known` already.

    The trimap gives way to what is known, that to the bounds, of which `most` has the last word.
    """

    trimap: Tensor | None = None
    least: Tensor | None = None
    most: Tensor | None = None
    known: tuple[Carried, ...] = ()

    def steer(self, alpha: Tensor) -> Tensor:
        """Return `alpha` (H, W) as in the trimap, moved towards what is known, and put within the bounds."""
        if self.trimap is not None:
            alpha = keep_known(alpha, self.trimap)
        for known in self.known:
            alpha = known.steady(alpha)
        if self.least is not None:
            alpha = torch.maximum(alpha, self.least)
        return alpha if self.most is None else torch.minimum(alpha, self.most)


def finish_matte(
    plate: Tensor, alpha_in: Tensor | None, alpha: Tensor, canvas: Canvas, behind: Tensor | None = None, *,
    steering: Steering | None = None, refine: str = "guided", screen: str | None = None, opaque_from: float = 1.0,
) -> Tensor:  # fmt: skip
    """Return straight RGBA (4, H, W) of the object in `plate` (3, H, W), from its `alpha` (h, w) on the canvas.

    `alpha_in` (H, W) is the plate's own alpha, multiplied in, or None. `behind` (3, H, W) is a clean plate: with it the
    object's colours follow from the plate's, where there is enough of the object to see. Where the matte is opaque the
    colours are the plate's, bit for bit; elsewhere they are the object's own, without the background. With a `screen`
    (green or blue) its spill is taken out of all of them. `steering`, `refine` and `opaque_from` are those of
    `refine_alpha`. Runs on the plate's device.
    """
    alpha = refine_alpha(alpha, visible(plate, alpha_in), canvas, refine, behind, steering, opaque_from)
    result = rgba_like(plate)
    estimate_foreground(plate, alpha, out=result[:3])
    if behind is not None:
        _look_through(result[:3], plate, alpha, behind)
    if screen:
        despill(result[:3], alpha, screen)
    result[3] = alpha if alpha_in is None else alpha * alpha_in
    return result


def finish_layers(
    plate: Tensor, background: Tensor, foregrounds: Sequence[Tensor], canvas: Canvas,
    mattes: Sequence[tuple[Tensor, Canvas]], *, steering: Steering | None = None, refine: str = "guided",
    screen: str | None = None, patches: bool = False, opaque_from: float = 1.0,
) -> list[Tensor]:  # fmt: skip
    """Return background and foregrounds, straight RGBA (4, H, W), bottom first, of `plate` (3, H, W).

    The model's layers are (4, h, w) on the `canvas`; `mattes` are the foregrounds' alphas (h, w), each on a canvas of
    its own. All layers over one another are the plate: bit for bit where their alphas are 0 or 1, to rounding in
    between. The background is opaque, and the plate's own where all others are transparent. With a `screen` (green or
    blue) its spill is taken out of the foregrounds, which then lack it in the plate. `steering`, `refine` and
    `opaque_from` are those of `refine_alpha`, `patches` as in `finish_removal`.

    The topmost foreground is taken off the plate first; what is then behind it is the plate of the next.
    """
    behind = [background[:3].to(plate)]  # what the model sees behind each foreground, (3, h, w)
    for layer in foregrounds[:-1]:
        behind.append(over(layer.to(plate), behind[-1]))
    finished = []
    for (matte, own_canvas), rendered in zip(mattes[::-1], behind[::-1], strict=True):
        alpha = refine_alpha(matte, plate, own_canvas, refine, None, steering, opaque_from)
        rest, front = _take_off(plate, rendered, alpha, canvas, patches)
        if screen:
            despill(front[:3], front[3], screen)
        finished.append(front)
        plate = rest[:3]
    return [rest, *finished[::-1]]


def refine_alpha(
    alpha: Tensor, plate: Tensor, canvas: Canvas, method: str = "guided", behind: Tensor | None = None,
    steering: Steering | None = None, opaque_from: float = 1.0,
) -> Tensor:  # fmt: skip
    """Return alpha (H, W) in [0, 1] at the plate's size, from `alpha` (h, w) on the canvas and the `plate` (3, H, W).

    `behind` (3, H, W) is a clean plate; what `steering` makes of it counts. From `opaque_from` alpha is 1, as it will
    be in the file, so that colours are solved for what the file holds.
    """
    full = METHODS[method](alpha.to(plate), plate, canvas, behind)
    full = full if steering is None else steering.steer(full)
    return torch.where(full >= opaque_from, 1.0, full)


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


def _take_off(plate: Tensor, rendered: Tensor, alpha: Tensor, canvas: Canvas, patches: bool) -> tuple[Tensor, Tensor]:
    """Return what is behind a foreground of `alpha` (H, W), `rendered` on the canvas, and it: RGBA (4, H, W) each."""
    limits = value_range(plate)
    behind, front = rgba_like(plate), rgba_like(plate)
    estimate_foreground(plate, alpha, out=front[:3])
    paint = paint_behind(plate, rendered, alpha, canvas, patches)
    for tile in tiles(*plate.shape[1:]):
        own, share, colour = plate[:, *tile], alpha[tile], front[:3, *tile]
        front[:3, *tile], behind[:3, *tile] = solve(own, share, colour, paint(tile, share == 1), limits)
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
    low, high = limits
    share = alpha[rows, columns]
    rest = 1 - share
    missing = (own - share * f - rest * b) / (share * share + rest * rest)
    # B = (I − αF) / (1 − α) stays within the limits for F between these two.
    least, most = (own - rest * high) / share, (own - rest * low) / share
    f = torch.maximum(torch.minimum(f + share * missing, most), least).clamp(low, high)
    front[:, rows, columns], behind[:, rows, columns] = f, ((own - share * f) / rest).clamp(low, high)
    return front, behind


def _bilinear_alpha(alpha: Tensor, plate: Tensor, canvas: Canvas, behind: Tensor | None) -> Tensor:
    """Return it without a look at the plate."""
    return canvas.restore(alpha).clamp(0, 1)


METHODS: dict[str, Callable[[Tensor, Tensor, Canvas, Tensor | None], Tensor]] = {
    "guided": guided_alpha,
    "laplacian": laplacian_alpha,
    "none": _bilinear_alpha,
}
