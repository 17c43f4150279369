"""Estimate how sure the segmenter may be of a matte, a chance that was calibrated on masks drawn by people."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

LEAST = 1e-3  # an expected IoU, and 1 less it, at which the log odds end


@dataclass(frozen=True)
class Confidence:
    """Return the chance that a matte's IoU reaches .9, by a logistic function of two signs (`signs_of`).

    The fields are fitted by `omnialpha eval confidence`, and are the block `confidence` of config.json.
    """

    bias: float
    expected: float
    border: float

    @classmethod
    def from_dict(cls, values: Mapping[str, float]) -> Self:
        """Read the fields as config.json has them."""
        return cls(float(values["bias"]), float(values["expected"]), float(values["border"]))

    def __call__(self, undecided: Tensor) -> Tensor:
        """Return the chances (B,) of undecided alphas (B, h, w)."""
        signs = signs_of(undecided)
        return (self.bias + signs @ signs.new_tensor((self.expected, self.border))).sigmoid()


def signs_of(undecided: Tensor) -> Tensor:
    """Return the log odds of the IoU to expect of undecided alphas (B, h, w), and their mean at the border: (B, 2).

    Each pixel is taken for the chance that it is the subject's. Where two views disagree, or both are in doubt, their
    mean is half an alpha, and the IoU to expect is low.
    """
    alpha = undecided.float()
    solid = (alpha > 0.5).float()
    expected = (alpha * solid).sum((1, 2)) / torch.maximum(alpha, solid).sum((1, 2)).clamp(min=1e-6)
    rim = torch.cat((alpha[:, 0], alpha[:, -1], alpha[:, :, 0], alpha[:, :, -1]), 1)
    return torch.stack((torch.logit(expected, LEAST), rim.mean(1)), 1)
