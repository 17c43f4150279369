"""Read hints as data: a trimap or a mask (H, W) in [0, 1], white being the object. Never colour-converted."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .canvas import resample

# A trimap is sure of the background below the first, and of the object above the second.
BACKGROUND, OBJECT = 0.05, 0.95
ROUND = 16  # pixels, up to which a hint grows in a circle at its own size
ASPECT_TOLERANCE = 0.01
LUMINANCE = (0.2126, 0.7152, 0.0722)  # ITU-R BT.709


def hint_values(rgb: Tensor, alpha: Tensor | None) -> Tensor:
    """Return a picture's values as a hint: `alpha` (H, W) where that varies, else the luminance of `rgb` (3, H, W)."""
    if alpha is not None and alpha.min() < alpha.max():
        return alpha
    weights = torch.tensor(LUMINANCE).to(rgb)
    return torch.tensordot(weights, rgb, 1).clamp(0, 1)


def same_shape(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Tell whether two sizes (H, W) have one aspect ratio within 1 %."""
    one, two = size[0] * other[1], size[1] * other[0]
    return abs(one - two) <= ASPECT_TOLERANCE * two


def grow_round(mask: Tensor, pixels: int) -> Tensor:
    """Return a mask (H, W) of bools grown by `pixels`, in a circle around each that is set; to a sixteenth of many."""
    h, w = mask.shape
    scale = min(1.0, ROUND / max(pixels, 1))
    reach = int(pixels * scale)
    if scale < 1:
        mask = resample(mask.float(), max(1, round(h * scale)), max(1, round(w * scale))) > 0
    size = mask.shape[1]
    count = F.pad(mask.int(), (reach + 1, reach, reach, reach)).cumsum(1)  # of each row, (h + 2 · reach, ·)
    grown = torch.zeros_like(mask)
    for down in range(-reach, reach + 1):
        across = math.isqrt(reach * reach - down * down)
        row = count[reach + down : reach + down + len(mask)]
        grown |= row[:, reach + across + 1 :][:, :size] > row[:, reach - across :][:, :size]
    return grown if scale == 1 else F.interpolate(grown[None, None].float(), (h, w))[0, 0] > 0


def keep_known(alpha: Tensor, trimap: Tensor) -> Tensor:
    """Make alpha (H, W) exactly 0 and 1 where the `trimap` (H, W) is sure."""
    return torch.where(trimap > OBJECT, 1.0, torch.where(trimap < BACKGROUND, 0.0, alpha))
