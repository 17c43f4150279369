"""What is behind an object, for the embedded weights: a guess at its mean, from what is around.

A transformer that sees latents of eight pixels a side, and was shown some hundred thousand examples, hardly betters the
smooth fill that it starts from. A convolutional network on pixels carries lines and areas on into the hole, as far as
they can be told.
"""

import torch
from torch import Tensor

from .unet import UNet

MULTIPLE = 32  # of the sides that it works on
WIDTHS = 32, 64, 96, 128, 128  # at strides 2, 4, 8, 16 and 32


class Inpainter(UNet):
    """Pictures whose holes were filled smoothly, to better ones. Outside of the holes nothing changes."""

    def __init__(self) -> None:
        super().__init__(4, 3, WIDTHS, deepest=2, normed=True)

    def forward(self, filled: Tensor, hole: Tensor) -> Tensor:
        """Pictures (B, 3, h, w) in [0, 1], filled where the hole (B, 1, h, w) is 1, else 0 → about the same range.

        Sides are multiples of `MULTIPLE`.
        """
        return filled + hole * self.through(torch.cat((filled, hole), 1) * 2 - 1)
