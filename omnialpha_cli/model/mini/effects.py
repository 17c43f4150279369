"""Take out what an object does to its surroundings, for the embedded weights: its shadow, its reflection, its light.

A transformer of their size hardly finds a shadow, which is a small and soft change. A convolutional network with the
object's mask finds by how much each pixel is darker than it would be without.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .unet import UNet

SIDE = 256  # of the square that has the area at which a picture and its mirror image are seen, pixels
MULTIPLE = 16  # of its sides
WIDTHS = 32, 64, 96, 128  # at strides 2, 4, 8 and 16
LIMIT = 1.5  # of the logarithm of a gain


class Effects(UNet):
    """Find the gains that take an object's effects out of a picture in which it is painted over."""

    def __init__(self) -> None:
        super().__init__(4, 3, WIDTHS, deepest=2, normed=True)

    def forward(self, scene: Tensor, mask: Tensor) -> Tensor:
        """Return gains of scenes (B, 3, h, w) in [0, 1], painted over where the mask (B, 1, h, w) is 1.

        Outside of the mask a scene times its gains is the background. Sides are multiples of `MULTIPLE`.
        """
        return self._logarithm(torch.cat((scene, mask), 1)).exp()

    def gains(self, scene: Tensor, mask: Tensor) -> Tensor:
        """Return gains (3, h, w) of one scene (3, h, w) and mask (h, w) of any size."""
        h, w = mask.shape
        scale = SIDE / (h * w) ** 0.5
        size = [max(1, round(length * scale / MULTIPLE)) * MULTIPLE for length in (h, w)]
        seen = F.interpolate(torch.cat((scene, mask[None]))[None], size, mode="area")  # (1, 4, ·, ·)
        seen[:, 3:] = (seen[:, 3:] > 0.5).to(seen)
        one, other = self._logarithm(torch.cat((seen, seen.flip(3))))
        return F.interpolate((one + other.flip(2))[None] / 2, (h, w), mode="bilinear").exp()[0]

    def _logarithm(self, both: Tensor) -> Tensor:
        """Return logarithms of the gains (B, 3, h, w) of scenes and their masks (B, 4, h, w)."""
        return LIMIT * torch.tanh(self.through(both * 2 - 1) / LIMIT)
