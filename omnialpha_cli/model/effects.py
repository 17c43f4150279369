"""What an object does to its surroundings, for the embedded weights: its shadow, its reflection, its light.

A transformer of their size hardly finds a shadow, which is a small and soft change. A convolutional network that is
told where the object is sees by how much each pixel is darker than it would be without.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .unet import UNet

SIDE = 128  # pixels of the square that has the area at which it works
MULTIPLE = 16  # of its sides
WIDTHS = 32, 64, 96, 128  # at strides 2, 4, 8 and 16
LIMIT = 1.5  # of the logarithm of a gain


class Effects(UNet):
    """Pictures without the object, and where it was, to the gains that take its effects out."""

    def __init__(self) -> None:
        super().__init__(4, 3, WIDTHS, deepest=2, normed=True)

    def forward(self, scene: Tensor, mask: Tensor) -> Tensor:
        """Scenes (B, 3, h, w) in [0, 1], painted over where the mask (B, 1, h, w) is white → gains (B, 3, h, w).

        Sides are multiples of `MULTIPLE`, of about `SIDE`² pixels. Outside of the mask a scene times its gains is the
        background.
        """
        logarithm = self.through(torch.cat((scene, mask), 1) * 2 - 1)  # (B, 3, h, w)
        return (LIMIT * torch.tanh(logarithm / LIMIT)).exp()

    def gains(self, scene: Tensor, mask: Tensor) -> Tensor:
        """The same of one scene (3, h, w) and mask (h, w) of any size: gains (3, h, w)."""
        h, w = mask.shape
        scale = SIDE / (h * w) ** 0.5
        size = [max(1, round(side * scale / MULTIPLE)) * MULTIPLE for side in (h, w)]
        both = F.interpolate(torch.cat((scene, mask[None]))[None], size, mode="area")
        found = self(both[:, :3], (both[:, 3:] > 0.5).to(both))
        return F.interpolate(found, (h, w), mode="bilinear")[0]
