"""Foreground and background colours behind an alpha matte, coarse to fine.

Method: Germer, Uelwer, Conrad and Harmeling, "Fast Multi-Level Foreground Estimation" (arXiv 2006.14970), with its
defaults. F and B minimise (αF + (1 − α)B − I)² at each pixel plus (ε + |∇α|)·(|∇F|² + |∇B|²) at each edge between
neighbours, by Gauss-Seidel sweeps at sizes doubling from 1×1. The matte settles most pixels: beyond `DENSE_SIDE` only
the soft ones and their neighbours are swept, and nothing of full size is made but the result.
"""

import math

import torch
from torch import Tensor

REGULARISATION = 1e-5  # ε
GRADIENT_WEIGHT = 1.0
SMALL_SIDE = 32  # levels up to this side get more sweeps
SMALL_SWEEPS = 10
SWEEPS = 2
DENSE_SIDE = 64  # levels up to this side are swept everywhere
MEAN_SIDE = 512  # mean colours, which start the coarsest level, are taken at about this size

# A sweep visits every WAVES-th anti-diagonal at once: nearly the row-by-row order of the reference, as far as two
# sweeps can tell, yet in few large steps.
WAVES = 32


def estimate_foreground(plate: Tensor, alpha: Tensor) -> Tensor:
    """Foreground colours (3, H, W) in `plate` (3, H, W) for the straight `alpha` (H, W) in [0, 1].

    They equal the plate exactly where alpha is 1, and are a smooth guess where alpha is 0. Results stay within the
    range of the plate and [0, 1]. Runs on the tensors' device.
    """
    coarse, pixels, values = _solve(plate, alpha)
    return _paint(coarse[..., :3], pixels, values[:, :3], plate, alpha == 1)


def estimate_layers(plate: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Foreground, as `estimate_foreground` gives it, and background (3, H, W), exactly the plate where alpha is 0."""
    coarse, pixels, values = _solve(plate, alpha)
    foreground = _paint(coarse[..., :3], pixels, values[:, :3], plate, alpha == 1)
    return foreground, _paint(coarse[..., 3:], pixels, values[:, 3:], plate, alpha == 0)


def _solve(plate: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Colours at half size (h, w, 6: foreground, background), and at full size (n, 6) of the flat pixels (n,)."""
    height, width = alpha.shape
    darkest, brightest = torch.aminmax(plate)
    limits = min(0.0, darkest.item()), max(1.0, brightest.item())
    step = max(1, max(height, width) // MEAN_SIDE)
    small_plate, small_alpha = plate[:, ::step, ::step], alpha[::step, ::step]
    means = [_mean_colour(small_plate, small_alpha > 0.9), _mean_colour(small_plate, small_alpha < 0.1)]
    coarse = torch.cat(means)[None, None]  # (1, 1, 6)
    levels = max(1, math.ceil(math.log2(max(height, width))))
    for level in range(levels):
        h, w = round(height ** (level / levels)), round(width ** (level / levels))
        rows, columns = _nearest(h, height, plate), _nearest(w, width, plate)
        level_plate, level_alpha = plate[:, rows[:, None], columns], alpha[rows[:, None], columns]
        pixels, values = _solve_level(coarse, level_plate, level_alpha, limits)
        foreground = _paint(coarse[..., :3], pixels, values[:, :3], level_plate, level_alpha == 1)
        background = _paint(coarse[..., 3:], pixels, values[:, 3:], level_plate, level_alpha == 0)
        coarse = torch.cat([foreground, background]).permute(1, 2, 0).contiguous()  # (h, w, 6)
    return coarse, *_solve_level(coarse, plate, alpha, limits)


def _solve_level(coarse: Tensor, plate: Tensor, alpha: Tensor, limits: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """Flat pixels (n,) that `alpha` (h, w) leaves open and their colours (n, 6), starting from `coarse` (h', w', 6)."""
    height, width = alpha.shape
    side = max(height, width)
    swept = _grow((alpha > 0) & (alpha < 1)) if side > DENSE_SIDE else torch.ones_like(alpha, dtype=torch.bool)
    rows, columns = _grow(swept).nonzero(as_tuple=True)  # swept pixels and the neighbours that they read, (n,)
    pixels = rows * width + columns
    values = coarse[rows * coarse.shape[0] // height, columns * coarse.shape[1] // width]  # (n, 6)
    number = torch.empty(height * width, dtype=torch.int32, device=alpha.device)  # pixel → its place in `values`
    number[pixels] = torch.arange(len(pixels), dtype=torch.int32, device=alpha.device)

    rows, columns = swept.nonzero(as_tuple=True)  # (m,)
    wave = (rows + columns) % WAVES
    order, counts = wave.argsort(), wave.bincount(minlength=WAVES).tolist()
    equations = [part.split(counts) for part in _equations(plate, alpha, number, rows[order], columns[order])]
    for _ in range(SWEEPS if side > SMALL_SIDE else SMALL_SWEEPS):
        for places, neighbours, weights, data, inverse in zip(*equations, strict=True):
            pull = torch.nn.functional.embedding_bag(neighbours, values, mode="sum", per_sample_weights=weights)
            right = (pull + data).view(-1, 2, 3)
            values[places] = torch.bmm(inverse, right).clamp_(*limits).view(-1, 6)
    return pixels, values


def _equations(plate: Tensor, alpha: Tensor, number: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, ...]:
    """The 2×2 systems of m pixels: places of the pixels (m,) and of their neighbours (m, 4) among the values, edge
    weights (m, 4), data (m, 6) and inverse matrices (m, 2, 2).
    """
    height, width = alpha.shape
    own = rows * width + columns
    neighbours = torch.stack(
        [
            rows * width + (columns - 1).clamp(min=0),
            rows * width + (columns + 1).clamp(max=width - 1),
            (rows - 1).clamp(min=0) * width + columns,
            (rows + 1).clamp(max=height - 1) * width + columns,
        ],
        dim=1,
    )
    flat = alpha.reshape(-1)
    front = flat[own]  # (m,)
    back = 1 - front
    weights = REGULARISATION + GRADIENT_WEIGHT * (front[:, None] - flat[neighbours]).abs()
    pull = weights.sum(1)
    diagonal_front, diagonal_back, off = front * front + pull, back * back + pull, front * back
    adjugate = torch.stack([diagonal_back, -off, -off, diagonal_front], 1).view(-1, 2, 2)
    inverse = adjugate / (diagonal_front * diagonal_back - off * off)[:, None, None]
    colour = plate[:, rows, columns].T  # (m, 3)
    data = torch.cat([front[:, None] * colour, back[:, None] * colour], 1)
    return number[own], number[neighbours], weights, data, inverse


def _paint(coarse: Tensor, pixels: Tensor, values: Tensor, plate: Tensor, exact: Tensor) -> Tensor:
    """A layer (3, h, w): the colours `coarse` (h', w', 3), with `values` (n, 3) at `pixels` (n,), and the plate's own
    where the mask `exact` (h, w) is set.
    """
    _, height, width = plate.shape
    rows, columns = _nearest(height, coarse.shape[0], plate), _nearest(width, coarse.shape[1], plate)
    layer = torch.empty(plate.shape, dtype=plate.dtype, device=plate.device)
    for channel in range(3):
        plane = coarse[..., channel][:, columns][rows]  # (h, w)
        plane.view(-1)[pixels] = values[:, channel]
        torch.where(exact, plate[channel], plane, out=layer[channel])
    return layer


def _nearest(size: int, source_size: int, like: Tensor) -> Tensor:
    """Which of `source_size` pixels each of `size` takes its value from: ⌊i · source_size / size⌋."""
    return torch.arange(size, device=like.device) * source_size // size


def _mean_colour(plate: Tensor, where: Tensor) -> Tensor:
    """Mean (3,) of `plate` (3, H, W) over a mask (H, W); black for an empty mask."""
    return (plate * where).sum((1, 2)) / (where.sum() + 1e-5)


def _grow(mask: Tensor) -> Tensor:
    """The mask (H, W) and its four-neighbours."""
    grown = mask.clone()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown
