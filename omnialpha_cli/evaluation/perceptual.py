"""How alike two pictures look to an image network: a distance in the manner of LPIPS, and not LPIPS itself."""

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ..model.context.image_encoder import Backbone
from ..model.context.mini import MiniContext


class FeatureDistance:
    """A distance of the features of an EfficientNet-Lite0 at strides 4, 8, 16 and 32.

    As in Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (CVPR 2018): features
    are scaled to length 1 at every place, their squared differences averaged over places and added up over the levels.
    Unlike LPIPS there are no weights fitted to people's judgement, and the network is another one, so the figures
    compare with one another alone. The embedded weights bring the network, as published for ImageNet.
    """

    def __init__(self, backbone: Backbone):
        self.backbone = backbone

    @classmethod
    def load(cls) -> Self:
        """With the network in the embedded weights."""
        from ..api import OmniAlpha

        context = OmniAlpha.load("mini", "cpu").context_encoder
        assert isinstance(context, MiniContext)  # the embedded weights have it
        return cls(context.relevance.backbone)

    @torch.inference_mode()
    def __call__(self, a: NDArray[Any], b: NDArray[Any]) -> float:
        """Of two pictures (H, W, 3) in [0, 1]: 0 if equal, at most 16."""
        both = torch.from_numpy(np.stack((a, b)).astype(np.float32)).permute(0, 3, 1, 2)  # (2, 3, H, W)
        return float(self.between(*(both * 2 - 1).split(1)))

    def between(self, a: Tensor, b: Tensor) -> Tensor:
        """Of pictures (B, 3, H, W) in [−1, 1], each pair: (B,), with gradients."""
        return sum((_level(F.normalize(x, dim=1)) for x in self.backbone(torch.cat((a, b)))), a.new_zeros(len(a)))


def _level(features: Tensor) -> Tensor:
    """Features of both pictures (2B, C, h, w), of length 1 at every place → (B,)."""
    a, b = features.float().chunk(2)
    return (a - b).square().sum(1).mean((1, 2))
