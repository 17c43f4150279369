"""What an image network sees in pictures: how alike two look, in the manner of LPIPS, and what a set is made of.

The network is an EfficientNet-Lite0 as published for ImageNet, which the embedded weights bring, so that nothing has to
be installed. Its figures are neither LPIPS nor FID, and compare with one another alone.
"""

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from ..model.context.image_encoder import Backbone
from ..model.context.mini import MiniContext

SIDE = 224  # pixels: what the network was trained on


class FeatureDistance:
    """A distance of the features at strides 4, 8, 16 and 32.

    As in Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (CVPR 2018): features
    are scaled to length 1 at every place, their squared differences averaged over places and added up over the levels.
    Unlike LPIPS there are no weights fitted to people's judgement, and the network is another one.
    """

    metric = "features"

    def __init__(self, backbone: Backbone):
        self.backbone = backbone

    @classmethod
    def load(cls) -> Self:
        """With the network in the embedded weights."""
        return cls(embedded_backbone())

    @torch.inference_mode()
    def __call__(self, a: NDArray[Any], b: NDArray[Any]) -> float:
        """Of two pictures (H, W, 3) in [0, 1]: 0 if equal, at most 16."""
        both = torch.from_numpy(np.stack((a, b)).astype(np.float32)).permute(0, 3, 1, 2)  # (2, 3, H, W)
        return float(self.between(*(both * 2 - 1).split(1)))

    def between(self, a: Tensor, b: Tensor) -> Tensor:
        """Of pictures (B, 3, H, W) in [−1, 1], each pair: (B,), with gradients."""
        return sum((_level(F.normalize(x, dim=1)) for x in self.backbone(torch.cat((a, b)))), a.new_zeros(len(a)))


class PictureFeatures:
    """The features at stride 32, averaged over the picture, which is scaled to 224²."""

    metric = "frechet"

    def __init__(self, backbone: Backbone):
        self.backbone = backbone

    @classmethod
    def load(cls) -> Self:
        """With the network in the embedded weights."""
        return cls(embedded_backbone())

    @torch.inference_mode()
    def __call__(self, pictures: NDArray[Any]) -> NDArray[Any]:
        """Pictures (K, H, W, 3) in [0, 1] → features (K, 320), float32."""
        images = torch.from_numpy(np.array(pictures, np.float32)).permute(0, 3, 1, 2)
        small = F.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
        return np.asarray(self.backbone(small * 2 - 1)[-1].mean((2, 3)).numpy())


def embedded_backbone() -> Backbone:
    """The network in the embedded weights."""
    from ..api import OmniAlpha

    context = OmniAlpha.load("mini", "cpu").context_encoder
    assert isinstance(context, MiniContext)  # the embedded weights have it
    return context.relevance.backbone


def _level(features: Tensor) -> Tensor:
    """Features of both pictures (2B, C, h, w), of length 1 at every place → (B,)."""
    a, b = features.float().chunk(2)
    return (a - b).square().sum(1).mean((1, 2))
