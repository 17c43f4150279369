"""Read an item's files as small pictures of what went in and what came out."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..imaging.canvas import opaque, resized
from ..imaging.composite import layered, over
from ..item import Item
from ..media import provenance
from ..media.channels import Pick
from ..media.colour import SRGB, Encoding
from ..media.formats import FORMATS
from ..media.image import Image
from ..media.layered import read_layers, untrimmed
from ..media.read import read_image
from ..picture.view import in_encoding


@dataclass(frozen=True, eq=False)
class Small:
    """Hold a small picture: straight `rgba` (4, h, w) in [0, 1], composited in its `encoding`."""

    rgba: Tensor
    encoding: Encoding

    @property
    def is_opaque(self) -> bool:
        """Tell whether nothing shows through at 8 bits."""
        return bool(self.rgba[3].min() > 1 - 0.5 / 255)

    def on(self, background: Tensor) -> Tensor:
        """Composite over an opaque sRGB background (3, h, w): sRGB (3, h, w)."""
        below = in_encoding(background, SRGB, self.encoding)
        return in_encoding(over(self.rgba, below), self.encoding, SRGB).clamp(0, 1)

    def srgb(self) -> Tensor:
        """Return straight sRGB RGBA (4, h, w)."""
        return in_encoding(self.rgba, self.encoding, SRGB).clamp(0, 1)


@dataclass(frozen=True, eq=False)
class Look:
    """Hold what went in, None where it was words, and what came out: titles and pictures, bottom layer first."""

    before: Small | None
    layers: tuple[tuple[str, Small], ...]

    @property
    def composite(self) -> Small:
        """Return all layers over one another, where they are composited."""
        (_, bottom), *others = self.layers
        rgba = bottom.rgba
        for _, layer in others:
            rgba = layered(layer.rgba, rgba)
        return Small(rgba, bottom.encoding)


def look(item: Item, side: int, max_pixels: int, pick: Pick | None = None) -> Look:
    """Read an item's files one by one, and make them small: longer sides of `side` pixels at most.

    `pick` is what was chosen of a source with several pictures. Raises ItemError.
    """
    before = _small(_source(item.inputs[0], max_pixels, pick), side) if item.inputs else None
    roles = item.task.layers
    titles = [role if roles.count(role) == 1 else f"{role} {roles[:i].count(role) + 1}" for i, role in enumerate(roles)]
    layers = [_small(image, side) for image in _results(item, max_pixels)]
    return Look(before, tuple(zip(titles, layers, strict=True)))


def _source(path: Path, max_pixels: int, pick: Pick | None) -> Image:
    """Read what went in; an alpha of 0 everywhere tells nothing, and would hide it."""
    image = read_image(path, max_pixels, pick=pick)
    return image if image.alpha is None or image.alpha.any() else replace(image, alpha=None)


def _results(item: Item, max_pixels: int) -> Iterator[Image]:
    row = FORMATS[item.format]
    if len(item.outputs) == len(item.task.layers) and row.readable:
        for path in item.outputs:
            yield untrimmed(read_image(path, max_pixels), provenance.read(path))
    else:
        yield from read_layers(item.outputs[0], item.format)


def _small(image: Image, side: int) -> Small:
    """Shrink channel by channel, as pictures may be large; transparent colours weigh nothing, light is cut off."""
    side = min(side, max(image.size))
    alpha = None if image.alpha is None else torch.from_numpy(image.alpha)[None]  # (1, H, W)
    channels = []
    for i in range(3):
        channel = torch.from_numpy(np.array(image.rgb[..., i]))[None].nan_to_num_().clamp_(0, 1)
        channels.append(resized(channel if alpha is None else channel.mul_(alpha), side))
    rgb = torch.cat(channels)  # (3, h, w)
    if alpha is None:
        return Small(opaque(rgb), image.encoding)
    alpha = resized(alpha, side)
    return Small(torch.cat((rgb / alpha.clamp(min=1e-4), alpha)), image.encoding)
