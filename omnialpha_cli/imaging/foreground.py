"""Foreground and background colours behind an alpha matte, coarse to fine.

Method: Germer, Uelwer, Conrad and Harmeling, "Fast Multi-Level Foreground Estimation" (arXiv 2006.14970), with its
defaults. F and B minimise (αF + (1 − α)B − I)² at each pixel plus (ε + |∇α|)·(|∇F|² + |∇B|²) at each edge between
neighbours, by Gauss-Seidel sweeps at sizes doubling from 1×1. The matte settles most pixels: beyond `DENSE_SIDE` only
the soft ones and their neighbours are swept. Beyond `SOLVED_SIDE` the colours are interpolated, and each pixel is
solved once with the interpolated ones for neighbours, in strips, so that nothing of full size is made but the result.

With F̄ and B̄ the weighted means of the neighbours, p the sum of their weights and r = I − αF̄ − (1 − α)B̄, the minimum at
one pixel is F = F̄ + αr / (α² + (1 − α)² + p), B = B̄ + (1 − α)r / (α² + (1 − α)² + p).
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag

from .strips import interpolate_rows, strips, widen

REGULARISATION = 1e-5  # ε
GRADIENT_WEIGHT = 1.0
SMALL_SIDE = 32  # levels up to this side get more sweeps
SMALL_SWEEPS = 10
SWEEPS = 2
DENSE_SIDE = 64  # levels up to this side are swept everywhere
SOLVED_SIDE = 1024  # side of the finest level that is swept

# A sweep visits every WAVES-th anti-diagonal at once: nearly the row-by-row order of the reference, as far as two
# sweeps can tell, yet in few large steps.
WAVES = 32


def estimate_foreground(plate: Tensor, alpha: Tensor, out: Tensor | None = None) -> Tensor:
    """Foreground colours (3, H, W) in `plate` (3, H, W) for the straight `alpha` (H, W) in [0, 1], written to `out`.

    They equal the plate exactly where alpha is 1, and are a smooth guess where alpha is 0. Results stay within the
    range of the plate and [0, 1]. Runs on the tensors' device.
    """
    foreground = torch.empty_like(plate) if out is None else out
    _estimate(plate, alpha, [foreground])
    return foreground


def estimate_layers(plate: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Foreground, as `estimate_foreground` gives it, and background (3, H, W), exactly the plate where alpha is 0."""
    foreground, background = torch.empty_like(plate), torch.empty_like(plate)
    _estimate(plate, alpha, [foreground, background])
    return foreground, background


def _estimate(plate: Tensor, alpha: Tensor, layers: list[Tensor]) -> None:
    """Write the foreground and, where asked for, the background into `layers`, each (3, H, W)."""
    height, width = alpha.shape
    darkest, brightest = torch.aminmax(plate)
    limits = min(0.0, darkest.item()), max(1.0, brightest.item())
    scale = min(1.0, SOLVED_SIDE / max(height, width))
    rows, columns = (_nearest(max(1, round(size * scale)), size, plate.device) for size in (height, width))
    solved = _solve(plate[:, rows[:, None], columns], alpha[rows[:, None], columns], limits)
    if scale == 1:
        for layer, part in zip(layers, solved.split(3), strict=False):
            layer.copy_(part)
    else:
        _enlarge(solved, plate, alpha, limits, layers)


def _solve(plate: Tensor, alpha: Tensor, limits: tuple[float, float]) -> Tensor:
    """Foreground and background (6, h, w), by sweeps at all sizes up to that of `plate` (3, h, w)."""
    height, width = alpha.shape
    means = [_mean_colour(plate, alpha > 0.9), _mean_colour(plate, alpha < 0.1)]
    layers = torch.cat(means)[:, None, None]  # (6, 1, 1)
    levels = max(1, math.ceil(math.log2(max(height, width))))
    for level in range(levels + 1):
        h, w = round(height ** (level / levels)), round(width ** (level / levels))
        rows, columns = _nearest(h, height, plate.device)[:, None], _nearest(w, width, plate.device)
        level_plate, level_alpha = plate[:, rows, columns], alpha[rows, columns]
        sources = (_nearest(size, coarse, plate.device) for size, coarse in zip((h, w), layers.shape[1:], strict=True))
        rows, columns = sources
        layers = layers[:, rows[:, None], columns]  # (6, h, w)
        _sweep(layers, level_plate, level_alpha, limits)
        torch.where(level_alpha == 1, level_plate, layers[:3], out=layers[:3])
        torch.where(level_alpha == 0, level_plate, layers[3:], out=layers[3:])
    return layers


def _sweep(layers: Tensor, plate: Tensor, alpha: Tensor, limits: tuple[float, float]) -> None:
    """Improve `layers` (6, h, w) where `alpha` (h, w) leaves them open."""
    height, width = alpha.shape
    side = max(height, width)
    swept = _grow((alpha > 0) & (alpha < 1)) if side > DENSE_SIDE else torch.ones_like(alpha, dtype=torch.bool)
    read = _grow(swept).view(-1).nonzero()[:, 0]  # places of swept pixels and of the neighbours they read, (n,)
    values = layers.view(6, -1)[:, read].T.contiguous()  # (n, 6)
    number = torch.empty(height * width, dtype=torch.int32, device=alpha.device)  # pixel → its place in `values`
    number[read] = torch.arange(len(read), dtype=torch.int32, device=alpha.device)

    rows, columns = swept.nonzero(as_tuple=True)  # (m,)
    wave = (rows + columns) % WAVES
    order, counts = wave.argsort(), wave.bincount(minlength=WAVES).tolist()
    equations = [part.split(counts) for part in _equations(plate, alpha, number, rows[order], columns[order])]
    for _ in range(SWEEPS if side > SMALL_SIDE else SMALL_SWEEPS):
        for places, neighbours, weights, mix, gain, colour in zip(*equations, strict=True):
            mean = embedding_bag(neighbours, values, mode="sum", per_sample_weights=weights).view(-1, 2, 3)
            rest = torch.baddbmm(colour[:, None], mix[:, None], mean, alpha=-1)  # r, (k, 1, 3)
            values[places] = torch.baddbmm(mean, gain[:, :, None], rest).clamp_(*limits).view(-1, 6)
    layers.view(6, -1)[:, read] = values.T


def _equations(plate: Tensor, alpha: Tensor, number: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, ...]:
    """What solves m pixels: places of the pixels (m,) and of their neighbours (m, 4) among the values, the weights of
    these in the mean (m, 4), α and 1 − α (m, 2), the same divided by α² + (1 − α)² + p (m, 2), the plate (m, 3).
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
    weights = REGULARISATION + GRADIENT_WEIGHT * (front[:, None] - flat[neighbours]).abs()
    pull = weights.sum(1, keepdim=True)
    mix = torch.stack([front, 1 - front], 1)
    gain = mix / (mix.square().sum(1, keepdim=True) + pull)
    return number[own], number[neighbours], weights / pull, mix, gain, plate[:, rows, columns].T.contiguous()


def _enlarge(solved: Tensor, plate: Tensor, alpha: Tensor, limits: tuple[float, float], layers: list[Tensor]) -> None:
    """Write `layers`, each (3, H, W): the colours `solved` (6, h, w) interpolated, and each pixel then solved once."""
    height, width = alpha.shape
    wide = widen(solved, width)  # (6, h, W)
    for rows in strips(height, width):
        front, image = alpha[rows], plate[:, rows].contiguous()  # (k, W), (3, k, W)
        mean = interpolate_rows(wide, rows, height)  # (6, k, W)
        back = 1 - front
        rest = image - front * mean[:3]
        rest.addcmul_(back, mean[3:], value=-1)  # r
        rest /= front * front + back * back + _pull(alpha, rows)
        for layer, share, part in zip(layers, (front, back), mean.split(3), strict=False):
            part.addcmul_(share, rest).clamp_(*limits)
            layer[:, rows] = torch.where(share == 1, image, part)


def _pull(alpha: Tensor, rows: slice) -> Tensor:
    """The sum p (k, W) of the weights between a strip's pixels and their four neighbours."""
    around = torch.arange(rows.start - 1, rows.stop + 1, device=alpha.device).clamp(0, alpha.shape[0] - 1)
    slab = alpha[around]  # (k + 2, W)
    vertical, horizontal = slab.diff(dim=0).abs_(), slab[1:-1].diff(dim=1).abs_()
    gradient = vertical[1:] + vertical[:-1]
    gradient[:, 1:] += horizontal
    gradient[:, :-1] += horizontal
    return gradient.mul_(GRADIENT_WEIGHT).add_(4 * REGULARISATION)


def _nearest(size: int, source_size: int, device: torch.device) -> Tensor:
    """Which of `source_size` pixels each of `size` takes its value from: ⌊i · source_size / size⌋."""
    return torch.arange(size, device=device) * source_size // size


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
