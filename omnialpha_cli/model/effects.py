"""What an object does to its surroundings, for the embedded weights: its shadow, its reflection, its light.

A transformer of their size hardly finds a shadow, which is a small and soft change. A convolutional network that is
told where the object is sees by how much each pixel is darker than it would be without.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SIDE = 128  # pixels of the square that has the area at which it works
MULTIPLE = 16  # of its sides
WIDTHS = 32, 64, 96, 128  # at strides 2, 4, 8 and 16
GROUPS = 8  # of channels that are normalised together
LIMIT = 1.5  # of the logarithm of a gain


class Block(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), the last convolution starting at zero."""

    def __init__(self, width: int):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(GROUPS, width), nn.GroupNorm(GROUPS, width)
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) → the same shape."""
        return x + self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))


class Effects(nn.Module):
    """A small U-Net: pictures without the object, and where it was, to the gains that take its effects out."""

    def __init__(self) -> None:
        super().__init__()
        first, *deeper = WIDTHS
        self.enter = nn.Conv2d(16, first, 3, padding=1)
        self.down = nn.ModuleList(Block(width) for width in WIDTHS)
        self.halve = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip(WIDTHS, deeper, strict=False)
        )
        self.deepest = nn.Sequential(Block(WIDTHS[-1]), Block(WIDTHS[-1]))
        self.widen = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in zip(WIDTHS, deeper, strict=False))
        self.up = nn.ModuleList(Block(width) for width in WIDTHS[:-1])
        self.norm = nn.GroupNorm(GROUPS, first)
        self.leave = nn.Conv2d(first, 12, 3, padding=1)
        nn.init.zeros_(self.leave.weight)

    def forward(self, scene: Tensor, mask: Tensor) -> Tensor:
        """Scenes (B, 3, h, w) in [0, 1], painted over where the mask (B, 1, h, w) is white → gains (B, 3, h, w).

        Sides are multiples of `MULTIPLE`, of about `SIDE`² pixels. Outside of the mask a scene times its gains is the
        background.
        """
        x = self.enter(F.pixel_unshuffle(torch.cat((scene, mask), 1) * 2 - 1, 2))  # (B, 32, h/2, w/2)
        passed = []
        for i, block in enumerate(self.down):
            x = block(x)
            if i < len(self.halve):
                passed.append(x)
                x = self.halve[i](x)
        x = self.deepest(x)
        for widen, block, before in reversed(list(zip(self.widen, self.up, passed, strict=True))):
            x = block(F.interpolate(widen(x), before.shape[-2:], mode="nearest") + before)
        logarithm = F.pixel_shuffle(self.leave(F.silu(self.norm(x))), 2)  # (B, 3, h, w)
        return (LIMIT * torch.tanh(logarithm / LIMIT)).exp()

    def gains(self, scene: Tensor, mask: Tensor) -> Tensor:
        """The same of one scene (3, h, w) and mask (h, w) of any size: gains (3, h, w)."""
        h, w = mask.shape
        scale = SIDE / (h * w) ** 0.5
        size = [max(1, round(side * scale / MULTIPLE)) * MULTIPLE for side in (h, w)]
        both = F.interpolate(torch.cat((scene, mask[None]))[None], size, mode="area")
        found = self(both[:, :3], (both[:, 3:] > 0.5).to(both))
        return F.interpolate(found, (h, w), mode="bilinear")[0]
