"""From the model's background on the canvas to the clean plate: the source's own pixels but where something went."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .canvas import Canvas, resample
from .foreground import value_range
from .hint import BACKGROUND
from .spread import spread
from .tiles import enlarge, tiles

# Largest difference of a colour between the model's background and what it was shown: below the first nothing was
# changed, from the second on everything.
UNCHANGED, CHANGED = 0.06, 0.16
MARGIN = 2  # pixels of the canvas by which a change reaches beyond where it is seen


def finish_removal(plate: Tensor, background: Tensor, canvas: Canvas, mask: Tensor | None = None) -> Tensor:
    """The `plate` (3, H, W) without the object, from the model's `background` (4, h, w) on the canvas.

    Bit for bit the plate where the `mask` (H, W) of the object is below .05; without a mask, where the model changed
    nothing. No step remains at the border in between. Runs on the plate's device.
    """
    background = background[:3].to(plate)
    share = _masked(mask) if mask is not None else _changed(plate, background, canvas)
    clean = match_surroundings(plate, background, share, canvas)
    size = plate.shape[1], plate.shape[2]
    result = plate.clone()
    for tile in tiles(*size):
        part, own = share[tile], result[:, *tile]  # (k, l), (3, k, l)
        if part.any():
            own.copy_(torch.where(part == 0, own, torch.lerp(own, enlarge(clean, tile, size), part)))
    return result


def match_surroundings(plate: Tensor, background: Tensor, share: Tensor, canvas: Canvas) -> Tensor:
    """The model's `background` (3, h, w), its colours led to those of `plate` (3, H, W), without the letterbox.

    By how much they differ is taken from where `share` (H, W) is 0, and carried into the rest, so that the two
    meet without a step. The result is to be enlarged: no side is longer than the plate's.
    """
    height, width = min(plate.shape[1], canvas.box[2]), min(plate.shape[2], canvas.box[3])
    rendered = resample(canvas.crop(background), height, width)
    free = resample((share == 0).to(plate)[None], height, width)[0]
    known = -F.max_pool2d(-free[None], 3, 1, 1)[0]  # not a pixel of the canvas that has a part in the rest
    offset = spread(resample(plate, height, width) - rendered, (known > 0.999).to(plate))
    return (rendered + offset).clamp_(*value_range(plate))


def _masked(mask: Tensor) -> Tensor:
    """How much of each pixel is to be replaced: all of it from half coverage on, nothing outside the mask."""
    return ((mask - BACKGROUND) / (0.5 - BACKGROUND)).clamp(0, 1)


def _changed(plate: Tensor, background: Tensor, canvas: Canvas) -> Tensor:
    """How much of each pixel (H, W) the model changed on the canvas, with a margin."""
    rendered = canvas.crop(background)
    seen = resample(plate.clamp(0, 1), *rendered.shape[1:])
    difference = F.avg_pool2d((rendered - seen).abs().amax(0)[None], 3, 1, 1, count_include_pad=False)  # (1, h, w)
    share = ((difference - UNCHANGED) / (CHANGED - UNCHANGED)).clamp(0, 1)
    grown = F.max_pool2d(share, 2 * MARGIN + 1, 1, MARGIN)
    soft = F.avg_pool2d(grown, 3, 1, 1, count_include_pad=False)
    return resample(soft, plate.shape[1], plate.shape[2])[0].clamp(0, 1)
