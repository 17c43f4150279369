"""Draw random views of pictures: one affine resampling, and colour, all from one generator."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Geometry:
    """Hold the ranges of a view. At `scale` 1 the picture fills the canvas; above, the canvas shows a part of it."""

    scale: tuple[float, float] = (0.8, 1.35)
    aspect: float = 0.12  # ± log of the stretch
    rotation: float = 12.0  # ± degrees
    shift: float = 0.12  # ± of the canvas, more where the scale leaves room
    slack: float = 0.5  # of that room, how much is used
    flip: float = 0.5  # chance
    centre: tuple[float, float] = (0.0, 0.0)  # (x, y) on the canvas, in [−1, 1], about which it is shifted


BACKDROP = Geometry(scale=(1.0, 2.0), rotation=5.0, shift=0.0)  # a view of a background


def uniform(g: torch.Generator, low: float, high: float) -> float:
    """Return one float in [low, high)."""
    return low + (high - low) * float(torch.rand((), generator=g))


def chance(g: torch.Generator, p: float) -> bool:
    """Return True with probability p."""
    return float(torch.rand((), generator=g)) < p


def choice(g: torch.Generator, count: int) -> int:
    """Return a random index below `count`."""
    return int(torch.randint(count, (), generator=g))


def drawn(weights: Mapping[str, float], g: torch.Generator) -> str:
    """Return a key, drawn by its weight."""
    shares = torch.tensor(list(weights.values()), dtype=torch.float64)
    return list(weights)[int(torch.multinomial(shares, 1, generator=g))]


def view(
    rgba: np.ndarray,
    size: tuple[int, int],
    geometry: Geometry,
    g: torch.Generator,
    *,
    fit: Literal["stretch", "contain"],
) -> Tensor:
    """Return a random view of a picture: uint8 (H, W, C) → float32 (C, h, w) in [0, 1].

    The planes are straight RGBA, and what else belongs to its pixels, such as the weights of `Picture.planes`.

    "stretch" maps the whole picture onto the canvas as the product's canvas fit does, and mirrors what lies outside
    (photographs, backgrounds); "contain" keeps its proportions, and outside is transparent (cut-outs). Colour must be
    meaningful everywhere, under alpha 0 too (`extend_colours`), as it is resampled straight.
    """
    h, w = size
    source_h, source_w = rgba.shape[:2]
    # Source pixels that one canvas pixel covers.
    step_y, step_x = source_h / h, source_w / w
    if fit == "contain":
        step_y = step_x = max(step_y, step_x)
    zoom = math.exp(uniform(g, math.log(geometry.scale[0]), math.log(geometry.scale[1])))
    stretch = math.exp(uniform(g, -geometry.aspect, geometry.aspect) / 2)
    step_y, step_x = step_y / zoom * stretch, step_x / zoom / stretch
    angle = math.radians(uniform(g, -geometry.rotation, geometry.rotation))
    flip = -1.0 if chance(g, geometry.flip) else 1.0
    room = geometry.shift + abs(zoom - 1) * geometry.slack
    dx, dy = uniform(g, -room, room), uniform(g, -room, room)
    # canvas (x, y) in [−1, 1] → pixels → rotated → source pixels → source in [−1, 1]
    cos, sin = math.cos(angle), math.sin(angle)
    sx, sy = step_x * flip / source_w, step_y / source_h
    (a, b), (c, d) = (cos * w * sx, -sin * h * sx), (sin * w * sy, cos * h * sy)
    x, y = geometry.centre
    theta = torch.tensor([[[a, b, dx - a * x - b * y], [c, d, dy - c * x - d * y]]])
    image = torch.from_numpy(rgba.copy()).permute(2, 0, 1)[None].float() / 255  # (1, C, H, W)
    shrink = int(max(step_x, step_y))
    if shrink > 1:  # bilinear sampling alone would alias
        image = F.avg_pool2d(image, shrink, ceil_mode=True, count_include_pad=False)
    grid = F.affine_grid(theta, [1, 4, h, w], align_corners=False)

    def sample(planes: Tensor, padding: str) -> Tensor:
        return F.grid_sample(planes, grid, mode="bilinear", padding_mode=padding, align_corners=False)[0]

    if fit == "stretch":
        return sample(image, "reflection").clamp(0, 1)
    return torch.cat((sample(image[:, :3], "border"), sample(image[:, 3:], "zeros"))).clamp(0, 1)


def extend_colours(rgba: np.ndarray, solid: float) -> np.ndarray:
    """Replace the colour where alpha < `solid` by that of the solid neighbourhood, in uint8 (H, W, 4).

    Pull-push over a pyramid: colours of solid pixels, averaged ever wider, fill the others.
    """
    image = torch.from_numpy(rgba.copy()).permute(2, 0, 1).float() / 255  # (4, H, W)
    weight = (image[3:] >= solid).float()
    if not bool(weight.any()):
        return rgba
    rgb = _pull_push((image[:3] * weight)[None], weight[None])[0]  # (3, H, W)
    rgb = torch.where(weight > 0, image[:3], rgb)
    out = torch.cat((rgb, image[3:]))
    return (out * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()


def _pull_push(colour: Tensor, weight: Tensor) -> Tensor:
    """Return colour times weight (1, 3, H, W) and weight (1, 1, H, W) → colour everywhere."""
    own = colour / weight.clamp(min=1e-6)
    if max(weight.shape[-2:]) <= 1 or float(weight.min()) > 0.999:
        return own
    coarse = _pull_push(F.avg_pool2d(colour, 2, ceil_mode=True, count_include_pad=False),
                        F.avg_pool2d(weight, 2, ceil_mode=True, count_include_pad=False))  # fmt: skip
    coarse = F.interpolate(coarse, size=weight.shape[-2:], mode="bilinear", align_corners=False)
    w = weight.clamp(0, 1)
    return own * w + coarse * (1 - w)


def blur(image: Tensor, radius: float) -> Tensor:
    """Blur (C, H, W) nearly as a Gaussian does, by shrinking and enlarging: cheap at any radius (pixels)."""
    _, h, w = image.shape
    size = (max(2, round(h / max(radius, 1))), max(2, round(w / max(radius, 1))))
    small = F.interpolate(image[None], size=size, mode="bilinear", antialias=True, align_corners=False)
    return F.interpolate(small, size=(h, w), mode="bicubic", align_corners=False)[0].clamp(0, 1)


@dataclass(frozen=True)
class Colour:
    """Hold one drawn change of colour, to be applied alike to scene, foreground and background."""

    gains: Tensor  # (3, 1, 1)
    gamma: float
    contrast: float
    saturation: float

    def __call__(self, rgb: Tensor) -> Tensor:
        """Return RGB (3, H, W) in [0, 1], changed."""
        rgb = (rgb * self.gains).clamp(1e-4, 1) ** self.gamma
        grey = (rgb * rgb.new_tensor(LUMA).view(3, 1, 1)).sum(0, keepdim=True)
        rgb = grey + (rgb - grey) * self.saturation
        return ((rgb - 0.5) * self.contrast + 0.5).clamp(0, 1)


def draw_colour(g: torch.Generator, strength: float = 1.0) -> Colour:
    """Draw exposure, white balance, gamma, contrast and saturation; one view in ten becomes grey."""
    exposure = uniform(g, 1 - 0.3 * strength, 1 + 0.3 * strength)
    gains = torch.tensor([exposure * uniform(g, 1 - 0.1 * strength, 1 + 0.1 * strength) for _ in range(3)])
    return Colour(
        gains=gains.view(3, 1, 1),
        gamma=math.exp(uniform(g, -0.3, 0.3) * strength),
        contrast=uniform(g, 1 - 0.25 * strength, 1 + 0.25 * strength),
        saturation=0.0 if chance(g, 0.1 * strength) else uniform(g, 1 - 0.4 * strength, 1 + 0.4 * strength),
    )


def degrade(rgb: Tensor, g: torch.Generator) -> Tensor:
    """Add, now and then, the softness and the noise of a small or dark photograph to RGB (3, H, W)."""
    if chance(g, 0.15):
        rgb = blur(rgb, uniform(g, 1.2, 2.5))
    if chance(g, 0.15):
        rgb = (rgb + torch.randn(rgb.shape, generator=g) * uniform(g, 0.01, 0.05)).clamp(0, 1)
    return rgb
