"""Blur as a lens and a shutter do: defocus and motion, on pictures and on layers."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ..train.augment import uniform


def disc(radius: float) -> Tensor:
    """Return the kernel (k, k) of a round aperture: a disc of `radius` pixels with a smooth edge, of sum 1."""
    reach = math.ceil(radius + 0.5)
    offsets = torch.arange(-reach, reach + 1).float()
    kernel = (radius + 0.5 - torch.hypot(offsets[:, None], offsets[None])).clamp(0, 1)
    return kernel / kernel.sum()


def streak(length: float, angle: float, bend: float = 0.0) -> Tensor:
    """Return the kernel (k, k) of a movement over `length` pixels in a direction; `bend` makes it an arc."""
    reach = math.ceil(length / 2) + 2
    kernel = torch.zeros(2 * reach + 1, 2 * reach + 1)
    for t in torch.linspace(-0.5, 0.5, 8 * reach).tolist():
        turn = angle + bend * t
        x, y = reach + length * t * math.cos(turn), reach + length * t * math.sin(turn)
        left, top = math.floor(x), math.floor(y)
        for column, row in ((left, top), (left + 1, top), (left, top + 1), (left + 1, top + 1)):
            kernel[row, column] += (1 - abs(x - column)) * (1 - abs(y - row))
    return kernel / kernel.sum()


def draw_streak(longest: float, g: torch.Generator) -> Tensor:
    """Return the kernel of a random movement, up to `longest` pixels."""
    return streak(uniform(g, 0.25, 1) * longest, uniform(g, 0, math.pi), uniform(g, -0.8, 0.8))


def blurred(image: Tensor, kernel: Tensor) -> Tensor:
    """Convolve a picture (C, h, w) with a kernel (k, k); beyond its borders it goes on as it ends."""
    reach = kernel.shape[0] // 2
    padded = F.pad(image[None], (reach, reach, reach, reach), mode="replicate")[0]  # (C, h + 2r, w + 2r)
    size = (padded.shape[1], padded.shape[2])
    # A product of spectra is a convolution that wraps around, as far as the kernel reaches: into the padding.
    product = torch.fft.rfft2(padded) * torch.fft.rfft2(kernel, s=size)
    wrapped = torch.fft.irfft2(product, s=size)
    return wrapped[:, 2 * reach :, 2 * reach :].clamp(0, 1)


def blurred_layer(layer: Tensor, kernel: Tensor) -> Tensor:
    """Convolve a straight RGBA layer (4, h, w) as light is: premultiplied, so that hidden colours do not leak."""
    alpha = layer[3:]
    premultiplied = blurred(torch.cat((layer[:3] * alpha, alpha)), kernel)
    spread = premultiplied[3:]
    colour = premultiplied[:3] / spread.clamp(min=1e-4)
    return torch.cat((torch.where(spread > 1e-3, colour, layer[:3]).clamp(0, 1), spread))
