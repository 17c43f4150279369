"""Draw hair and fur: anti-aliased strands, alone or grown from an object's outline."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from ...imaging.composite import layered
from ..train.augment import blur, chance, uniform
from .noise import smooth

POINTS_PER_PIXEL = 2  # along a strand: near enough that it has no beads
REACH = 2  # pixels around a point of a strand that it may cover
INSIDE = 2.5  # pixels from the outline at which strands begin
MOST = 6000  # strands


def draw_strands(alpha: Tensor, y: Tensor, x: Tensor, radius: Tensor, marks: Tensor | None = None) -> None:
    """Draw points of strands, at `y`, `x` and of `radius` (n,) pixels, into `alpha` (h, w), in place.

    A pixel's alpha is the most that any point covers of it; a strand thinner than a pixel never fills one. `marks`
    (h, w) int64, if given, gets the number of a point that covers the pixel.
    """
    height, width = alpha.shape
    numbers = torch.arange(len(y))
    for down in range(-REACH, REACH + 1):
        for across in range(-REACH, REACH + 1):
            row, column = y.floor() + down, x.floor() + across
            away = torch.hypot(row + 0.5 - y, column + 0.5 - x)
            cover = (radius.clamp(min=0.5) + 0.5 - away).clamp(0, 1) * (2 * radius).clamp(max=1)
            inside = (cover > 0) & (row >= 0) & (row < height) & (column >= 0) & (column < width)
            place = row[inside].long() * width + column[inside].long()
            alpha.view(-1).scatter_reduce_(0, place, cover[inside], "amax")
            if marks is not None:
                marks.view(-1).scatter_reduce_(0, place, numbers[inside], "amax")


def grow_hair(layer: Tensor, g: torch.Generator) -> Tensor:
    """Return a straight RGBA layer (4, h, w) with hair on its outline, in the colours of what it grows from."""
    _, h, w = layer.shape
    size = (h, w)
    short = min(size)
    soft = blur(layer[3:], 4)[0]  # (h, w)
    solid = (layer[3] > 0.5).float()[None]
    edge = (solid - -F.max_pool2d(-solid, 3, stride=1, padding=1))[0] > 0
    rows, columns = torch.nonzero(edge, as_tuple=True)
    if len(rows) < 16:
        return layer
    grows = smooth(size, short * uniform(g, 0.2, 0.6), g)[rows, columns]  # where, and how long
    grows = ((grows - uniform(g, 0.0, 0.4)) * 2.5).clamp(0, 1)
    count = min(MOST, round(float(grows.sum()) * uniform(g, 2, 6)))
    if count < 16:
        return layer
    each = torch.multinomial(grows, count, replacement=True, generator=g)
    rows, columns, grows = rows[each], columns[each], grows[each]
    down, across = torch.gradient(soft)
    normal = torch.stack((-down[rows, columns], -across[rows, columns]))  # (2, n), outward
    normal = normal / normal.norm(dim=0).clamp(min=1e-6)
    comb = uniform(g, -1.1, 1.1)  # fur lies along the outline, more than it stands on it
    clump = (smooth(size, short * 0.05, g)[rows, columns] - 0.5) * uniform(g, 0.8, 2.0)
    jitter, reach, thick, shade, curl = torch.rand(5, len(rows), generator=g)
    turn = torch.atan2(normal[0], normal[1]) + comb + clump + (jitter - 0.5) * 0.35  # of the strand's beginning

    length = (
        float(layer[3].sum().sqrt()) * uniform(g, 0.03, 0.18) * grows * (0.25 + 0.75 * reach) + 2 * INSIDE
    )  # (n,) pixels
    along = torch.linspace(0, 1, max(4, round(POINTS_PER_PIXEL * float(length.max()))))[:, None]  # (p, 1)
    gravity = uniform(g, 0, 0.6) if chance(g, 0.7) else 0.0
    bend = uniform(g, -0.8, 0.8) * along + uniform(g, 0.0, 0.2) * torch.sin(
        uniform(g, 3, 8) * along + 2 * math.pi * curl
    )
    start_x, start_y = columns + 0.5 - INSIDE * normal[1], rows + 0.5 - INSIDE * normal[0]
    x = start_x + along * length * torch.cos(turn + bend)
    y = start_y + along * length * torch.sin(turn + bend) + gravity * length * along**2
    radius = (0.3 + 0.4 * thick) * (1 - 0.7 * along**2) * max(1.0, (short / 600) ** 0.5)  # (p, n)

    alpha, marks = torch.zeros(size), torch.full(size, -1)
    draw_strands(alpha, y.flatten(), x.flatten(), radius.flatten(), marks)
    inner_y = (rows - normal[0] * 3 * INSIDE).long().clamp(0, h - 1)
    inner_x = (columns - normal[1] * 3 * INSIDE).long().clamp(0, w - 1)
    colours = blur(layer[:3], 3)[:, inner_y, inner_x] * (0.75 + 0.4 * shade)  # (3, n)
    strand = marks.clamp(min=0) % len(rows)  # points are numbered along first, so the rest is the strand
    hair = torch.cat((torch.where(marks >= 0, colours[:, strand], layer[:3]).clamp(0, 1), alpha[None]))
    return layered(layer, hair)
