"""Make an object's shadow and reflection a layer of translucent black, which sits on any ground under the object.

Black over a background is the background times 1 − alpha, so the layer comes from by how much each pixel would be
lighter without the object. What it would be darker without stays in the background.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..canvas import Canvas, grow
from ..colour import value_range
from .clean_plate import shrunk, spread_gains

LEAST = 0.05  # logarithm of a gain up to which nothing is in the layer
# Logarithms of gains, within so many pixels of the canvas, at which a change begins to be taken for the object's, and
# is wholly. Chosen on composites of training rows: lower ones take in more of a shadow, and more else.
UNSURE, SURE = 0.22, 0.33
NEAR = 3
BENEATH = 8  # pixels of the canvas by which a shadow goes on under the edge
SOFT = 5  # pixels of the canvas over which it is averaged there
DARKEST = 0.95  # alpha: beyond it the background would be all noise
FAINTEST = 1 / 255


def shadow_alpha(plate: Tensor, gains: Tensor, canvas: Canvas, covered: Tensor, exponent: float = 1.0) -> Tensor:
    """Return the alpha (H, W) of a black layer in a `plate` (3, H, W) of which `gains` (3, h, w) take the effects out.

    The arguments are those of `relight`; `covered` (H, W) is the object's alpha.
    """
    lit = plate * canvas.restore(_sure(_beneath(gains, canvas, covered)) * exponent).to(plate).exp()
    weight = lit.square().sum(0)
    kept = (plate * lit).sum(0) / weight.clamp(min=1e-8)  # of the background, nearest in all three channels
    alpha = torch.where(weight > 1e-8, 1 - kept, 0.0).clamp(0, DARKEST)
    return torch.where(alpha < FAINTEST, 0.0, alpha)


def within_range(alpha: Tensor, below: Tensor) -> Tensor:
    """Return the alpha (H, W) of a black layer lowered so that what is `below` (3, H, W) stays within its range.

    It does so when it is taken through the layer: divided by 1 − alpha.
    """
    return torch.minimum(alpha, 1 - below.amax(0) / value_range(below)[1]).clamp(min=0)


def _beneath(gains: Tensor, canvas: Canvas, covered: Tensor) -> Tensor:
    """Return the logarithms of `gains` (3, h, w), which go on under the object's edge as strong as beside it.

    Weaker there, as the mean of all around is, they would leave a light line between the object and its shadow.
    """
    logarithm, hidden = spread_gains(gains, canvas, covered)
    beside = F.avg_pool2d(grow(logarithm * ~hidden, BENEATH), SOFT, 1, SOFT // 2, count_include_pad=False)
    return torch.where(hidden, torch.maximum(logarithm, beside), logarithm)


def change_by(scene: Tensor, gains: Tensor, covered: Tensor) -> tuple[float, float]:
    """Return by how much an object darkens its surroundings, and by how much it lightens them: means over the picture.

    Of what is on the canvas: a `scene` (3, h, w), `gains` (3, h, w), and the object (h, w), which does not count.
    """
    change = (scene * _sure(gains.log()).exp() - scene) * (covered == 0)
    return float(change.clamp(min=0).mean()), float((-change).clamp(min=0).mean())


def _sure(logarithm: Tensor) -> Tensor:
    """Return logarithms of gains (3, h, w), 0 where nothing near is strong enough to be a shadow or a reflection."""
    mean = logarithm.mean(0)
    strongest = torch.maximum(grow(mean, NEAR), grow(-mean, NEAR))
    return shrunk(logarithm, LEAST) * ((strongest - UNSURE) / (SURE - UNSURE)).clamp(0, 1)
