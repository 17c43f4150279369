"""Refine the alpha of a matte by the picture's own pixels, for the embedded weights.

A convolutional network gets the picture, the matte so far and the trimap. It does not paint alpha, but weighs some
corrections at each pixel: so it has little to learn, and can hardly do harm.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from .unet import UNet, max_within

MULTIPLE = 16  # of the sides that it works on
WIDTHS = 24, 48, 64, 96  # at strides 2, 4, 8 and 16
BACKGROUND, OBJECT = 0.05, 0.95  # below the first a trimap is sure of the one, above the second of the other
SOFT = 0.02  # alpha that is farther than this from 0 and 1 is not settled,
NEAR = 8  # nor is what is so many pixels away from it
EDGE, REACH = 0.1, 4  # an edge has alpha that is so near to 0, and to 1, within so many pixels
DOUBT = 0.4  # how far what is no edge follows
BLUR = 5  # side of the window whose mean a sharper alpha goes away from, pixels
CONTRAST = 1e-3  # squared distance of two colours below which they are one


class Detail(UNet):
    """Refine mattes by their pictures. What is some dozens of pixels away has no influence."""

    def __init__(self) -> None:
        super().__init__(13, 4, WIDTHS, deepest=1, normed=False)

    def forward(self, plate: Tensor, colours: Tensor, alpha: Tensor, trimap: Tensor) -> Tensor:
        """Refine alpha (B, 1, h, w) of plates (B, 3, h, w), by the likely `colours` (B, 6, h, w); all in [0, 1].

        Sides are multiples of `MULTIPLE`. A trimap (B, 1, h, w) of ½ is unknown. What is near nothing soft stays as it
        is.
        """
        front, back = colours.split(3, 1)
        line = _between(plate, front, back)
        known = torch.cat((trimap < BACKGROUND, trimap > OBJECT), 1).to(plate)
        features = torch.cat((plate * 2 - 1, alpha * 2 - 1, line * 2 - 1, known, front - plate, back - plate), 1)
        blurred = F.avg_pool2d(alpha, BLUR, 1, BLUR // 2, count_include_pad=False)
        ways = torch.cat((line - alpha, alpha - blurred, alpha * (1 - alpha), torch.ones_like(alpha)), 1)
        return alpha + open_places(alpha, trimap) * (self.through(features) * ways).sum(1, keepdim=True)

    def refined(self, plate: Tensor, colours: Tensor, alpha: Tensor, trimap: Tensor | None) -> Tensor:
        """Refine the alpha (h, w) of one plate (3, h, w) of any size, by its likely `colours` (6, h, w); all in [0, 1].

        Without a trimap (h, w) wide soft areas are doubt whether they belong to the object, which pixels cannot
        decide.
        """
        h, w = alpha.shape
        hint = torch.full_like(alpha, 0.5) if trimap is None else trimap
        features = torch.cat((plate, colours, alpha[None], hint[None]))[None]  # (1, 11, h, w)
        whole = F.pad(features, (0, -w % MULTIPLE, 0, -h % MULTIPLE), "replicate")
        found = self(*whole.split((3, 6, 1, 1), 1))[0, 0, :h, :w].clamp(0, 1)
        return found if trimap is not None else torch.lerp(alpha, found, _trust(alpha))


def open_places(alpha: Tensor, trimap: Tensor) -> Tensor:
    """Return 1 where `alpha` (B, 1, h, w) may change: near what is soft in it, and unknown in the `trimap`; else 0."""
    soft = ((alpha > SOFT) & (alpha < 1 - SOFT)).to(alpha)
    unknown = (trimap >= BACKGROUND) & (trimap <= OBJECT)
    return max_within(soft, NEAR) * unknown.to(alpha)


def _trust(alpha: Tensor) -> Tensor:
    """Return 1 at the edges in `alpha` (h, w), where object and background are both near; DOUBT elsewhere."""
    sides = torch.stack((alpha < EDGE, alpha > 1 - EDGE)).to(alpha)  # (2, h, w)
    edge = max_within(sides[None], REACH)[0].prod(0)
    return DOUBT + (1 - DOUBT) * edge


def _between(plate: Tensor, front: Tensor, back: Tensor) -> Tensor:
    """Tell where the colours of a plate lie between the other two (B, 3, h, w): 0 at the back, 1 at the front."""
    line = front - back
    along = ((plate - back) * line).sum(1, keepdim=True)
    return (along / line.square().sum(1, keepdim=True).clamp(min=CONTRAST)).clamp(0, 1)
