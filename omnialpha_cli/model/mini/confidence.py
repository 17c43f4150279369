"""Estimate how sure the segmenter may be of a matte, a chance that was calibrated on masks drawn by people."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST = 1e-3  # an IoU, and 1 less it, at which the log odds end


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
