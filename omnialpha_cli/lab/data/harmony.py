"""Make a foreground's colours and light those of the place that it is put into."""

import math

import torch
from torch import Tensor

from ..train.augment import LUMA, blur, uniform

MIN_SPREAD = 0.02  # below, a picture is flat, and its contrast is no measure


def harmonise(foreground: Tensor, background: Tensor, g: torch.Generator) -> Tensor:
    """Pull the statistics of a straight RGBA `foreground` (4, h, w) towards those of the `background` (3, h, w).

    Mean and spread of lightness, and mean of colour, each by a random part, after Reinhard et al., "Color Transfer
    between Images" (2001), in a space of lightness and two differences.
    """
    alpha = foreground[3:]
    near = blur(alpha, 0.15 * min(alpha.shape[1:])) + 0.02  # the surroundings count most
    own, its = opponent(foreground[:3]), opponent(background)
    own_mean, own_spread = statistics(own, alpha)
    its_mean, its_spread = statistics(its, near)
    contrast = (its_spread / own_spread.clamp(min=MIN_SPREAD)).clamp(0.7, 1.3)
    contrast = 1 + uniform(g, 0, 0.5) * (contrast - 1)
    contrast[1:] = 1
    part = torch.tensor([uniform(g, 0, 0.4), uniform(g, 0, 0.55), 0.0])
    part[2] = part[1]
    shift = (its_mean - own_mean) * part[:, None, None]
    return torch.cat((from_opponent(own_mean + (own - own_mean) * contrast + shift).clamp(0, 1), alpha))


def relight(foreground: Tensor, g: torch.Generator) -> Tensor:
    """Return a straight RGBA layer (4, h, w) brighter on one side and darker on the other, as if it were round."""
    alpha = foreground[3:]
    short = min(alpha.shape[1:])
    dome = torch.stack([blur(alpha, short * r) for r in (0.04, 0.1)]).mean(0)[0]
    down, across = torch.gradient(dome * short * 0.2)
    angle = uniform(g, -math.pi, 0)  # the light comes from above
    toward = -(math.cos(angle) * across + math.sin(angle) * down)
    gain = 1 + uniform(g, 0.1, 0.5) * torch.tanh(1.5 * toward)
    return torch.cat(((foreground[:3] * gain).clamp(0, 1), alpha))


def opponent(rgb: Tensor) -> Tensor:
    """Return colour (3, h, w) as lightness, red less green-blue, blue less lightness."""
    light = (rgb * rgb.new_tensor(LUMA)[:, None, None]).sum(0)
    return torch.stack((light, rgb[0] - light, rgb[2] - light))


def from_opponent(planes: Tensor) -> Tensor:
    """Return the inverse of `opponent`."""
    light, red, blue = planes
    green = -(LUMA[0] * red + LUMA[2] * blue) / LUMA[1]
    return torch.stack((light + red, light + green, light + blue))


def statistics(planes: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the weighted mean and standard deviation of each plane, (3, 1, 1)."""
    total = weight.sum().clamp(min=1e-6)
    mean = (planes * weight).sum((1, 2), keepdim=True) / total
    spread = ((planes - mean).square() * weight).sum((1, 2), keepdim=True) / total
    return mean, spread.sqrt()
