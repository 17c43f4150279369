"""What an object does to its surroundings, for the embedded weights: its shadow, its reflection, its light.

A transformer of their size hardly finds a shadow, which is a small and soft change. A convolutional network that is
told where the object is sees by how much each pixel is darker than it would be without.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .unet import UNet

# Pixels of the squares that have the areas at which a picture and its mirror image are seen: two sizes err in different
# places.
SIDES = 192, 256
MULTIPLE = 16  # of its sides
WIDTHS = 32, 64, 96, 128  # at strides 2, 4, 8 and 16
LIMIT = 1.5  # of the logarithm of a gain


class Effects(UNet):
    """Pictures without the object, and where it was, to the gains that take its effects out."""

    def __init__(self) -> None:
        super().__init__(4, 3, WIDTHS, deepest=2, normed=True)

    def forward(self, scene: Tensor, mask: Tensor) -> Tensor:
        """Scenes (B, 3, h, w) in [0, 1], painted over where the mask (B, 1, h, w) is white → gains (B, 3, h, w).

        Sides are multiples of `MULTIPLE`. Outside of the mask a scene times its gains is the background.
        """
        return self._logarithm(torch.cat((scene, mask), 1)).exp()

    def gains(self, scene: Tensor, mask: Tensor) -> Tensor:
        """The same of one scene (3, h, w) and mask (h, w) of any size: gains (3, h, w)."""
        both = torch.cat((scene, mask[None]))[None]  # (1, 4, h, w)
        one, other = self._seen_at(SIDES[0], both), self._seen_at(SIDES[1], both.flip(3)).flip(3)
        return ((one + other) / 2).exp()[0]

    def _logarithm(self, both: Tensor) -> Tensor:
        """Logarithms of the gains (B, 3, h, w) of scenes and their masks (B, 4, h, w)."""
        return LIMIT * torch.tanh(self.through(both * 2 - 1) / LIMIT)

    def _seen_at(self, side: int, both: Tensor) -> Tensor:
        """The same of one of any size (1, 4, h, w), seen at about `side`² pixels."""
        h, w = both.shape[2:]
        scale = side / (h * w) ** 0.5
        size = [max(1, round(length * scale / MULTIPLE)) * MULTIPLE for length in (h, w)]
        seen = F.interpolate(both, size, mode="area")
        seen[:, 3:] = (seen[:, 3:] > 0.5).to(seen)
        return F.interpolate(self._logarithm(seen), (h, w), mode="bilinear")
