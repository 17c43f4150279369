"""Give each token its position: MSRoPE-BiL (arXiv 2511.20211).

Every token has a position (z, y, x): z is the layer, y and x are centred coordinates in patches. The sequence holds
the targets first, then the inputs; target k has z = k, input k has z = m + k (m targets). Context token j is on
the diagonal (p + j, p + j, p + j), p = max over the images of max(h // 2, w // 2), unless it brings a position of
its own. With `rope_canvas` y and x of the images are multiplied by `canvas_scale`, so that weights trained on a small
canvas serve a larger one.

Angles are computed in float32 from float positions: there is no table and no buffer.
"""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

THETA = 10000.0

Size = tuple[int, int]  # (h, w) in patches


@dataclass(frozen=True)
class Layout:
    """Hold sizes (h, w) in patches of the images of one request, in sequence order: `targets`, then `inputs`."""

    targets: tuple[Size, ...]
    inputs: tuple[Size, ...] = field(default=())

    def __post_init__(self) -> None:
        # Lists are accepted and frozen, so that a layout can be a dictionary key.
        object.__setattr__(self, "targets", tuple((int(h), int(w)) for h, w in self.targets))
        object.__setattr__(self, "inputs", tuple((int(h), int(w)) for h, w in self.inputs))
        if not self.targets:
            raise ValueError("a layout needs at least one target")

    @property
    def images(self) -> tuple[Size, ...]:
        """Return all images in sequence order."""
        return self.targets + self.inputs

    @property
    def num_targets(self) -> int:
        """Number of target tokens."""
        return sum(h * w for h, w in self.targets)

    @property
    def num_tokens(self) -> int:
        """Number of tokens of all images."""
        return sum(h * w for h, w in self.images)


def canvas_scale(images: tuple[Size, ...], rope_canvas: int | None) -> float:
    """Return the factor on y and x of the images: `rope_canvas` over the square root of the largest image's area."""
    if rope_canvas is None:
        return 1.0
    return rope_canvas / math.sqrt(max(h * w for h, w in images))


def image_positions(layout: Layout, rope_canvas: int | None = None) -> Tensor:
    """Return (z, y, x) of every image token, float32 (N, 3): y in [−(h − h//2), h//2 − 1] · scale, x likewise."""
    scale = canvas_scale(layout.images, rope_canvas)
    grids = []
    for z, (h, w) in enumerate(layout.images):
        y = (torch.arange(h, dtype=torch.float32) - (h - h // 2)) * scale
        x = (torch.arange(w, dtype=torch.float32) - (w - w // 2)) * scale
        grids.append(torch.cartesian_prod(torch.tensor([float(z)]), y, x))  # (h · w, 3)
    return torch.cat(grids)


def context_positions(layout: Layout, length: int) -> Tensor:
    """Return (z, y, x) of context tokens without positions of their own: the diagonal, float32 (length, 3)."""
    start = max(max(h // 2, w // 2) for h, w in layout.images)
    return torch.arange(start, start + length, dtype=torch.float32)[:, None].expand(length, 3)


def rotary_angles(positions: Tensor, axes_dims: tuple[int, int, int]) -> Tensor:
    """Return the rotation angles of adjacent channel pairs: positions (..., 3) to float32 (..., sum(axes_dims) / 2)."""
    angles = []
    for axis, dim in enumerate(axes_dims):
        exponents = torch.arange(0, dim, 2, dtype=torch.float32, device=positions.device) / dim
        angles.append(positions[..., axis, None].float() / THETA**exponents)
    return torch.cat(angles, dim=-1)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate adjacent pairs of the last dimension of x (B, H, L, D) by angles with cos, sin (..., L, D / 2)."""
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)  # (B, H, L, D/2) each; float32 as soon as the angles are in it
    turned = torch.addcmul(a * cos, b, sin, value=-1), torch.addcmul(a * sin, b, cos)
    return torch.stack([part.to(x.dtype) for part in turned], dim=-1).flatten(-2)
