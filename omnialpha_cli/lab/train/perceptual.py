"""Compare pictures as a network does, for a loss: LPIPS, or the distance of the embedded weights' features.

LPIPS is Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (CVPR 2018), version 0.1
on VGG16, by the package `lpips`. The other distance is that of the embedded weights' EfficientNet-Lite0.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...model.mini.context import MiniContext
from ...model.mini.image_encoder import Backbone
from ..evaluate.backbones import lpips_network

Distance = Callable[[Tensor, Tensor], Tensor]  # pictures (B, 3, H, W) in [−1, 1], twice → (B,)


def load_distance(lpips: bool, device: torch.device) -> Distance:
    """Load LPIPS, or the features of the embedded weights. Raises UsageError or WeightsError if LPIPS is not there."""
    if not lpips:
        return partial(feature_distance, embedded_backbone().to(device))
    return partial(_of_each_pair, lpips_network("vgg", device))


def _of_each_pair(network: nn.Module, a: Tensor, b: Tensor) -> Tensor:
    """Return LPIPS of pictures (B, 3, H, W) in [−1, 1], in full precision: (B,)."""
    with torch.autocast(a.device.type, enabled=False):
        distance: Tensor = network(a.float(), b.float())
    return distance.flatten()


def embedded_backbone() -> Backbone:
    """Return the image network in the embedded weights."""
    from ...api import OmniAlpha

    context = OmniAlpha.load("mini", "cpu").model.context_encoder
    assert isinstance(context, MiniContext)  # the embedded weights have it
    return context.relevance.backbone


def feature_distance(backbone: Backbone, a: Tensor, b: Tensor) -> Tensor:
    """Return the distance (B,) of pictures (B, 3, H, W) in [−1, 1], from 0 if equal to 16, with gradients.

    As in LPIPS, features are scaled to length 1 at every place, their squared differences averaged over places and
    added up over the levels. Unlike there no weights are fitted to people's judgement, and the network is another one.
    """
    unit = (F.normalize(features, dim=1).float().chunk(2) for features in backbone(torch.cat((a, b))))
    return torch.stack([(x - y).square().sum(1).mean((1, 2)) for x, y in unit]).sum(0)
