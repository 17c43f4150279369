"""Bring a clean plate to the exposure and the place of the plate that it was taken for.

A camera that is touched between two takes moves the picture a little, and its exposure or the daylight drifts. One
shift, and a gain and an offset per channel, are fitted by iteratively reweighted least squares, from coarse to fine, so
that the object, which is in one of the two alone, counts for little (Lucas and Kanade, 1981; Black and Anandan, 1996).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..canvas import resample, within
from .motion import move_along, slopes

SIDES = (64, 128, 256, 512)  # of the squares that have the areas of the sizes at which it is fitted, pixels
STEPS = 6  # at each size
QUIET = 0.25  # share of the pixels that agree at least
OUTLIER = 3.0  # times what these differ by: pixels that differ by more count for less and less
LEAST = 1 / 512  # what they are thought to differ by at least
RIDGE = 1e-5  # holds gains at 1 and offsets at 0 where the picture does not tell them apart
FURTHEST = 0.03  # shift that is believed, of the mean side
EARNED = 0.97  # of what was left before that a fit has to leave at most to be kept
AGREED = 0.1  # that the quiet part differs by at most, or it is another view
SMALLEST = 8  # short side of a picture that is fitted, pixels


@dataclass(frozen=True, eq=False)
class Match:
    """Say how to change a clean plate: `shift` (2,) down and right, in sides of the picture; gains and offsets (3,)."""

    shift: Tensor
    gain: Tensor
    offset: Tensor

    def apply(self, clean: Tensor) -> Tensor:
        """Return the clean plate (3, H, W) as it would have been taken with the plate."""
        return self.placed(clean) * self.gain[:, None, None] + self.offset[:, None, None]

    def placed(self, clean: Tensor) -> Tensor:
        """Return the clean plate (3, H, W) moved by the shift alone."""
        return move_along(clean, -self.shift[:, None, None], "bicubic") if bool(self.shift.any()) else clean


def match_plate(plate: Tensor, clean: Tensor) -> Tensor:
    """Return the `clean` plate (3, H, W) moved and exposed like `plate` (3, H, W), in any encoding.

    It is returned as it is where a change would not bring the two clearly nearer to each other.
    """
    height, width = plate.shape[1:]
    given = match = Match(plate.new_zeros(2), plate.new_ones(3), plate.new_zeros(3))
    sizes = list(dict.fromkeys(within(height, width, side) for side in SIDES))
    if min(sizes[-1]) < SMALLEST:
        return clean
    for size in sizes:
        small, other = resample(plate, *size), resample(clean, *size)  # (3, h, w)
        for _ in range(STEPS if min(size) >= SMALLEST else 0):
            match = _step(match, small, other)
    best = given
    for way in (Match(given.shift, match.gain, match.offset), match):
        if way.shift.abs().max() <= FURTHEST and _misfit(way, small, other) < EARNED * _misfit(best, small, other):
            best = way
    return clean if best is given else best.apply(clean)


def show_one_view(plate: Tensor, clean: Tensor) -> bool:
    """Tell whether a matched `clean` plate (3, H, W) agrees with a part of `plate` (3, H, W), both display-encoded."""
    size = within(plate.shape[1], plate.shape[2], SIDES[-1])
    differ = (resample(plate, *size) - resample(clean, *size)).abs().amax(0).flatten()
    return float(differ.quantile(QUIET)) <= AGREED


def _misfit(match: Match, plate: Tensor, clean: Tensor) -> float:
    """Return what the pixels that agree best differ by."""
    return float((plate - match.apply(clean)).abs().amax(0).flatten().quantile(QUIET)) + LEAST


def _step(match: Match, plate: Tensor, clean: Tensor) -> Match:
    """Return a better match of `plate` and `clean` (3, h, w): one step of least squares."""
    h, w = plate.shape[1:]
    placed = match.placed(clean)
    lit = placed * match.gain[:, None, None] + match.offset[:, None, None]
    residual = (plate - lit).abs().amax(0)  # (h, w)
    scale = residual.flatten().quantile(QUIET) + LEAST
    weight = 1 / (1 + (residual / (OUTLIER * scale)) ** 2) ** 2
    down, right = slopes(lit)  # (3, h, w) each
    matrix, wanted = plate.new_zeros(8, 8).double(), plate.new_zeros(8).double()
    for channel in range(3):  # plate ≈ gain · placed + offset − down · shift₀ − right · shift₁
        known = (placed[channel], torch.ones_like(weight), -down[channel], -right[channel])
        columns = torch.stack(known).flatten(1).double()  # (4, n)
        places = torch.tensor([channel, 3 + channel, 6, 7], device=plate.device)
        weighted = columns * weight.flatten()
        matrix[places[:, None], places] += weighted @ columns.T
        wanted[places] += weighted @ plate[channel].flatten().double()
    start = torch.cat((plate.new_ones(3), plate.new_zeros(5))).double()
    ridge = RIDGE * weight.sum().double() * torch.tensor([1.0] * 6 + [1e-3] * 2).to(matrix)
    x = torch.linalg.solve(matrix + ridge.diag(), wanted + ridge * start).to(plate)
    moves = x[6:].clamp(-1, 1) / torch.tensor([h, w]).to(plate)  # no more than a pixel of this size
    return Match(match.shift + moves, x[:3].clamp(0.5, 2), x[3:6].clamp(-0.25, 0.25))
