"""Find for each pixel of a masked region another of the picture, whose surroundings look like what belongs there.

From coarse to fine, the nearest patches are looked for, and what they show together is what the next are near to:
Wexler et al., "Space-Time Completion of Video" (PAMI 2007). At the coarsest size each patch is compared with all
others, from there on with its neighbours' and with random ones: Barnes et al., "PatchMatch" (SIGGRAPH 2009).
"""

import math
from dataclasses import dataclass
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

from ..canvas import grow

RADIUS = 3  # of a patch, pixels
WIDTH = 2 * RADIUS + 1
COMPONENTS = 24  # of patches, that are compared
SAMPLES = 4096  # patches from which the components are learnt
COARSE = 112  # pixels of the longer side up to which each patch is compared with all others
LEAST = 64  # patches to choose from
MEANS = 5  # pixels a side over which colours are compared with the guide's
GUIDED = 1.0  # weight of their squared difference, against that of a patch's pixels
FIRST = 0.05  # weight of a patch's pixels while it shows the guide alone, whose detail says nothing
NEAR = 0.05  # squared difference that the length of the picture's side counts as: what is near fits better
RARE = 0.002  # the same, for each time that another patch has the same source
INWARDS = 1.3  # weight of a patch against one that is a pixel farther from what is known
DEEPEST = 24  # pixels from what is known, from which on weights stay the same
ROUNDS = 8, 4, 2  # of searching and painting: at the coarsest size, at the next, and at all others
STRIDES = 8, 2, 1  # pixels to the neighbours whose offsets are tried
RADII = 64, 16, 4, 1  # pixels around a source in which a random one is tried


@dataclass(frozen=True)
class Matches:
    """Hold the source of each patch as a place in the flattened picture (N,), and its squared distance (N,)."""

    source: Tensor
    distance: Tensor


def find_offsets(image: Tensor, mask: Tensor, generator: torch.Generator) -> Tensor | None:
    """Return the rows and columns (2, h, w) from the pixels of a `mask` (h, w), and around it, to what is copied there.

    In the mask the `image` (3, h, w) is a guide. None where too little of it is known.
    """
    levels = [(image, mask)]
    while max(levels[-1][1].shape) > COARSE:
        image, mask = levels[-1]
        small = F.max_pool2d(mask[None].to(image), 2, ceil_mode=True)[0] > 0
        levels.append((F.avg_pool2d(image[None], 2, ceil_mode=True)[0], small))
    offsets: Tensor | None = None
    for level, (image, mask) in enumerate(reversed(levels)):
        search = PatchSearch.of(image, mask, generator)
        if search is None:
            continue
        coarsest = offsets is None
        matches = search.nearest(image, FIRST) if offsets is None else search.started(offsets)
        for _ in range(ROUNDS[min(level, 2)]):
            painted = search.paint(matches)
            matches = search.nearest(painted) if coarsest else search.improve(matches, painted)
        offsets = search.best_offsets(matches)
    return offsets


@dataclass(frozen=True, eq=False)
class PatchSearch:
    """Compare patches of one size of a picture, as features of which squared distances are taken.

    `usable` (hw,) tells the middles of known patches, `sources` (M,) their places, `targets` (N,) those to be found.
    """

    image: Tensor  # (3, h, w)
    mask: Tensor
    usable: Tensor
    sources: Tensor
    targets: Tensor
    kernels: Tensor  # (COMPONENTS, 3, WIDTH, WIDTH)
    places: Tensor  # (hw, 5): what is compared beside a patch's pixels
    known: Tensor  # (hw, COMPONENTS + 5)
    weights: Tensor  # (hw,): patches count less, the deeper in the mask they are
    generator: torch.Generator

    @staticmethod
    def of(image: Tensor, mask: Tensor, generator: torch.Generator) -> "PatchSearch | None":
        """Return the search in an `image` (3, h, w) for what is masked; None where too little is known."""
        wanted = grow(mask, RADIUS)
        usable = ~wanted
        for edge in (usable[:RADIUS], usable[-RADIUS:], usable[:, :RADIUS], usable[:, -RADIUS:]):
            edge.fill_(False)
        sources, targets = usable.flatten().nonzero()[:, 0], wanted.flatten().nonzero()[:, 0]
        if len(sources) < LEAST:
            return None
        kernels, places = _components(image, sources), _places(image)
        known = _features(image, kernels, places)
        weights = INWARDS ** -_depth(mask).flatten()
        return PatchSearch(image, mask, usable.flatten(), sources, targets, kernels, places, known, weights, generator)

    def nearest(self, image: Tensor, weight: float = 1.0) -> Matches:
        """Return the nearest of all sources to the patches of `image` (3, h, w), whose pixels count by a `weight`.

        What many patches have as their source is left for others that are as near.
        """
        weights = torch.ones(self.known.shape[1], device=image.device)
        weights[:COMPONENTS] = weight
        wanted = _features(image, self.kernels, self.places)[self.targets] * weights
        known = self.known[self.sources] * weights
        table = torch.addmm(known.square().sum(1), wanted, known.T, alpha=-2)  # (N, M)
        table += RARE * torch.bincount(table.argmin(1), minlength=len(known))
        least, best = table.min(1)
        return Matches(self.sources[best], (least + wanted.square().sum(1)).clamp(min=0))

    def started(self, offsets: Tensor) -> Matches:
        """Return matches from the `offsets` (2, ·, ·) of half the size, random where those lead to unknown pixels."""
        h, w = self.mask.shape
        doubled = 2 * offsets.repeat_interleave(2, 1).repeat_interleave(2, 2)[:, :h, :w].flatten(1)
        rows, columns = self._at(self.targets) + doubled[:, self.targets]
        source = rows.clamp(0, h - 1) * w + columns.clamp(0, w - 1)
        drawn = self.sources[self._random(0, len(self.sources), source.shape)]
        return Matches(torch.where(self.usable[source], source, drawn), torch.ones_like(source, dtype=torch.float32))

    def improve(self, matches: Matches, image: Tensor) -> Matches:
        """Return the nearest to the patches of `image` (3, h, w) of their own, their neighbours' and random sources."""
        h, w = self.mask.shape
        wanted = _features(image, self.kernels, self.places)[self.targets]
        source = matches.source.clone()
        distance = (wanted - self.known[source]).square().sum(1)
        number = torch.full((h * w,), -1, device=image.device)
        number[self.targets] = torch.arange(len(self.targets), device=image.device)

        def attempt(places: Tensor, which: Tensor) -> None:  # (2, n) rows and columns for those of `which` (n,)
            inside = (places >= 0).all(0) & (places[0] < h) & (places[1] < w)
            places, which = places[:, inside], which[inside]
            tried = places[0] * w + places[1]
            usable = self.usable[tried]
            tried, which = tried[usable], which[usable]
            new = (wanted[which] - self.known[tried]).square().sum(1)
            closer = new < distance[which]
            source[which[closer]], distance[which[closer]] = tried[closer], new[closer]

        own = self._at(self.targets)
        for stride, (down, across) in product(STRIDES, ((0, 1), (1, 0), (0, -1), (-1, 0))):
            step = torch.tensor(((down * stride,), (across * stride,)), device=image.device)
            beside = own + step  # (2, N)
            inside = (beside >= 0).all(0) & (beside[0] < h) & (beside[1] < w)
            other = torch.where(inside, number[beside[0].clamp(0, h - 1) * w + beside[1].clamp(0, w - 1)], -1)
            which = (other >= 0).nonzero()[:, 0]
            attempt(self._at(source[other[which]]) - step, which)
        for radius in RADII:
            places = self._at(source) + self._random(-radius, radius + 1, (2, len(source)))
            attempt(places, torch.arange(len(source), device=image.device))
        return Matches(source, distance)

    def paint(self, matches: Matches) -> Tensor:
        """Return the image (3, h, w), where it is masked the weighted mean of what all patches over a pixel show."""
        h, w = self.mask.shape
        offset, weight = self.targets.new_zeros(h * w), self.image.new_zeros(h * w)
        offset[self.targets] = matches.source - self.targets
        usual = matches.distance.mean().clamp(min=1e-8)
        fit = (-matches.distance / (2 * usual)).exp() + 1e-6
        weight[self.targets] = fit * self.weights[self.targets]
        inside = self.mask.flatten().nonzero()[:, 0]
        rows, columns = self._at(inside)
        flat = self.image.flatten(1).clone()
        total, share = flat.new_zeros(3, len(inside)), flat.new_zeros(len(inside))
        for down, across in product(range(-RADIUS, RADIUS + 1), repeat=2):
            row, column = rows + down, columns + across
            middle = row.clamp(0, h - 1) * w + column.clamp(0, w - 1)
            own = weight[middle] * ((row >= 0) & (row < h) & (column >= 0) & (column < w))
            total += flat[:, (inside + offset[middle]).clamp(0, h * w - 1)] * own
            share += own
        flat[:, inside] = total / share
        return flat.view(3, h, w)

    def best_offsets(self, matches: Matches) -> Tensor:
        """Return for each pixel the offset (2, h, w) of the patch over it that is nearest: few pieces, not averaged."""
        h, w = self.mask.shape
        fit = torch.full((h * w,), -math.inf, device=self.image.device)
        fit[self.targets] = -matches.distance
        offsets = self.targets.new_zeros(2, h * w)
        offsets[:, self.targets] = self._at(matches.source) - self._at(self.targets)
        _, best = F.max_pool2d(fit.view(1, h, w), WIDTH, 1, RADIUS, return_indices=True)
        return offsets[:, best.flatten()].view(2, h, w)

    def _at(self, places: Tensor) -> Tensor:
        """Return rows and columns (2, n) of places (n,) in the flattened picture."""
        width = self.mask.shape[1]
        return torch.stack((places // width, places % width))

    def _random(self, low: int, high: int, shape: tuple[int, ...]) -> Tensor:
        return torch.randint(low, high, shape, generator=self.generator).to(self.image.device)


def _depth(mask: Tensor) -> Tensor:
    """Return how many pixels deep in the `mask` (h, w) each is, up to `DEEPEST`: (h, w)."""
    depth = mask.float()
    for _ in range(DEEPEST - 1):
        mask = ~grow(~mask, 1)
        depth += mask
    return depth


def _components(image: Tensor, sources: Tensor) -> Tensor:
    """Return the main components of the patches at `sources` (M,), of unit length per pixel, as kernels."""
    some = sources[:: max(1, len(sources) // SAMPLES)]
    reach = torch.arange(-RADIUS, RADIUS + 1, device=image.device)
    rows = (some // image.shape[2])[:, None, None] + reach[:, None]
    columns = (some % image.shape[2])[:, None, None] + reach
    patches = image[:, rows, columns].transpose(0, 1).flatten(1)  # (n, 3 · WIDTH²)
    _, axes = torch.linalg.eigh(patches.T @ patches / len(patches))
    return axes[:, -COMPONENTS:].T.reshape(-1, 3, WIDTH, WIDTH) / WIDTH


def _places(image: Tensor) -> Tensor:
    """Return the guide's means and where they are (hw, 5): sources look like the guide, and are near and as high up."""
    _, h, w = image.shape
    mean = F.avg_pool2d(image[None], MEANS, 1, MEANS // 2, count_include_pad=False)[0] * GUIDED**0.5
    y, x = (torch.arange(side, device=image.device) / max(h, w) * NEAR**0.5 for side in (h, w))
    return torch.cat((mean, y[None, :, None].expand(1, h, w), x.expand(1, h, w))).flatten(1).T


def _features(image: Tensor, kernels: Tensor, places: Tensor) -> Tensor:
    """Return what patches are compared by (hw, COMPONENTS + 5), contiguous by pixel."""
    padded = F.pad(image[None], (RADIUS,) * 4, mode="replicate")
    return torch.cat((F.conv2d(padded, kernels)[0].flatten(1).T, places), 1)
