"""Take the grid out of what is drawn from words.

Latents of the generator are smoother than those of pictures. The decoder makes of each of them the same 8 × 8 pixels,
which are not flat, and the transformer's patches of 2 × 2 latents differ by their corner: so what repeats at 8 and 16
pixels is nothing that was drawn.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

PERIOD = 16  # of the grid, pixels: a patch of the transformer
REACH = 1.0  # periods: standard deviation of the places whose pixels are averaged
WINDOW = 8  # pixels: a latent
FLAT = 0.05  # standard deviation of colours below which a window's are mostly noise


def without_grid(rgba: Tensor) -> Tensor:
    """Return RGBA (4, h, w) in [0, 1], sides multiples of `PERIOD`, whose colours lack what repeats; alpha is kept.

    What a place has in common with those a period away is taken off, then what is nearly flat is made flat, by a guided
    filter (He, Sun and Tang, "Guided Image Filtering", 2013) whose window is a latent: its mean has no grid.
    """
    colours = rgba[None, :3]
    repeated = F.pixel_unshuffle(colours - _mean(colours, PERIOD), PERIOD)  # (1, 3·256, h/16, w/16)
    colours = colours - F.pixel_shuffle(_blurred(repeated), PERIOD)
    mean = _mean(colours, WINDOW)
    variance = (_mean(colours.square(), WINDOW) - mean.square()).clamp(min=0).mean(1, keepdim=True)
    kept = variance / (variance + FLAT**2)  # (1, 1, h, w)
    colours = _mean(kept, WINDOW) * colours + _mean((1 - kept) * mean, WINDOW)
    return torch.cat((colours[0].clamp(0, 1), rgba[3:]))


def _mean(x: Tensor, period: int) -> Tensor:
    """Return the mean (B, C, h, w) of windows of a period's size, pixels at both ends counting half: 0 of any grid."""
    kernel = torch.ones(period + 1)
    kernel[[0, -1]] = 0.5
    return _filtered(x, kernel / period)


def _blurred(x: Tensor) -> Tensor:
    """Return a Gaussian blur (B, C, h, w) by `REACH`."""
    places = torch.arange(-3.0, 4.0)
    kernel = torch.exp(-places.square() / (2 * REACH**2))
    return _filtered(x, kernel / kernel.sum())


def _filtered(x: Tensor, kernel: Tensor) -> Tensor:
    """Filter (B, C, h, w) along rows and columns by an odd `kernel` (n,)."""
    half, channels = len(kernel) // 2, x.shape[1]
    for shape, padding in (((1, 1, 1, -1), (half, half, 0, 0)), ((1, 1, -1, 1), (0, 0, half, half))):
        weight = kernel.to(x).view(shape).expand(channels, -1, -1, -1)
        x = F.conv2d(F.pad(x, padding, "replicate"), weight, groups=channels)
    return x
