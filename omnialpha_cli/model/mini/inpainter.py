"""Paint what is behind an object, for the embedded weights: its likely mean, from what is around.

A transformer on latents of eight pixels a side hardly improves the smooth fill that it starts from. A convolutional
network on pixels continues lines and areas into the mask.
"""

import torch
from torch import Tensor

from .unet import UNet

MULTIPLE = 32  # of the sides that it works on
WIDTHS = 32, 64, 96, 128, 128  # at strides 2, 4, 8, 16 and 32


class Inpainter(UNet):
    """Inpaint pictures whose masked parts were filled smoothly. Outside of the masks nothing changes."""

    def __init__(self) -> None:
        super().__init__(4, 3, WIDTHS, deepest=2, normed=True)

    def forward(self, filled: Tensor, mask: Tensor) -> Tensor:
        """Inpaint (B, 3, h, w) in [0, 1], filled where the mask (B, 1, h, w) is 1; the result has about that range.

        Sides are multiples of `MULTIPLE`.
        """
        return filled + mask * self.through(torch.cat((filled, mask), 1) * 2 - 1)
