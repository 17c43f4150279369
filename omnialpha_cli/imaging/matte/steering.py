"""Steer a matte by what is known of it besides the picture: bounds, and mattes carried from other frames."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .motion import Carried


@dataclass(frozen=True, eq=False)
class Steering:
    """Hold bounds (H, W) of alpha, `least` and `most`, of which the latter wins, and what is `known` of it already."""

    least: Tensor | None = None
    most: Tensor | None = None
    known: tuple[Carried, ...] = ()

    def steer(self, alpha: Tensor) -> Tensor:
        """Return `alpha` (H, W) moved towards what is known, and put within the bounds."""
        for known in self.known:
            alpha = known.steady(alpha)
        if self.least is not None:
            alpha = torch.maximum(alpha, self.least)
        return alpha if self.most is None else torch.minimum(alpha, self.most)
