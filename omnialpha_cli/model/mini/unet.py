"""Run a small U-Net on pixels, for the embedded weights' effects, refined mattes and inpainting.

Its blocks are also those of the light VAE.
"""

from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

GROUPS = 8  # of channels that are normalised together


def max_within(x: Tensor, reach: int) -> Tensor:
    """Return the largest of the values (B, C, h, w) up to `reach` away, in a square: of columns, then of rows."""
    columns = F.max_pool2d(x, (2 * reach + 1, 1), 1, (reach, 0))
    return F.max_pool2d(columns, (1, 2 * reach + 1), 1, (0, reach))


class Block(nn.Module):
    """Compute x + conv(silu(norm(conv(silu(norm(x)))))), the last convolution starting at zero."""

    def __init__(self, width: int, normed: bool):
        super().__init__()
        self.norm1, self.norm2 = (nn.GroupNorm(GROUPS, width) if normed else nn.Identity() for _ in range(2))
        self.conv1, self.conv2 = (nn.Conv2d(width, width, 3, padding=1) for _ in range(2))
        nn.init.zeros_(self.conv2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map (B, width, h, w) to (B, width, h, w)."""
        return x + self.conv2(F.silu(self.norm2(self.conv1(F.silu(self.norm1(x))))))


class UNet(nn.Module):
    """Map `inputs` to `outputs` channels, by blocks of these `widths` at strides 2, 4, 8 …; it starts at zero.

    `deepest` more blocks are at the last stride. `normed` it depends on the picture as a whole, else on what is near.
    """

    def __init__(self, inputs: int, outputs: int, widths: tuple[int, ...], *, deepest: int, normed: bool):
        super().__init__()
        first = widths[0]
        self.enter = nn.Conv2d(4 * inputs, first, 3, padding=1)
        self.down = nn.ModuleList(Block(width, normed) for width in widths)
        self.halve = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(widths))
        self.deepest = nn.Sequential(*(Block(widths[-1], normed) for _ in range(deepest)))
        self.widen = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(widths))
        self.up = nn.ModuleList(Block(width, normed) for width in widths[:-1])
        self.norm = nn.GroupNorm(GROUPS, first) if normed else nn.Identity()
        self.leave = nn.Conv2d(first, 4 * outputs, 3, padding=1)
        nn.init.zeros_(self.leave.weight)

    def through(self, x: Tensor) -> Tensor:
        """Map (B, inputs, h, w) to (B, outputs, h, w); sides are multiples of the last stride."""
        x = self.enter(F.pixel_unshuffle(x, 2))  # (B, ·, h/2, w/2)
        passed = []
        for block, halve in zip(self.down[:-1], self.halve, strict=True):
            x = block(x)
            passed.append(x)
            x = halve(x)
        x = self.deepest(self.down[-1](x))
        for widen, block, before in reversed(list(zip(self.widen, self.up, passed, strict=True))):
            x = block(F.interpolate(widen(x), before.shape[-2:], mode="nearest") + before)
        return F.pixel_shuffle(self.leave(F.silu(self.norm(x))), 2)
