"""Make grain for what is painted into a plate: networks and enlargement make none, and a patch without it is visible.

It is the plate's own, of like brightness: what differs from its blurred self, in blocks where that is as strong
everywhere, as noise is and texture or what JPEG leaves is not. They are laid over one another at random so that their
variance stays the same.
"""

from collections.abc import Callable, Sequence
from functools import reduce

import torch
import torch.nn.functional as F
from torch import Tensor

from ..canvas import Tile, bounds, grow, widened

BLOCK = 16  # pixels a side
STEP = BLOCK // 2  # from one block to the next that lies half over it
KERNEL = 1, 8, 28, 56, 70, 56, 28, 8, 1  # of the blur, in each direction; binomial
REACH = 8 * BLOCK  # pixels around what is painted in which grain is looked for, or half of its side
PART = 4  # side of the parts of a block that are compared, pixels
EVEN = 0.1  # variance of their energies, as a share of the mean's square, below which a block has nothing but grain
FEWEST = 0.08  # of all blocks, that have to be even, or it is chance
RANGE = 1.5  # times its darkest block, how bright a group of even blocks may be; the quieter half of it is taken
DARK = 0.05  # brightness up to which noise is about the same
FEW = 8  # blocks taken of a group, at least


def grain_like(plate: Tensor, share: Tensor, painted: Tensor) -> Callable[[Tile], Tensor] | None:
    """Return a function that gives the grain to add to tiles (3, k, l) of what is `painted` (3, h, w) into a `plate`.

    The plate is (3, H, W), grain is for where the `share` (H, W) is not 0; tiles begin at multiples of `STEP`. None
    where the plate has no visible grain. Equal input gives equal grain.
    """
    inner = bounds(share)
    if inner is None:
        return None
    box = widened(inner, [max(REACH, (part.stop - part.start) // 2) for part in inner], share.shape)
    found = _blocks(plate[:, *box], share[box] == 0)
    if found is None:
        return None
    groups, edges = found
    blocks, counts = torch.cat(groups), torch.tensor([len(group) for group in groups], device=plate.device)
    places = [side // STEP + 2 for side in share.shape]  # blocks begin STEP before the picture
    brightness = F.interpolate(painted.mean(0)[None, None], places, mode="bilinear")[0, 0]
    shade = torch.bucketize(brightness, edges)  # (rows, columns)
    random = torch.rand(places, generator=torch.Generator().manual_seed(0)).to(brightness)
    drawn = (counts.cumsum(0) - counts)[shade] + (random * counts[shade]).long()
    ramp = torch.sin(torch.pi * (torch.arange(BLOCK, device=plate.device) + 0.5) / BLOCK)
    window = ramp[:, None] * ramp  # the squares of those that meet at a pixel add up to 1

    def grain(tile: Tile) -> Tensor:
        (top, bottom), (left, right) = ((part.start // STEP, -(-part.stop // STEP) + 1) for part in tile)
        rows, columns = slice(top, bottom), slice(left, right)
        laid = blocks[drawn[rows, columns]] * window  # (rows, columns, 3, BLOCK, BLOCK)
        height, width = (STEP * (n + 1) for n in laid.shape[:2])
        whole = F.fold(laid.flatten(0, 1).flatten(1).T[None], (height, width), BLOCK, stride=STEP)[0]  # (3, ·, ·)
        return whole[:, STEP : STEP + tile[0].stop - tile[0].start, STEP : STEP + tile[1].stop - tile[1].start]

    return grain


def _blocks(plate: Tensor, known: Tensor) -> tuple[list[Tensor], Tensor] | None:
    """Return groups of blocks of grain (n, 3, BLOCK, BLOCK) of a plate's `known` part, and the brightness between."""
    unknown = grow(~known, len(KERNEL) // 2)
    cut = tuple(side // BLOCK * BLOCK for side in known.shape)
    if 0 in cut:
        return None

    def blocks(image: Tensor) -> Tensor:  # (C, k, l) → (n, C, BLOCK, BLOCK)
        parts = image[:, : cut[0], : cut[1]].unfold(1, BLOCK, BLOCK).unfold(2, BLOCK, BLOCK)
        return parts.permute(1, 2, 0, 3, 4).flatten(0, 1)

    residual = blocks(plate - _blurred(plate))
    energy = residual.square().sum(1)  # (n, BLOCK, BLOCK)
    parts = energy.unfold(1, PART, PART).unfold(2, PART, PART).mean((3, 4)).flatten(1)  # (n, ·)
    usable = ~blocks(unknown[None]).any(3).any(2).any(1) & (parts.amin(1) > 0)  # not one colour
    even = usable & (parts.var(1) < EVEN * parts.mean(1).square())
    if int(even.sum()) < max(2 * FEW, FEWEST * int(usable.sum())):
        return None
    residual, energy, brightness = residual[even], parts[even].mean(1), blocks(plate)[even].mean((1, 2, 3))
    order = brightness.argsort()
    ordered = brightness[order]
    starts = _starts(ordered.tolist())
    quieter = (group[energy[group].argsort()[: max(FEW, len(group) // 2)]] for group in order.tensor_split(starts))
    edges = [(ordered[i - 1] + ordered[i]) / 2 for i in starts]
    return [residual[group] for group in quieter], torch.tensor(edges, device=plate.device)


def _starts(ordered: Sequence[float]) -> list[int]:
    """Return where groups start, but for the first: blocks of one range of brightness, of which a lamp has few."""
    starts = [0]
    for i, value in enumerate(ordered):
        if i - starts[-1] >= 2 * FEW and value > RANGE * max(ordered[starts[-1]], DARK):
            starts.append(i)
    if len(ordered) - starts[-1] < FEW:
        starts.pop()
    return starts[1:]


def _blurred(image: Tensor) -> Tensor:
    """Blur an image (C, k, l) by `KERNEL` in both directions: as sums, faster than a convolution of one channel."""
    rest = len(KERNEL) // 2
    weights = [weight / sum(KERNEL) for weight in KERNEL]
    for axis in (1, 2):
        side = image.shape[axis]
        padding = (0, 0, rest, rest) if axis == 1 else (rest, rest, 0, 0)
        wide = F.pad(image[None], padding, mode="replicate")[0]
        parts = (wide.narrow(axis, i, side) * weight for i, weight in enumerate(weights))
        image = reduce(Tensor.add_, parts)
    return image
