"""The detail of a matte, for the embedded weights: what the picture's own pixels say of it.

The transformer sees latents of eight pixels a side, and closed-form matting nothing but colours. A convolutional
network that is shown the picture, the matte so far, and what a trimap knows, tells both where they err.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .unet import UNet

MULTIPLE = 16  # of the sides that it works on
WIDTHS = 24, 48, 64, 96  # at strides 2, 4, 8 and 16
BACKGROUND, OBJECT = 0.05, 0.95  # below the first a trimap is sure of the one, above the second of the other


class Detail(UNet):
    """Pictures and their mattes so far to better mattes. It sees no farther than some dozens of pixels."""

    def __init__(self) -> None:
        super().__init__(6, 1, WIDTHS, deepest=1, normed=False)

    def forward(self, plate: Tensor, alpha: Tensor, trimap: Tensor) -> Tensor:
        """Plates (B, 3, h, w), alpha so far and trimaps (B, 1, h, w), all in [0, 1] → alpha (B, 1, h, w), about.

        Sides are multiples of `MULTIPLE`. A trimap of ½ knows nothing.
        """
        known = torch.cat((trimap < BACKGROUND, trimap > OBJECT), 1).to(plate)
        return alpha + self.through(torch.cat((plate * 2 - 1, alpha * 2 - 1, known), 1))

    def better(self, plate: Tensor, alpha: Tensor, trimap: Tensor | None) -> Tensor:
        """The same of one plate (3, h, w) of any size: alpha (h, w) in [0, 1]."""
        h, w = alpha.shape
        hint = torch.full_like(alpha, 0.5) if trimap is None else trimap
        seen = torch.cat((plate, alpha[None], hint[None]))[None]  # (1, 5, h, w)
        whole = F.pad(seen, (0, -w % MULTIPLE, 0, -h % MULTIPLE), "replicate")
        return self(*whole.split((3, 1, 1), 1))[0, 0, :h, :w].clamp(0, 1)
