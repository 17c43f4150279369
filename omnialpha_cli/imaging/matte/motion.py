"""Carry the matte of one frame of a shot to the next: where each part of the object moved to, and how sure that is.

The motion is found from coarse to fine (Lucas and Kanade, 1981), each pixel weighing as much as the matte covers it: so
edges move with the object and not with what is behind them.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..canvas import resample, within

SIDES = (24, 48, 96, 192, 384)  # of the squares that have the areas of the sizes at which motion is found, pixels
AS_ONE = 96  # up to this size the object moves as a whole: shifted, turned, scaled and sheared
STEPS = 4  # at each size
REACH = 4  # pixels of each size around one that move as it does
LIGHT = 8  # pixels of each size whose mean is taken off: light changes from frame to frame
FAINT = 0.02  # weight of what the matte does not cover
OUTLIER = 0.1  # difference of colours from which on a pixel counts for less and less
RIDGE = 3e-4  # holds motion back where the picture has no structure
LIT = (0.7, 1.4)  # times the light of the frame before that a frame may have
SAME, OTHER = 0.08, 0.16  # mean difference of colours up to which, and from which, a part is the same, and another
RELATED = 0.5  # share of the object that has to be found again, or the frames are of different shots
FITS, LEAST = 1.6, 0.01  # times another difference, and more, that one may have to be no worse
PARTED, APART = 0.25, 0.5  # mean difference of two mattes up to which, and from which, they part
DETAIL = (0.012, 0.03)  # an outline, sharp or feathered, has less than the first, a matte of hair more than the second
EDGE = 0.1  # of mixed pixels, below which there is no edge to have detail
AROUND = 0.02  # of the mean side: pixels over which that mean is taken


@dataclass(frozen=True, eq=False)
class Carried:
    """Hold the `alpha` (H, W) that is known of a frame beforehand, and how far, (h, w) in [0, 1], it is to be kept.

    `misfit` (h, w) is by how much the colours of the frame differ from those that came with it.
    """

    alpha: Tensor
    trust: Tensor
    misfit: Tensor | None = None

    def from_start(self, start: "Carried") -> "Carried":
        """Return it with the alpha of a `start` where its colours fit as well: nothing of that was lost on the way."""
        assert self.misfit is not None and start.misfit is not None
        fits = start.misfit <= FITS * self.misfit + LEAST  # (h, w)
        return replace(self, alpha=replace(start, trust=start.trust * fits).steady(self.alpha))

    def steady(self, fresh: Tensor) -> Tensor:
        """Return a `fresh` alpha (H, W) moved towards this one, where they do not part."""
        size = fresh.shape[0], fresh.shape[1]
        differ = resample((fresh - self.alpha)[None], *self.trust.shape).abs()
        parted = _mean(differ, max(1, round(AROUND * self.trust.numel() ** 0.5)))[0]
        weight = self.trust * _falling(parted, PARTED, APART)  # (h, w)
        return torch.lerp(fresh, self.alpha, F.interpolate(weight[None, None], size, mode="bilinear")[0, 0])


def carry(before: Tensor, now: Tensor, alpha: Tensor, towards: Tensor | None = None) -> Carried | None:
    """Carry `alpha` (H, W) from a frame `before` (3, h, w) to the one `now` (3, h, w), both as a display shows them.

    Where the frames are far apart, `towards` (H, W) is about what becomes of it. None where hardly anything of what
    it covers is found again: after a cut, or where a frame is damaged.
    """
    shift = now.new_zeros(2) if towards is None else _centre(alpha) - _centre(towards)
    flow = _flow(before, now, alpha, shift)  # (2, k, l)
    size = flow.shape[1], flow.shape[2]
    moved = move_along(alpha[None], flow, "bicubic")[0].clamp(0, 1)
    cover = resample(moved[None], *size)  # (1, k, l)
    found, seen, weight = move_along(resample(before, *size), flow), resample(now, *size), cover + FAINT
    light = (weight * found * seen).sum() / (weight * found * found).sum().clamp(min=1e-6)
    differ = (seen - found * light.clamp(*LIT)).abs().mean(0, keepdim=True)
    differ = _mean(differ * weight, REACH) / _mean(weight, REACH)
    trust = (_falling(differ, SAME, OTHER) * _comes_from_inside(flow))[0]
    if cover.mean() > FAINT**2 and (trust * cover[0]).sum() < RELATED * cover.sum():
        return None
    return Carried(moved, trust, differ[0])


def as_drawn(mask: Tensor) -> Carried:
    """Keep a `mask` (H, W) where it has strands that are partly transparent: there it is a matte, not an outline."""
    image = mask[None]
    size = within(mask.shape[0], mask.shape[1], SIDES[-1])
    fine = (image - F.avg_pool2d(image[None], 5, 1, 2, count_include_pad=False)[0]).abs()
    near = _mean(resample(image, *size), LIGHT)
    detail = _mean(resample(4 * image * (1 - image) * fine, *size), LIGHT) / (4 * near * (1 - near) + EDGE)
    return Carried(mask, 1 - _falling(detail, *DETAIL)[0])


def _centre(alpha: Tensor) -> Tensor:
    """Return the centre (2,) of what `alpha` (H, W) covers, down and right in sides of the picture."""
    weight = alpha + 1e-6
    places = (torch.arange(n).to(alpha) / n for n in alpha.shape)
    return torch.stack([(weight.sum(1 - i) * place).sum() for i, place in enumerate(places)]) / weight.sum()


def _flow(before: Tensor, now: Tensor, alpha: Tensor, shift: Tensor) -> Tensor:
    """Return where (2, h, w), in sides of the picture, parts of `now` were in `before`, sought around `shift` (2,)."""
    height, width = now.shape[1:]
    flow = shift[:, None, None]
    for side in SIDES:
        size = h, w = within(height, width, side)
        first, second = _evenly_lit(resample(before, *size)), _evenly_lit(resample(now, *size))  # (3, h, w)
        cover = resample(alpha[None], *size)
        flow = F.interpolate(flow[None], size, mode="bilinear")[0]
        for _ in range(STEPS):
            moved = move_along(first, flow)
            rest = second - moved
            weight = (move_along(cover, flow) + FAINT) / (1 + rest.square().mean(0, keepdim=True) / OUTLIER**2)
            down, right = slopes(moved)
            products = torch.stack((down * down, down * right, right * right, down * rest, right * rest)).sum(1)
            means = _mean(torch.cat((products * weight, weight)), REACH)  # (6, h, w)
            ridge = RIDGE * means[5] + 1e-7
            dd, dr, rr, d, r = means[0] + ridge, means[1], means[2] + ridge, means[3], means[4]
            determinant = dd * rr - dr * dr
            step = torch.stack((rr * d - dr * r, dd * r - dr * d)) / determinant  # pixels
            flow = flow + step.clamp(-1, 1) / torch.tensor([h, w]).to(step)[:, None, None]
            if side <= AS_ONE:
                flow = _affine(flow, weight[0] - FAINT / 2)
            else:
                flow = _mean(flow * weight, REACH) / _mean(weight, REACH)
    return flow


def _affine(flow: Tensor, weight: Tensor) -> Tensor:
    """Return the flow (2, h, w) nearest to `flow` that is linear in the place; each pixel has a `weight` (h, w)."""
    h, w = weight.shape
    rows, columns = torch.arange(h).to(flow) / h - 0.5, torch.arange(w).to(flow) / w - 0.5
    known = torch.stack((torch.ones_like(weight), rows[:, None].expand(h, w), columns.expand(h, w))).flatten(1).double()
    weighted = known * weight.flatten()
    matrix = weighted @ known.T + 1e-6 * weight.sum() * torch.eye(3).to(known)
    lines = torch.linalg.solve(matrix, weighted @ flow.flatten(1).double().T)  # (3, 2)
    return (lines.T @ known).view(2, h, w).to(flow)


def move_along(image: Tensor, flow: Tensor, mode: str = "bilinear") -> Tensor:
    """Return an image (C, H, W) whose parts come from where `flow` (2, h, w) says; its border is repeated."""
    rows, columns = _origins(F.interpolate(flow[None], image.shape[1:], mode="bilinear")[0])
    grid = torch.stack((columns, rows), -1) * 2 - 1
    return F.grid_sample(image[None], grid[None], mode=mode, padding_mode="border", align_corners=False)[0]


def _comes_from_inside(flow: Tensor) -> Tensor:
    """Return 1 where what `flow` (2, h, w) moves was inside the picture, else 0: (1, h, w)."""
    rows, columns = _origins(flow)
    return ((rows >= 0) & (rows <= 1) & (columns >= 0) & (columns <= 1)).to(flow)[None]


def _origins(flow: Tensor) -> tuple[Tensor, Tensor]:
    """Return rows and columns (h, w), in sides of the picture, from which `flow` (2, h, w) moves each pixel."""
    h, w = flow.shape[1:]
    rows = (torch.arange(h).to(flow) + 0.5)[:, None] / h
    columns = (torch.arange(w).to(flow) + 0.5) / w
    return rows + flow[0], columns + flow[1]


def _evenly_lit(image: Tensor) -> Tensor:
    """Return what differs in an image (3, h, w) from the mean around it."""
    return image - _mean(image, LIGHT)


def _mean(image: Tensor, reach: int) -> Tensor:
    """Return means of an image (C, h, w) over pixels nearby, the nearer ones weighing more."""
    for _ in range(2):
        for window in ((2 * reach + 1, 1), (1, 2 * reach + 1)):
            margin = (window[0] // 2, window[1] // 2)
            image = F.avg_pool2d(image[None], window, 1, margin, count_include_pad=False)[0]
    return image


def _falling(values: Tensor, first: float, last: float) -> Tensor:
    """Return 1 up to the `first` value, 0 from the `last` on, in between a straight line."""
    return ((last - values) / (last - first)).clamp(0, 1)


def slopes(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return by how much (C, h, w) changes from pixel to pixel, downwards and to the right."""
    padded = F.pad(image[None], (1, 1, 1, 1), "replicate")[0]
    return (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2, (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2
