"""Measure by an image network's features how alike pictures look, in the manner of LPIPS.

The network is an EfficientNet-Lite0 as published for ImageNet, which the embedded weights bring, so that nothing has to
be installed. Its figures are not LPIPS, and compare with one another alone.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from ...model.mini.image_encoder import Backbone
from ..train.perceptual import embedded_backbone, feature_distance

SIDE = 224  # pixels: what the network was trained on


@dataclass(frozen=True)
class FeatureDistance:
    """Measure the distance of the features at strides 4, 8, 16 and 32."""

    metric = "features"
    backbone: Backbone = field(default_factory=embedded_backbone)

    @torch.inference_mode()
    def __call__(self, a: NDArray[Any], b: NDArray[Any]) -> float:
        """Return the distance of two pictures (H, W, 3) in [0, 1]: 0 if equal, at most 16."""
        both = torch.from_numpy(np.stack((a, b)).astype(np.float32)).permute(0, 3, 1, 2)  # (2, 3, H, W)
        return float(feature_distance(self.backbone, *(both * 2 - 1).split(1)))


@dataclass(frozen=True)
class PictureFeatures:
    """Compute the features at stride 32, averaged over the picture, which is scaled to 224²."""

    metric = None  # the Fréchet distance of these has no name that others know
    backbone: Backbone = field(default_factory=embedded_backbone)

    @torch.inference_mode()
    def __call__(self, pictures: NDArray[Any]) -> NDArray[Any]:
        """Return pictures (K, H, W, 3) in [0, 1] → features (K, 320), float32."""
        images = torch.from_numpy(np.array(pictures, np.float32)).permute(0, 3, 1, 2)
        small = F.interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
        return np.asarray(self.backbone(small * 2 - 1)[-1].mean((2, 3)).numpy())
