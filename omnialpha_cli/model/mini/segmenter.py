"""Decide which pixels belong to the subject of a picture, where nothing but the picture says so, and how surely."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from .image_encoder import Backbone, TopDown, channels_of
from .unet import max_within

WIDTHS = (48, 64, 128, 192)  # channels at strides 4, 8, 16 and 32
HEADS = 6
MULTIPLE = 32  # of the sides that it works on
SMALLER = 0.85  # of the sides, for the view beside the mirror image
REDUCED = 0.6  # the same, for the one that tells how sure both may be
LARGE, SURE = 0.5, 0.6  # share of the largest part, and mean alpha of both views: a part with less of each is left out
SMOOTH = 4.0  # standard deviation of the blur before a side is taken, pixels of a canvas 384 wide
NEAR, FAR = 3, 6  # up to the first distance from an edge alpha stays soft, from the second on it is 0 or 1; the same
LEAST = 1e-3  # an IoU, and 1 less it, at which the log odds end


class Segmenter(TopDown):
    """Segment by EfficientNet-Lite2, one attention over its deepest cells, and a top-down decoder to logits of alpha.

    The attention lets every part of a picture know of all others: what belongs together, and what is cut by the frame.
    """

    def __init__(self, drop_path: float = 0.0):
        super().__init__(Backbone(drop_path, "lite2"), channels_of("lite2"), WIDTHS)
        self.norm = nn.LayerNorm(WIDTHS[3])
        self.attention = nn.MultiheadAttention(WIDTHS[3], HEADS, batch_first=True)
        self.coarse = nn.Conv2d(WIDTHS[2], 1, 1)
        self.fine = nn.Sequential(nn.Conv2d(WIDTHS[0], 4, 3, padding=1), nn.PixelShuffle(2))

    def mixed(self, deepest: Tensor) -> Tensor:
        """Add what each cell finds in all others to (B, 192, H/32, W/32)."""
        tokens = self.norm(deepest.flatten(2).mT)  # (B, H/32 · W/32, 192)
        found, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        return deepest + found.mT.reshape(deepest.shape)

    def forward(self, rgb: Tensor) -> tuple[Tensor, Tensor]:
        """Map RGB (B, 3, H, W) in [0, 1] to logits of alpha (B, 1, H/2, W/2) and (B, 1, H/16, W/16).

        Sides are multiples of 32. The coarse logits are for training alone.
        """
        features = self.features(rgb)
        return self.fine(features.s4), self.coarse(features.s16)

    def undecided(self, rgb: Tensor) -> Tensor:
        """Return the mean of the alphas of pictures (B, 3, h, w) in [0, 1], made smaller, and of their mirror images.

        At two sizes the network errs less alike. The mean is at half of the pictures' sides, these made a multiple of
        32: (B, ⌈h/32⌉ · 16, ⌈w/32⌉ · 16).
        """
        h, w = rgb.shape[-2:]
        padded = F.pad(rgb, (0, -w % MULTIPLE, 0, -h % MULTIPLE), "replicate")
        mirrored = self._alpha(padded.flip(-1)).flip(-1)
        smaller = F.interpolate(self._alpha(_smaller(padded, SMALLER))[:, None], mirrored.shape[1:], mode="bilinear")
        return (smaller[:, 0] + mirrored) / 2

    def reduced(self, rgb: Tensor) -> Tensor:
        """Return the alphas of pictures (B, 3, h, w) in [0, 1] at about .6 of their sides, at half of these sides."""
        return self._alpha(_smaller(rgb, REDUCED))

    def _alpha(self, rgb: Tensor) -> Tensor:
        """Return the alphas (B, h/2, w/2) of pictures (B, 3, h, w) whose sides are multiples of 32."""
        return self(rgb.contiguous(memory_format=torch.channels_last))[0].sigmoid()[:, 0]

    def full_size(self, undecided: Tensor, rgb: Tensor) -> Tensor:
        """Return what is `undecided` of pictures (B, 3, h, w) at their size, decided: (B, h, w)."""
        h, w = rgb.shape[-2:]
        full = F.interpolate(undecided[:, None], scale_factor=2, mode="bilinear", align_corners=False)
        return decided(full[:, 0, :h, :w])


def _smaller(rgb: Tensor, share: float) -> Tensor:
    """Return pictures (B, 3, h, w) with about a `share` of their sides, these made multiples of 32."""
    sides = [max(1, round(side * share / MULTIPLE)) * MULTIPLE for side in rgb.shape[-2:]]
    return F.interpolate(rgb, size=sides, mode="bilinear", antialias=True)


def without_doubtful_parts(undecided: Tensor, reduced: Tensor) -> Tensor:
    """Return alphas (B, h, w) without the small parts of which the network is not sure, 0 in their place.

    Such a part is smaller than `LARGE` of the largest, and its mean alpha, in these and in the `reduced` pictures'
    alphas (B, i, j), is below `SURE`: an object of its own is found at any size.
    """
    again = F.interpolate(reduced[:, None], size=undecided.shape[1:], mode="bilinear")[:, 0]
    cleaned = undecided.clone()
    for alpha, mean in zip(cleaned, ((undecided + again) / 2).float().cpu().numpy(), strict=True):
        number = number_parts((alpha > 0.5).cpu().numpy())  # (h, w)
        size = np.bincount(number.flat)
        sure = np.bincount(number.flat, weights=mean.flat) / size.clip(min=1)
        doubtful = (size < LARGE * size[1:].max(initial=0)) & (sure < SURE)
        doubtful[0] = False  # what is no part
        alpha[torch.from_numpy(doubtful[number]).to(alpha.device)] = 0
    return cleaned


def number_parts(mask: NDArray[np.bool_]) -> NDArray[np.int_]:
    """Number the parts of a `mask` (h, w) from 1 on, in the order of their first pixels; 0 is where it is false.

    Pixels are connected by their sides. Runs of pixels in a row are joined to those that they touch in the next one.
    """
    begins = np.diff(mask, axis=1, prepend=False) & mask
    run = np.cumsum(begins).reshape(mask.shape) * mask  # (h, w), from 1 on
    touch = mask[:-1] & mask[1:]
    touch &= np.diff(touch, axis=1, prepend=False)  # once for two runs
    above, below = run[:-1][touch], run[1:][touch]
    earlier = np.arange(run.max(initial=0) + 1)  # a run of the same part, or itself
    while (earlier[above] != earlier[below]).any():
        one, other = earlier[above], earlier[below]
        np.minimum.at(earlier, np.maximum(one, other), np.minimum(one, other))
        earlier = earlier[earlier]
    number = np.cumsum(earlier == np.arange(len(earlier))) - 1
    return number[earlier][run]


def decided(alpha: Tensor) -> Tensor:
    """Return `alpha` (B, h, w) with what is far from any edge made 0 or 1: there half an alpha is doubt, not glass.

    The sides are those of the blurred alpha, so that a doubtful area goes to one side as a whole.
    """
    scale = alpha.shape[-1] / 384
    solid = (_blurred(alpha[:, None], SMOOTH * scale) > 0.5).to(alpha)  # (B, 1, h, w)
    near_edge = torch.zeros_like(solid)
    sides, before = torch.cat((solid, -solid), 1), 0  # (B, 2, h, w), each within the reach that was before
    for distance in range(NEAR, FAR + 1):
        reach = max(1, round(distance * scale))
        sides, before = max_within(sides, reach - before), reach
        near_edge += sides.sum(1, keepdim=True) / (FAR + 1 - NEAR)  # 1 where both sides are within reach
    return torch.lerp(solid, alpha[:, None], near_edge)[:, 0]


def _blurred(image: Tensor, sigma: float) -> Tensor:
    """Blur (B, 1, h, w) by three box filters, which together are nearly a Gaussian of that standard deviation."""
    reach = max(1, round((sigma**2 + 0.25) ** 0.5 - 0.5))  # three boxes of 2r + 1 have the variance r(r + 1)
    for _ in range(3):
        image = F.avg_pool2d(image, (2 * reach + 1, 1), 1, (reach, 0), count_include_pad=False)
        image = F.avg_pool2d(image, (1, 2 * reach + 1), 1, (0, reach), count_include_pad=False)
    return image


@dataclass(frozen=True)
class Confidence:
    """Return the chance that a matte's IoU reaches .9, by a logistic function of two signs (`signs_of`).

    The fields are fitted by `omnialpha eval confidence`, and are the block `confidence` of config.json.
    """

    bias: float
    expected: float
    agreement: float

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> Self | None:
        """Read the fields as config.json has them; None of weights that were calibrated by other signs."""
        names = [field.name for field in fields(cls)]
        return cls(*(float(values[name]) for name in names)) if set(values) == set(names) else None

    def __call__(self, undecided: Tensor, reduced: Tensor) -> Tensor:
        """Return the chances (B,) of undecided alphas (B, h, w), and of those of the pictures reduced (B, i, j)."""
        signs = signs_of(undecided, reduced)
        return (self.bias + signs @ signs.new_tensor((self.expected, self.agreement))).sigmoid()


def signs_of(undecided: Tensor, reduced: Tensor) -> Tensor:
    """Return two log odds (B, 2) of undecided alphas (B, h, w): of the IoU to expect, and of that with `reduced`.

    For the first, each pixel is taken for the chance that it is the subject's: where two views disagree, or both are in
    doubt, their mean is half an alpha, and the IoU to expect is low. The second is of the subjects that the network
    finds in the pictures and in the same pictures reduced, alphas (B, i, j): what it is sure of, it finds at any size.
    """
    alpha = undecided.float()
    solid = alpha > 0.5
    again = F.interpolate(reduced.float()[:, None], size=alpha.shape[1:], mode="bilinear")[:, 0] > 0.5
    expected = (alpha * solid).sum((1, 2)) / torch.maximum(alpha, solid.float()).sum((1, 2)).clamp(min=1e-6)
    agreement = (solid & again).sum((1, 2)) / (solid | again).sum((1, 2)).clamp(min=1)
    return torch.logit(torch.stack((expected, agreement), 1), LEAST)
