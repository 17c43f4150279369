"""Train the inpainter: from pictures with object-shaped masks, filled smoothly, to the pictures.

Any picture serves, since what is behind the mask is known. It takes some hundred thousand examples, of which a core
would draw a hundred a second, so all pictures wait on the device, and views of them are made there, a batch at once.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from ...imaging.canvas import grow
from ...imaging.hint import BACKGROUND
from ...imaging.removal.fill import fill_masked
from ...model.mini.inpainter import MULTIPLE
from ...status import UsageError
from ..data.effects import drop_shadow
from .augment import LUMA, choice, uniform
from .loop import Objective, Schedule
from .material import Material

LONG = 0.35  # ± log of a canvas's proportions
MARGINS = 1, 3  # pixels by which masks are larger than objects
SHADOWED = 0.4  # share of the objects that had cast a shadow, which is still around the mask
SMALL = 0.03  # of the picture; a mask below it counts less
FLOOR = 2e-4  # a squared error below which less hardly counts
NUMBERS = 24  # random ones that a picture's view takes, at most

Between = Callable[[float, float], Tensor]  # (B,) random numbers between two
Batch = tuple[Tensor, Tensor, Tensor]  # pictures filled (B, 3, h, w), masks (B, 1, h, w), and pictures


@dataclass(frozen=True)
class Stack:
    """Hold pictures of different sizes, uint8, in the upper left corners of `pixels` (N, C, side, side).

    `sizes` (N, 2) are their (h, w), float32.
    """

    pixels: Tensor
    sizes: Tensor


@dataclass(frozen=True)
class Drawn:
    """Hold what a batch is made of: the size (h, w) of its canvas, and by how much masks are larger than objects.

    `shadow` is where shadows fall and how soft they are (down, right, radius). All are in pixels; `numbers`
    (B, NUMBERS) in [0, 1) decide the rest.
    """

    size: tuple[int, int]
    margin: int
    shadow: tuple[int, int, float]
    numbers: Tensor


def stacked(pictures: Sequence[NDArray[Any]], device: torch.device) -> Stack:
    """Return pictures (h, w, C) of different sizes."""
    side, channels = max(max(p.shape[:2]) for p in pictures), pictures[0].shape[2]
    pixels = torch.zeros(len(pictures), channels, side, side, dtype=torch.uint8)
    for place, picture in zip(pixels, pictures, strict=True):
        h, w = picture.shape[:2]
        place[:, :h, :w] = torch.from_numpy(picture.copy()).permute(2, 0, 1)
    sizes = torch.tensor([p.shape[:2] for p in pictures], dtype=torch.float32)
    return Stack(pixels.to(device), sizes.to(device))


def sample_views(stack: Stack, chosen: Tensor, middle: Tensor, steps: Tensor, size: tuple[int, int]) -> Tensor:
    """Return views (B, C, h, w) in [0, 1] of the pictures `chosen` (B,).

    What is x pixels right and y below the middle of a view is middle + x · steps[0] + y · steps[1] in its picture:
    `middle` (B, 2) and `steps` (B, 2, 2) are (x, y) in pixels.
    """
    device = middle.device
    y, x = (torch.arange(n, device=device) + 0.5 - n / 2 for n in size)
    along = x[:, None] * steps[:, None, None, 0], y[:, None, None] * steps[:, None, None, 1]
    places = middle[:, None, None] + along[0] + along[1]  # (B, h, w, 2)
    grid = places / stack.pixels.shape[-1] * 2 - 1
    return F.grid_sample(stack.pixels[chosen].float() / 255, grid, align_corners=False)


def objective(material: Material, schedule: Schedule, device: torch.device) -> Objective:
    """Return what `loop.train` optimises, of an `Inpainter`: the PSNR in each mask."""
    plates = [picture.rgba[..., :3] for picture in (*material.photos, *material.backgrounds)]
    objects = [picture.rgba[..., 3:] for picture in material.foregrounds or material.cutouts]
    if not objects:
        raise UsageError("masks have the shapes of objects: give --photos or --cutouts")
    pictures, shapes = stacked(plates, device), stacked(objects, device)

    def draw(step: int, micro: int, g: torch.Generator) -> Drawn:
        long = math.exp(uniform(g, -LONG, LONG) / 2)
        h, w = (max(1, round(schedule.size * side / MULTIPLE)) * MULTIPLE for side in (long, 1 / long))
        down, right = round(uniform(g, 0.02, 0.08) * h), round(uniform(g, -0.08, 0.08) * w)
        shadow = down, right, uniform(g, 0.02, 0.06) * min(h, w)
        margin = MARGINS[0] + choice(g, MARGINS[1] - MARGINS[0] + 1)
        return Drawn((h, w), margin, shadow, torch.rand(schedule.micro_batch, NUMBERS, generator=g))

    def ready(drawn: Drawn) -> Batch:
        numbers = iter(drawn.numbers.to(device).T)  # (B,) each

        def between(low: float, high: float) -> Tensor:
            return low + (high - low) * next(numbers)

        picture = _plate(pictures, drawn.size, between)
        alpha = _object(shapes, drawn.size, between)
        down, right, radius = drawn.shadow
        strength = between(0.25, 0.65) * (between(0, 1) < SHADOWED)
        shade = drop_shadow(alpha, down, right, radius, 1.0).clamp(0, 1) * strength[:, None, None]  # (B, h, w)
        mask = grow(alpha, drawn.margin) > BACKGROUND
        return fill_masked(picture * (1 - shade[:, None]), mask), mask[:, None].float(), picture

    def loss(model: nn.Module, batch: Batch, term: int) -> tuple[Tensor, dict[str, float]]:
        filled, mask, picture = batch
        area = mask.mean((1, 2, 3)).clamp(min=1e-3)

        def error(found: Tensor) -> Tensor:
            return ((found.float() - picture).square() * mask).mean((1, 2, 3)) / area + FLOOR  # (B,)

        left = error(model(filled, mask)).log()
        value = (left * (area / SMALL).clamp(max=1)).mean()
        gained = (error(filled).log() - left.detach()).mean() * 10 / math.log(10)
        return value, {"gained, dB": float(gained)}

    return Objective(draw, loss, ready=ready)


def _plate(pictures: Stack, size: tuple[int, int], between: Between) -> Tensor:
    """Return parts (B, 3, h, w) of random pictures, mirrored now and then, in other colours."""
    h, w = size
    chosen = (between(0, 1) * len(pictures.pixels)).long()
    tall, wide = pictures.sizes[chosen].T
    proportions = w / h * torch.exp(between(-0.15, 0.15))
    width = torch.minimum(wide, tall * proportions) * between(0.5, 1)  # of the part, pixels
    height = width / proportions
    middle = torch.stack((width / 2 + between(0, 1) * (wide - width), height / 2 + between(0, 1) * (tall - height)), 1)
    turned = torch.where(between(0, 1) < 0.5, -1.0, 1.0)
    zero = torch.zeros_like(width)
    steps = torch.stack((turned * width / w, zero, zero, height / h), 1).view(-1, 2, 2)
    twice = sample_views(pictures, chosen, middle, steps / 2, (2 * h, 2 * w))  # as a part may be smaller than it was
    picture = F.avg_pool2d(twice, 2)
    gamma = torch.exp(between(-0.4, 0.4))
    gains = torch.stack([torch.exp(between(-0.12, 0.12)) for _ in range(3)], 1)[..., None, None]  # (B, 3, 1, 1)
    saturation = between(0.3, 1.3)
    picture = picture.clamp(1e-4, 1) ** gamma[:, None, None, None] * gains
    grey = (picture * picture.new_tensor(LUMA).view(3, 1, 1)).sum(1, keepdim=True)
    return (grey + (picture - grey) * saturation[:, None, None, None]).clamp(0, 1)


def _object(shapes: Stack, size: tuple[int, int], between: Between) -> Tensor:
    """Return alphas (B, h, w) of random objects, whole for the most part, turned a little."""
    h, w = size
    chosen = (between(0, 1) * len(shapes.pixels)).long()
    tall, wide = shapes.sizes[chosen].T
    step = 1 / (torch.minimum(h / tall, w / wide) * between(0.4, 1.05))  # pixels of the object in one of the canvas
    angle, turned = between(-0.25, 0.25), torch.where(between(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = step * angle.cos(), step * angle.sin()
    steps = torch.stack((turned * cos, -sin, turned * sin, cos), 1).view(-1, 2, 2)
    aside = torch.stack((between(-0.12, 0.12) * w, between(-0.12, 0.12) * h), 1)  # of the canvas, pixels
    middle = torch.stack((wide, tall), 1) / 2 - (aside[:, :, None] * steps).sum(1)
    return sample_views(shapes, chosen, middle, steps, size)[:, 0]
