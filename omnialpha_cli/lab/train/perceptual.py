"""How alike two pictures look to a network, as a loss: LPIPS where its weights are at hand, else features we have.

LPIPS is Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (CVPR 2018), version 0.1
on VGG16. Its two files come with torchvision (`vgg16-….pth`, the ImageNet network) and with the package lpips
(`vgg.pth`, one weight a channel); neither is downloaded here. Without them the distance is that of the embedded
weights' EfficientNet-Lite0, in the manner of LPIPS.
"""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from ...model.mini.context import MiniContext
from ...model.mini.image_encoder import Backbone
from ...status import UsageError

Distance = Callable[[Tensor, Tensor], Tensor]  # pictures (B, 3, H, W) in [−1, 1], twice → (B,)

WIDTHS = (64, 128, 256, 512, 512)  # of VGG16's five levels
DEPTHS = (2, 2, 3, 3, 3)  # convolutions in each
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)  # of [−1, 1] to what VGG16 was trained on


def load_distance(lpips: Path | None, device: torch.device) -> Distance:
    """LPIPS from a folder with its two files, or the features of the embedded weights. Raises UsageError."""
    if lpips is None:
        return partial(feature_distance, embedded_backbone().to(device))
    return LPIPS.read(lpips).to(device)


def embedded_backbone() -> Backbone:
    """The image network in the embedded weights."""
    from ...api import OmniAlpha

    context = OmniAlpha.load("mini", "cpu").model.context_encoder
    assert isinstance(context, MiniContext)  # the embedded weights have it
    return context.relevance.backbone


def feature_distance(backbone: Backbone, a: Tensor, b: Tensor) -> Tensor:
    """Of pictures (B, 3, H, W) in [−1, 1], each pair: (B,), from 0 if equal to 16, with gradients.

    As in LPIPS, features are scaled to length 1 at every place, their squared differences averaged over places and
    added up over the levels. Unlike there no weights are fitted to people's judgement, and the network is another one.
    """
    unit = (F.normalize(features, dim=1).float().chunk(2) for features in backbone(torch.cat((a, b))))
    return torch.stack([(x - y).square().sum(1).mean((1, 2)) for x, y in unit]).sum(0)


class LPIPS(nn.Module):
    """Squared differences of VGG16's features of length 1, weighted by channel, averaged over places, summed up."""

    def __init__(self) -> None:
        super().__init__()
        levels = list(pairwise((3, *WIDTHS)))
        self.levels = nn.ModuleList(
            nn.ModuleList(nn.Conv2d(c_in if i == 0 else c_out, c_out, 3, padding=1) for i in range(depth))
            for (c_in, c_out), depth in zip(levels, DEPTHS, strict=True)
        )
        self.weights = nn.ParameterList(torch.ones(width) for width in WIDTHS)
        self.requires_grad_(False)

    @classmethod
    def read(cls, folder: Path) -> "LPIPS":
        """From a folder with `vgg16*` and `vgg.pth`, as .pth or .safetensors. Raises UsageError."""
        network, linear = (_state(folder, pattern) for pattern in ("vgg16*", "vgg.*"))
        distance, number = cls(), 0
        try:
            for level, convolutions in enumerate(distance.levels):
                for convolution in convolutions:  # type: ignore[attr-defined]
                    convolution.weight.copy_(network[f"features.{number}.weight"])
                    convolution.bias.copy_(network[f"features.{number}.bias"])
                    number += 2  # a ReLU after each
                number += 1  # a pooling after each level
                distance.weights[level].copy_(linear[f"lin{level}.model.1.weight"].flatten())
        except (KeyError, RuntimeError) as error:
            raise UsageError(f"{folder}: not the files of LPIPS on VGG16 ({error})") from error
        return distance

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """RGB (B, 3, H, W) in [−1, 1], twice → (B,)."""
        total = a.new_zeros(len(a))
        for features, weight in zip(self._features(torch.cat((a, b))), self.weights, strict=True):
            unit = features / (torch.linalg.vector_norm(features, dim=1, keepdim=True) + 1e-10)  # (2B, C, h, w)
            x, y = unit.chunk(2)
            total = total + ((x - y).square() * weight[:, None, None]).sum(1).mean((1, 2))
        return total

    def _features(self, x: Tensor) -> Iterator[Tensor]:
        x = (x - x.new_tensor(SHIFT)[:, None, None]) / x.new_tensor(SCALE)[:, None, None]
        for i, level in enumerate(self.levels):
            if i > 0:
                x = F.max_pool2d(x, 2)
            for convolution in level:  # type: ignore[attr-defined]
                x = F.relu(convolution(x))
            yield x.float()


def _state(folder: Path, pattern: str) -> dict[str, Tensor]:
    files = sorted(f for f in folder.glob(pattern) if f.suffix in (".pth", ".safetensors"))
    if not files:
        raise UsageError(f"{folder} has no {pattern} for LPIPS: get it from torchvision and the package lpips")
    if files[0].suffix == ".safetensors":
        return load_file(files[0])
    state: dict[str, Tensor] = torch.load(files[0], map_location="cpu", weights_only=True)
    return state
