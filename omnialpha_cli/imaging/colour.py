"""Work on colours: take the light of a screen out of them, draw highlights in, spread them to where none are known.

Spill is limited in the classical way: no pixel's screen channel may exceed the larger of its other two. Skin, yellow
and cyan pass below it unchanged. What light falls on the object is part of its brightness: the luminance taken away is
put back as grey, in proportion to alpha, as behind a soft edge it is the screen's own.

Scene-linear plates have no upper end, and filters square their colours: beside the square of a highlight nothing is
left of the colours around it, in any precision. A logarithm keeps the order of all values and what tells them apart,
joins [0, 1] without a step in value or slope, and leaves that range as it is.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .canvas import tiles
from .hint import LUMINANCE

CHANNELS = {"green": 1, "blue": 2}

# What is taken for a screen: so much of the background has a screen's saturation (1 − the larger of the other two
# channels ÷ the screen's, in linear light, where exposure does not change it) and is not too dark, and varies so little
# in it. Lawns and skies vary more or are paler.
SCREEN_SHARE = 0.8
SATURATION = 0.68
DARKEST = 0.01
DEVIATION = 0.12
BACKGROUND = 0.02  # alpha up to which a pixel is background
SAMPLES = 2**16  # pixels that are looked at
SURE = 0.9  # for a network that has to tell what is less sure


def despill(colour: Tensor, alpha: Tensor, screen: str) -> None:
    """Take the spill of a `screen`, green or blue, out of `colour` (3, H, W) with its `alpha` (H, W), in place.

    Pixels without spill are not changed by a bit.
    """
    own = CHANNELS[screen]
    first, second = (channel for channel in range(3) if channel != own)
    for tile in tiles(*alpha.shape):
        part = colour[:, *tile]  # (3, k, l)
        spill = (part[own] - torch.maximum(part[first], part[second])).clamp_(min=0)  # (k, l)
        if spill.any():
            light = LUMINANCE[own] * alpha[tile] * spill
            part[own] -= spill
            part += light


def find_screen(light: Tensor, alpha: Tensor) -> str | None:
    """Return the screen behind an object, by linear `light` (3, H, W) where `alpha` (H, W) is 0; None without one."""
    step = max(1, round((alpha.numel() / SAMPLES) ** 0.5))
    behind = light[:, ::step, ::step][:, alpha[::step, ::step] <= BACKGROUND]  # (3, n)
    if not behind.numel():
        return None
    for screen, own in CHANNELS.items():
        others = torch.cat([behind[:own], behind[own + 1 :]])  # (2, n)
        value = behind[own]
        saturation = 1 - others.amax(0) / value.clamp(min=1e-6)
        is_screen = (saturation > SATURATION) & (value > DARKEST)
        if is_screen.float().mean() >= SCREEN_SHARE and saturation[is_screen].std(correction=0) < DEVIATION:
            return screen
    return None


def compress(colour: Tensor) -> Tensor:
    """Return values v above 1 as 1 + log v, negative ones as −log(1 − v), and others bit for bit: 10⁶ is 14.8."""
    return _apply(torch.log1p, colour)


def expand(compressed: Tensor) -> Tensor:
    """Return the colours of which `compress` made the `compressed` ones."""
    return _apply(torch.expm1, compressed)


def value_range(plate: Tensor) -> tuple[float, float]:
    """Return what colours solved from a plate may be: [0, 1], or as far beyond as the plate itself goes."""
    return min(0.0, plate.amin().item()), max(1.0, plate.amax().item())  # aminmax would copy what is not contiguous


def goes_beyond(values: Tensor) -> bool:
    """Tell whether any of the `values` lies outside [0, 1]."""
    return bool(values.numel()) and not (values.amin() >= 0 and values.amax() <= 1)


def _apply(curve: Callable[[Tensor], Tensor], values: Tensor) -> Tensor:
    """Return `values` with a `curve`, which starts at 0 with slope 1, applied to how far they lie outside [0, 1]."""
    if not goes_beyond(values):
        return values
    return values.clamp(0, 1) + curve((values - 1).clamp(min=0)) - curve((-values).clamp(min=0))


def likely_colours(plate: Tensor, alpha: Tensor, sure: float = SURE) -> Tensor:
    """Return likely colours (6, h, w) of the object and of the background in a `plate` (3, h, w).

    They are the plate's own where `alpha` (h, w), or 1 − alpha for the background, is above `sure`, and spread from
    there.
    """
    weights = (((share - sure) / (1 - sure)).clamp(0, 1) for share in (alpha, 1 - alpha))
    return torch.cat([spread(plate, weight) for weight in weights])


def spread(image: Tensor, weight: Tensor) -> Tensor:
    """Fill `image` (C, h, w) from coarser averages as `weight` (h, w) falls from 1 to 0; 0 where there is no weight."""
    layers = [torch.cat([image * weight, weight[None]])]  # (C + 1, h, w)
    while max(layers[-1].shape[1:]) > 1:
        half = [(side + 1) // 2 for side in layers[-1].shape[1:]]
        layers.append(F.interpolate(layers[-1][None], half, mode="bilinear")[0])  # at this scale the mean of 2×2
    filled = layers[-1][:-1] / layers[-1][-1:].clamp(min=1e-6)
    for layer in layers[-2::-1]:
        coarse = F.interpolate(filled[None], layer.shape[1:], mode="bilinear")[0]
        filled = layer[:-1] + (1 - layer[-1:]) * coarse
    return filled
