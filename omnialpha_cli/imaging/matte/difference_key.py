"""Key a trimap by a clean plate: what differs from it is the object, what does not is the background.

A difference is measured against the two pictures' own grain, per channel. Where it does not decide the network does:
where an object has the plate's colours, where the plate is only darker, as in a shadow, and where the plate's texture
shows through.
"""

import torch
from torch import Tensor

from ..canvas import grow, resample, window_mean, within
from ..colour import spread

SIDE = 768  # of the square that has the area at which the two are compared, pixels
GRAIN = 0.5 / 255  # that is always there
SAME, CHANGED = 3.0, 6.0  # deviations of the grain
WINDOW = 11  # of the textures that are compared, pixels
TEXTURE = 3.0  # deviations of the grain that a texture has at least
VISIBLE = 0.75  # correlation of two textures that are one
DARKEST, TINT = 0.25, 0.08  # a shadow leaves so much of the light at least, about the same of each channel
EDGE = 3  # pixels beside an edge that are left open
SOFT = 0.025  # of the mean side: as much beside an edge may be soft,
OPAQUE = 0.85  # and is not where the difference is so much of what it is farther inside
CLOSED = 0.04  # of the mean side: what lies between two parts of an object that are so near may belong to it
DECIDED = 0.9  # alpha of the network from which on it is sure


def difference_trimap(plate: Tensor, clean: Tensor, matte: Tensor) -> Tensor:
    """Return a trimap (H, W) of the object in `plate` (3, H, W), by `clean` (3, H, W), the view without the object.

    Both are display-encoded, in [0, 1], and exposed alike. `matte` (h, w) is the network's alpha of all of the picture.
    """
    height, width = plate.shape[1:]
    size = h, w = within(height, width, SIDE)
    shown, behind = resample(plate, *size), resample(clean, *size)  # (3, h, w)
    likely = resample(matte.to(plate), *size)
    mean_side = (h * w) ** 0.5

    residual = shown - behind
    difference = _deviations(residual, behind)  # (h, w)
    same, changed = difference < SAME, difference > CHANGED
    visible, textured = _textures(shown, behind, residual)
    dark = _shadowed(window_mean(shown, 3), window_mean(behind, 3))

    solid = _majority(changed & ~visible & (textured | ~dark))
    solid |= _majority(changed & dark & ~textured & (likely > DECIDED))
    edge = _shrunk(solid, EDGE)
    deep = _shrunk(solid, round(SOFT * mean_side))
    inside = edge & (deep | (likely > DECIDED) | (_share(shown, behind, deep) > OPAQUE))

    enclosed = _shrunk(grow(solid, round(CLOSED * mean_side)), round(CLOSED * mean_side))
    slight = _deviations(window_mean(residual, WINDOW), behind) > SAME
    doubtful = ~visible & ~textured & ((likely > 0.5) & enclosed | (likely > DECIDED) & slight)
    outside = _majority(same & ~doubtful) | _majority(changed & dark & (likely < 1 - DECIDED) & ~solid)
    outside = _shrunk(outside, 1) & ~inside
    trimap = 0.5 + 0.5 * inside.to(plate) - 0.5 * outside.to(plate)
    return resample(trimap, height, width)


def _deviations(residual: Tensor, behind: Tensor) -> Tensor:
    """Return how many deviations of the grain (h, w) a `residual` (3, h, w) is from 0, more expected at edges."""
    mean = window_mean(residual, 3).abs()
    grain = _grain(mean)[:, None, None]
    slope = grow(behind, 1) + grow(-behind, 1)  # (3, h, w)
    quiet = (mean < SAME * grain * 2) & (slope > 4 * grain)
    moved = (mean[quiet] / slope[quiet]).median().clamp(0.02, 0.5) * 1.5 if bool(quiet.any()) else 0.1
    return (mean / (grain**2 + (moved * slope) ** 2).sqrt()).amax(0)


def _grain(residual: Tensor) -> Tensor:
    """Return the deviation (3,) of what is but grain in a `residual` (3, h, w) that is not below 0."""
    values = residual.flatten(1)
    values = values[:, :: max(1, values.shape[1] // 100_000)]
    limit = values.quantile(0.25, dim=1) / 0.3186  # of a normal distribution
    for _ in range(3):
        inside = values <= 2.5 * limit[:, None].clamp(min=GRAIN)
        limit = ((values**2 * inside).sum(1) / inside.sum(1).clamp(min=1)).sqrt() * 1.07
    return limit.clamp(min=GRAIN)


def _textures(shown: Tensor, behind: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
    """Return where (h, w) the texture of what is `behind` is seen, and where it has one, from pictures (3, h, w)."""
    one, two = shown - window_mean(shown, WINDOW), behind - window_mean(behind, WINDOW)
    both, own, other = (window_mean(product, WINDOW).sum(0) for product in (one * two, one * one, two * two))
    textured = other > (TEXTURE * _grain(residual.abs())).square().sum()
    correlation = both / (own * other).sqrt().clamp(min=1e-9)
    share = both / other.clamp(min=1e-9)
    return textured & (correlation > VISIBLE) & (share > 0.2), textured


def _shadowed(shown: Tensor, behind: Tensor) -> Tensor:
    """Return where (h, w) what is `shown` is what is `behind`, with less light (3, h, w)."""
    share = shown / behind.clamp(min=1 / 64)
    low, high = share.amin(0), share.amax(0)
    return (low > DARKEST) & (high < 1.02) & (high - low < TINT)


def _share(shown: Tensor, behind: Tensor, deep: Tensor) -> Tensor:
    """Return how far (h, w) `shown` lies from `behind` to the object's colours, spread from its `deep` part."""
    line = spread(shown, deep.to(shown)) - behind
    along, length = window_mean(torch.stack((((shown - behind) * line).sum(0), line.square().sum(0))), 5)
    return along / length.clamp(min=1e-6)


def _majority(mask: Tensor) -> Tensor:
    """Return a mask (h, w) without specks and pinholes."""
    return window_mean(mask[None].float(), 5)[0] > 0.5


def _shrunk(mask: Tensor, reach: int) -> Tensor:
    """Return a mask (h, w) without the so many pixels beside its edge; the picture's border is no edge."""
    return ~grow(~mask, reach)
