"""Make the clean plate of the model's background on the canvas: the source's own pixels but where something went."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..canvas import Canvas, Tile, enlarge, grow, resample, tiles, window_mean
from ..colour import compress, expand, spread, value_range
from ..hint import BACKGROUND
from . import fill
from .grain import grain_like
from .patches import paint_with_patches

# Largest difference of a colour between the model's background and what it was shown: below the first nothing was
# changed, from the second on everything.
UNCHANGED, CHANGED = 0.06, 0.16
MARGIN = 2  # pixels of the canvas by which a change reaches beyond where it is seen
AVERAGED = 3  # pixels of the canvas over which a change is averaged
EFFECT = 9  # the same beside a mask, where shadows and reflections are looked for
PAINTED = fill.MARGIN + 1  # pixels of the canvas around a mask in which gains are not those of the plate
LEAST = 0.03  # logarithm of a gain up to which nothing is changed: so little is as often no shadow as one
FITS = 4  # of the model's colour cast, each with less weight for what lies far off


def finish_removal(
    plate: Tensor, background: Tensor, canvas: Canvas, mask: Tensor | None = None, *, effects: bool = False,
    grown: int = 0, patches: bool = False,
) -> Tensor:  # fmt: skip
    """Return the `plate` (3, H, W) without the object, from the model's `background` (4, h, w) on the canvas.

    Bit for bit the plate where the `mask` (H, W) of the object is below .05; without a mask, where the model changed
    nothing within `grown` pixels. With `effects` what it changed over an area outside of the mask goes as well: shadows
    and reflections. No step remains at the border in between. With `patches` the background is a guide alone, for what
    is copied from the plate. Runs on the plate's device.
    """
    background = background[:3].to(plate)
    if mask is None:
        share = grow(_changed(plate, background, canvas), grown)
    elif effects:
        share = torch.where(mask < BACKGROUND, _effects(plate, background, canvas, mask), _masked(mask))
    else:
        share = _masked(mask)
    paint = paint_behind(plate, background, share, canvas, patches)
    result = plate.clone()
    for tile in tiles(*share.shape):
        part, own = share[tile], result[:, *tile]  # (k, l), (3, k, l)
        if part.any():
            own.copy_(torch.where(part == 0, own, torch.lerp(own, paint(tile, part > 0), part)))
    return result


def paint_behind(
    plate: Tensor, background: Tensor, share: Tensor, canvas: Canvas, patches: bool
) -> Callable[[Tile, Tensor], Tensor]:
    """Return a function that paints a tile (3, k, l) of what is where `share` (H, W) of a `plate` (3, H, W) is not 0.

    That is the model's `background` (3, h, w) in the plate's colours, with grain where a mask (k, l) wants it; or with
    `patches` what is copied from the plate by it.
    """
    clean = match_surroundings(plate, background, share, canvas)
    size, limits = (share.shape[0], share.shape[1]), value_range(plate)
    copied = paint_with_patches(plate, clean, share > 0) if patches else None
    if copied is not None:
        return lambda tile, grainy: copied[:, *tile]
    grain = grain_like(plate, share, clean)

    def paint(tile: Tile, grainy: Tensor) -> Tensor:
        painted = enlarge(clean, tile, size)
        return painted if grain is None or not grainy.any() else (painted + grain(tile) * grainy).clamp(*limits)

    return paint


def relight(plate: Tensor, gains: Tensor, canvas: Canvas, mask: Tensor, exponent: float = 1.0) -> Tensor:
    """Relight the `plate` (3, H, W) without an object's effects: times `gains` (3, h, w) to an `exponent`.

    Under the `mask` (H, W), and at its border, they are spread from around it. Where they are about 1 nothing changes.
    """
    logarithm, _ = spread_gains(gains, canvas, mask)
    logarithm = shrunk(logarithm * exponent, LEAST * exponent)
    full = canvas.restore(logarithm).to(plate)  # (3, H, W)
    return plate * torch.where(full.abs() < 1e-3, torch.zeros_like(full), full).exp_()


def spread_gains(gains: Tensor, canvas: Canvas, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logarithms of `gains` (3, h, w), and where (h, w), as bools, they are those from around it.

    That is under the `mask` (H, W), and at its border.
    """
    hidden = grow(canvas.fit((mask >= BACKGROUND).to(gains)) > 0, PAINTED)
    return spread(gains.log(), (~hidden).to(gains)), hidden


def shrunk(logarithm: Tensor, least: float) -> Tensor:
    """Return logarithms of gains, little of a little: 0 up to `least`."""
    return logarithm * (1 - (least / logarithm).square()).clamp(min=0)


def match_surroundings(plate: Tensor, background: Tensor, share: Tensor, canvas: Canvas) -> Tensor:
    """Match the colours of the model's `background` (3, h, w) to those of `plate` (3, H, W), without the letterbox.

    By how much they differ, highlights drawn in, is taken from where `share` (H, W) is 0, and carried into the
    rest. The result (3, ·, ·) is to be enlarged: no side is longer than the plate's.
    """
    height, width = min(plate.shape[1], canvas.box[2]), min(plate.shape[2], canvas.box[3])
    rendered = resample(compress(canvas.crop(background)), height, width)
    free = resample((share == 0).to(plate), height, width)
    known = -grow(-free, 1)  # not a pixel of the canvas that has a part in the rest
    offset = spread(resample(compress(plate), height, width) - rendered, (known > 0.999).to(plate))
    return expand(rendered + offset).clamp_(*value_range(plate))


def _masked(mask: Tensor) -> Tensor:
    """Tell how much of each pixel is to be replaced: all of it from half coverage on, nothing outside the mask."""
    return ((mask - BACKGROUND) / (0.5 - BACKGROUND)).clamp(0, 1)


def _changed(plate: Tensor, background: Tensor, canvas: Canvas) -> Tensor:
    """Tell how much of each pixel (H, W) the model changed on the canvas, with a margin."""
    rendered = canvas.crop(background)
    shown = resample(plate.clamp(0, 1), *rendered.shape[1:])
    return _share(window_mean((rendered - shown).abs().amax(0)[None], AVERAGED), plate)


def _effects(plate: Tensor, background: Tensor, canvas: Canvas, mask: Tensor) -> Tensor:
    """Tell how much of each pixel (H, W) the model changed beside the `mask` (H, W), with a margin.

    What counts is the mean over an area, apart from a cast over the whole picture: a model's colours are a little off.
    """
    rendered = canvas.crop(background)
    h, w = rendered.shape[1:]
    covered = resample((mask >= BACKGROUND).to(plate), h, w)
    free = (grow(covered, MARGIN) == 0).to(plate)[None]  # (1, h, w)
    difference = rendered - resample(plate.clamp(0, 1), h, w)
    difference = (difference - _cast(difference, free[0])) * free
    mean = window_mean(difference, EFFECT) / window_mean(free, EFFECT).clamp(min=1e-3)
    return _share(mean.abs().amax(0)[None] * free, plate)


def _cast(difference: Tensor, free: Tensor) -> Tensor:
    """Return the plane (3, h, w) that runs through most of the `difference` (3, h, w) where it is `free` (h, w)."""
    _, h, w = difference.shape
    y, x = torch.linspace(-1, 1, h).to(difference), torch.linspace(-1, 1, w).to(difference)
    basis = torch.stack(torch.broadcast_tensors(torch.ones_like(x), y[:, None], x)).flatten(1).T  # (hw, 3)
    planes = []
    for channel in difference.flatten(1):
        weight = free.flatten()
        for _ in range(FITS):
            weighted = basis * weight[:, None]
            system = weighted.T @ basis + 1e-6 * torch.eye(3).to(basis)
            plane = basis @ torch.linalg.solve(system, weighted.T @ channel)
            weight = free.flatten() / (1 + ((channel - plane) / UNCHANGED).square()).square()
        planes.append(plane.view(h, w))
    return torch.stack(planes)


def _share(change: Tensor, plate: Tensor) -> Tensor:
    """Turn changes (1, h, w) into how much of each pixel of the plate is to be replaced, (H, W)."""
    share = ((change - UNCHANGED) / (CHANGED - UNCHANGED)).clamp(0, 1)
    return resample(window_mean(grow(share, MARGIN), AVERAGED), plate.shape[1], plate.shape[2])[0].clamp(0, 1)
