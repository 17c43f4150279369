"""Take the light of a green or blue screen out of an object's colours.

The classical limit: no pixel's screen channel may exceed the larger of its other two. Skin, yellow and cyan pass
below it unchanged. What light falls on the object is part of its brightness: the luminance taken away is put back as
grey, in proportion to alpha, as behind a soft edge it is the screen's own.
"""

import torch
from torch import Tensor

from ..hint import LUMINANCE
from ..tiles import tiles

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


def despill(colour: Tensor, alpha: Tensor, screen: str) -> None:
    """Take the spill of a `screen`, green or blue, out of `colour` (3, H, W) with its `alpha` (H, W), in place."""
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
