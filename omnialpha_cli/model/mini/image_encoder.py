"""Compute image features for the embedded weights: EfficientNet-Lite and a light top-down neck.

The backbone is the one of Google's EfficientNet-Lite (Tan & Le, arXiv 1905.11946, without squeeze-excitation and with
ReLU6), its batch norms folded into the convolutions. The neck carries what the deep, coarse levels know about the
picture back to the finer ones.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Variant = Literal["lite0", "lite2"]

# (expansion, kernel, stride of the first block, output channels, blocks): EfficientNet-B0's table, as Lite0 keeps it,
# and Lite2's, which has 1.1 times the channels, in multiples of 8, and in the inner stages 1.2 times the blocks.
STAGES: dict[Variant, tuple[tuple[int, int, int, int, int], ...]] = {
    "lite0": ((1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3),
              (6, 5, 2, 192, 4), (6, 3, 1, 320, 1)),
    "lite2": ((1, 3, 1, 16, 1), (6, 3, 2, 24, 3), (6, 5, 2, 48, 3), (6, 3, 2, 88, 4), (6, 5, 1, 120, 4),
              (6, 5, 2, 208, 5), (6, 3, 1, 352, 1)),
}  # fmt: skip
TAPS = (1, 2, 4, 6)  # the stages that end strides 4, 8, 16 and 32
NECK = (48, 64, 128, 128)  # channels of the neck at those strides


class SameConv(nn.Conv2d):
    """Convolve with TensorFlow's "same" padding, which is uneven at stride 2."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(channels_in, channels_out, kernel, stride, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', ⌈H/stride⌉, ⌈W/stride⌉)."""
        k, s = self.kernel_size[0], self.stride[0]
        pad = [max((-(-n // s) - 1) * s + k - n, 0) for n in (x.shape[-1], x.shape[-2])]
        return super().forward(F.pad(x, (pad[0] // 2, pad[0] - pad[0] // 2, pad[1] // 2, pad[1] - pad[1] // 2)))


class PointConv(nn.Conv2d):
    """Compute a 1×1 convolution as a matrix product, several times as fast on channels-last tensors of CPUs."""

    def __init__(self, channels_in: int, channels_out: int):
        super().__init__(channels_in, channels_out, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, C, H, W) to (B, C', H, W)."""
        return F.linear(x.permute(0, 2, 3, 1), self.weight[:, :, 0, 0], self.bias).permute(0, 3, 1, 2)


class InvertedResidual(nn.Module):
    """Expand 1×1, depthwise k×k, project 1×1; a residual where shapes agree."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        hidden = channels_in * expansion
        self.expand = PointConv(channels_in, hidden) if expansion > 1 else nn.Identity()
        self.depthwise = SameConv(hidden, hidden, kernel, stride, groups=hidden)
        self.project = PointConv(hidden, channels_out)
        self.residual = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor, keep: float = 1.0) -> Tensor:
        """Map (B, C, H, W) to (B, C', H', W'); in training the residual branch is kept with probability `keep`."""
        y = F.relu6(self.expand(x)) if isinstance(self.expand, PointConv) else x
        y = self.project(F.relu6(self.depthwise(y)))
        if not self.residual:
            return y
        if self.training and keep < 1:
            y = y * torch.bernoulli(torch.full((len(y), 1, 1, 1), keep, device=y.device)) / keep
        return x + y


class Backbone(nn.Module):
    """Run EfficientNet-Lite without its classifier: RGB in [−1, 1] to features at strides 4, 8, 16 and 32."""

    def __init__(self, drop_path: float = 0.0, variant: Variant = "lite0"):
        super().__init__()
        self.drop_path = drop_path
        self.blocks = sum(count for *_, count in STAGES[variant])
        self.stem = SameConv(3, 32, 3, 2)
        self.stages = nn.ModuleList()
        channels = 32
        for expansion, kernel, stride, out, count in STAGES[variant]:
            blocks = nn.ModuleList()
            for i in range(count):
                blocks.append(InvertedResidual(channels, out, kernel, stride if i == 0 else 1, expansion))
                channels = out
            self.stages.append(blocks)

    def forward(self, rgb: Tensor) -> list[Tensor]:
        """Map (B, 3, H, W) to Lite0's [(B, 24, H/4, W/4), (B, 40, …/8), (B, 112, …/16), (B, 320, …/32)]."""
        x = F.relu6(self.stem(rgb))
        taps, done = [], 0
        for i, stage in enumerate(self.stages):
            for block in stage:  # type: ignore[attr-defined]
                x = block(x, keep=1 - self.drop_path * done / self.blocks)
                done += 1
            if i in TAPS:
                taps.append(x)
        return taps


@dataclass(frozen=True)
class Features:
    """Hold neck features at strides 4, 8, 16 and 32, each (B, C, H/s, W/s) with C of `NECK`."""

    s4: Tensor
    s8: Tensor
    s16: Tensor
    s32: Tensor


class TopDown(nn.Module):
    """Carry a backbone's deep features down to its finer ones; `widths` are the channels at strides 4 to 32."""

    def __init__(self, backbone: Backbone, taps: tuple[int, ...], widths: tuple[int, ...]):
        super().__init__()
        self.backbone = backbone
        self.lateral = nn.ModuleList(PointConv(c, n) for c, n in zip(taps, widths, strict=True))
        self.descend = nn.ModuleList(PointConv(widths[i + 1], widths[i]) for i in range(3))
        self.smooth = nn.ModuleList(nn.Conv2d(n, n, 3, padding=1) for n in widths)

    def mixed(self, deepest: Tensor) -> Tensor:
        """Spread what the whole picture shows: nonnegative (B, C, H/32, W/32) of one shape in and out."""
        raise NotImplementedError

    def features(self, rgb: Tensor) -> Features:
        """Compute `Features` of RGB (B, 3, H, W) in [0, 1], sides multiples of 32."""
        taps = self.backbone(rgb * 2 - 1)
        x = self.mixed(F.relu(self.lateral[3](taps[3])))
        levels = [x + self.smooth[3](F.relu(x))]
        for i in (2, 1, 0):
            size = taps[i].shape[-2:]
            above = F.interpolate(self.descend[i](levels[0]), size=size, mode="bilinear", align_corners=False)
            x = F.relu(self.lateral[i](taps[i]) + above)
            levels.insert(0, x + self.smooth[i](x))
        return Features(*levels)


class ImageEncoder(TopDown):
    """Encode RGB (B, 3, H, W) in [0, 1], sides multiples of 32, by backbone and neck to `Features`."""

    def __init__(self, drop_path: float = 0.0):
        super().__init__(Backbone(drop_path), channels_of("lite0"), NECK)
        self.pooled = PointConv(NECK[3], NECK[3])

    def mixed(self, deepest: Tensor) -> Tensor:
        """Add the mean over the picture to (B, 128, H/32, W/32)."""
        return deepest + self.pooled(deepest.mean((2, 3), keepdim=True))

    def forward(self, rgb: Tensor) -> Features:
        """Map (B, 3, H, W) to `Features`."""
        return self.features(rgb)


def channels_of(variant: Variant) -> tuple[int, ...]:
    """Return the channels of a backbone's features at strides 4, 8, 16 and 32."""
    return tuple(STAGES[variant][i][3] for i in TAPS)
