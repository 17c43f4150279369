"""Estimate foreground colours behind an alpha matte, coarse to fine.

Method: Germer, Uelwer, Conrad and Harmeling, "Fast Multi-Level Foreground Estimation" (arXiv 2006.14970), with its
defaults. F and B minimise (αF + (1 − α)B − I)² at each pixel plus (ε + |∇α|)·(|∇F|² + |∇B|²) at each edge between
neighbours, by Gauss-Seidel sweeps at sizes doubling from 1×1. The matte settles most pixels: beyond `DENSE_SIDE` only
the soft ones and their neighbours are swept. Where too many are soft, or the picture is larger than 4K, sweeps end
at a smaller size; from there colours are interpolated and the soft ones solved twice more, all at once, tile by tile.

With F̄ and B̄ the weighted means of the neighbours, p the sum of their weights and r = I − αF̄ − (1 − α)B̄, the minimum
at one pixel is F = F̄ + αr / (α² + (1 − α)² + p), B = B̄ + (1 − α)r / (α² + (1 − α)² + p). At last nearly opaque
pixels are solved with themselves for neighbours and p = 0, so that F and B mix to I.
"""

import math

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag, interpolate

from ..canvas import Tile, around, enlarge, tiles
from ..colour import value_range

REGULARISATION = 1e-5  # ε
GRADIENT_WEIGHT = 1.0
SMALL_SIDE = 32  # levels up to this side get more sweeps
SMALL_SWEEPS = 10
SWEEPS = 2
DENSE_SIDE = 64  # levels up to this side are swept everywhere
SWEPT_PIXELS = 2**20  # soft pixels that are swept at most
SWEPT_AREA = 9_000_000  # pixels of the finest level that is swept, soft or not: 4096 × 2160 fit
SWEPT_SIDE = 1024  # levels up to this side are swept however many are soft
SETTLED = (0.9, 0.98)  # alpha from which colours begin to be moved to where they mix to the plate, and are wholly

# A sweep visits every WAVES-th anti-diagonal at once: nearly the row-by-row order of the reference, as far as two
# sweeps can tell, yet in few large steps. Small levels forget the order.
WAVES = 32
SMALL_WAVES = 4


def estimate_foreground(plate: Tensor, alpha: Tensor, out: Tensor | None = None) -> Tensor:
    """Estimate foreground colours (3, H, W) of `plate` (3, H, W) for `alpha` (H, W) in [0, 1], written to `out`.

    They equal the plate exactly where alpha is 1, and are a smooth guess where alpha is 0. Results stay within the
    range of the plate and [0, 1]. Runs on the tensors' device.
    """
    foreground = torch.empty_like(plate) if out is None else out
    height, width = alpha.shape
    limits = value_range(plate)
    soft = ((alpha > 0) & (alpha < 1)).sum().item()
    share = min(SWEPT_PIXELS / max(soft, 1), SWEPT_AREA / (height * width))
    scale = min(1.0, max(share**0.5, SWEPT_SIDE / max(height, width)))
    size = max(1, round(height * scale)), max(1, round(width * scale))
    if scale == 1:
        solved = _solve(plate, alpha[None], limits)
        _settle(solved, plate, alpha, limits)
        return foreground.copy_(solved[:3])
    small_plate, small_alpha = (interpolate(x[None], size, mode="nearest-exact")[0] for x in (plate, alpha[None]))
    _enlarge(_solve(small_plate, small_alpha, limits), plate, alpha, limits, foreground)
    return foreground


def _solve(plate: Tensor, alpha: Tensor, limits: tuple[float, float]) -> Tensor:
    """Solve foreground and background (6, h, w), by sweeps at sizes up to that of `plate` (3, h, w)."""
    height, width = plate.shape[1:]
    means = [_mean_colour(plate, alpha > 0.9), _mean_colour(plate, alpha < 0.1)]
    layers = torch.cat(means)[:, None, None]  # (6, 1, 1)
    levels = max(1, math.ceil(math.log2(max(height, width))))
    for level in range(levels + 1):
        h, w = round(height ** (level / levels)), round(width ** (level / levels))
        level_plate, level_alpha = _nearest(plate, h, w), _nearest(alpha, h, w)
        layers = _nearest(layers, h, w)  # (6, h, w)
        _sweep(layers, level_plate, level_alpha[0], limits)
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
    sweeps, waves = (SWEEPS, WAVES) if side > SMALL_SIDE else (SMALL_SWEEPS, SMALL_WAVES)
    wave = (rows + columns) % waves
    order, counts = wave.argsort(), wave.bincount(minlength=waves).tolist()
    equations = [part.split(counts) for part in _equations(plate, alpha, number, rows[order], columns[order])]
    for _ in range(sweeps):
        for places, neighbours, weights, mix, gain, colour in zip(*equations, strict=True):
            mean = embedding_bag(neighbours, values, mode="sum", per_sample_weights=weights).view(-1, 2, 3)
            rest = torch.baddbmm(colour[:, None], mix[:, None], mean, alpha=-1)  # r, (k, 1, 3)
            values[places] = torch.baddbmm(mean, gain[:, :, None], rest).clamp_(*limits).view(-1, 6)
    layers.view(6, -1)[:, read] = values.T


def _equations(plate: Tensor, alpha: Tensor, number: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, ...]:
    """Return what solves m pixels, as tensors of m rows.

    These are their places (m,), their neighbours' (m, 4) and the weights of these (m, 4) in the mean, α and 1 − α
    (m, 2), both divided by α² + (1 − α)² + p (m, 2), the plate (m, 3).
    """
    height, width = alpha.shape
    own = rows * width + columns
    left, right = rows * width + (columns - 1).clamp(min=0), rows * width + (columns + 1).clamp(max=width - 1)
    above, below = (rows - 1).clamp(min=0) * width + columns, (rows + 1).clamp(max=height - 1) * width + columns
    neighbours = torch.stack([left, right, above, below], dim=1)
    flat = alpha.reshape(-1)
    front = flat[own]  # (m,)
    weights = REGULARISATION + GRADIENT_WEIGHT * (front[:, None] - flat[neighbours]).abs()
    pull = weights.sum(1, keepdim=True)
    mix = torch.stack([front, 1 - front], 1)
    gain = mix / (mix.square().sum(1, keepdim=True) + pull)
    return number[own], number[neighbours], weights / pull, mix, gain, plate[:, rows, columns].T.contiguous()


def _settle(layers: Tensor, plate: Tensor, alpha: Tensor, limits: tuple[float, float]) -> None:
    """Move nearly opaque colours of `layers` (6, h, w) to the nearest that mix to the `plate` (3, h, w), in place.

    Sweeps end before they do, which shows where next to nothing of the background is in the plate. More transparent
    ones stay: they would take all of its noise.
    """
    rows, columns = ((alpha > SETTLED[0]) & (alpha < 1)).nonzero(as_tuple=True)
    front = alpha[rows, columns]  # (n,)
    mix = torch.stack([front, 1 - front])[:, None]  # (2, 1, n)
    share = ((front - SETTLED[0]) / (SETTLED[1] - SETTLED[0])).clamp(max=1)
    found, own = layers[:, rows, columns].unflatten(0, (2, 3)), plate[:, rows, columns]
    layers[:, rows, columns] = _solve_once(found, own, mix, share * mix / mix.square().sum(0), limits).flatten(0, 1)


def _enlarge(solved: Tensor, plate: Tensor, alpha: Tensor, limits: tuple[float, float], foreground: Tensor) -> None:
    """Write the `foreground` (3, H, W): the colours `solved` (6, h, w) enlarged, the soft ones solved twice more."""
    size = alpha.shape[0], alpha.shape[1]
    for tile in tiles(*size):
        front, image = alpha[tile], plate[:, *tile].contiguous()  # (k, l), (3, k, l)
        found = enlarge(solved[:3], tile, size)
        soft = (front > 0) & (front < 1)
        if soft.any():
            found = torch.where(soft, _solve_tile(solved, plate, alpha, limits, tile)[:3], found)
        foreground[:, *tile] = torch.where(front == 1, image, found)


def _solve_tile(solved: Tensor, plate: Tensor, alpha: Tensor, limits: tuple[float, float], tile: Tile) -> Tensor:
    """Solve foreground and background (6, k, l) of a tile: twice, from the colours `solved` (6, h, w), enlarged."""
    size = alpha.shape[0], alpha.shape[1]
    rows, columns = (slice(part.start - 1, part.stop + 1) for part in tile)
    front = around(alpha[None], tile, 2)[0]  # (k + 4, l + 4)
    down, across = (REGULARISATION + GRADIENT_WEIGHT * front.diff(dim=axis).abs_() for axis in (0, 1))
    above, below, left, right = down[:-1, 1:-1], down[1:, 1:-1], across[1:-1, :-1], across[1:-1, 1:]  # (k + 2, l + 2)
    pull = above + below + left + right
    front = front[1:-1, 1:-1]
    mix = torch.stack([front, 1 - front])[:, None]  # (2, 1, k + 2, l + 2)
    gain = mix / (mix.square().sum(0) + pull)
    image = around(plate, tile, 1)  # (3, k + 2, l + 2)

    first = _solve_once(enlarge(solved, (rows, columns), size).unflatten(0, (2, 3)), image, mix, gain, limits)
    inner = slice(1, -1)
    mean = above[inner, inner] * first[:, :, :-2, inner]  # (2, 3, k, l)
    mean.addcmul_(below[inner, inner], first[:, :, 2:, inner])
    mean.addcmul_(left[inner, inner], first[:, :, inner, :-2])
    mean.addcmul_(right[inner, inner], first[:, :, inner, 2:])
    mean /= pull[inner, inner]
    image, mix, gain = (part[..., inner, inner] for part in (image, mix, gain))
    twice = _solve_once(mean, image, mix, gain, limits).flatten(0, 1)
    _settle(twice, image, alpha[tile], limits)
    return twice


def _solve_once(mean: Tensor, image: Tensor, mix: Tensor, gain: Tensor, limits: tuple[float, float]) -> Tensor:
    """Return the minimum at each pixel, (2, 3, k, l), for the neighbours' `mean` (2, 3, k, l), which it overwrites."""
    rest = torch.addcmul(image, mix[0], mean[0], value=-1)
    rest.addcmul_(mix[1], mean[1], value=-1)  # r, (3, k, l)
    return mean.addcmul_(gain, rest).clamp_(*limits)


def _nearest(image: Tensor, height: int, width: int) -> Tensor:
    """Return `image` (C, h, w) at another size, each pixel taken from ⌊i · h / height⌋, ⌊j · w / width⌋."""
    if image.shape[1:] == (height, width):
        return image
    rows = torch.arange(height, device=image.device) * image.shape[1] // height
    columns = torch.arange(width, device=image.device) * image.shape[2] // width
    if height < image.shape[1]:
        return image[:, rows[:, None], columns]
    # Whole rows are quick to copy: widen the few first.
    return image.gather(2, columns.expand(*image.shape[:2], width)).index_select(1, rows)


def _mean_colour(plate: Tensor, where: Tensor) -> Tensor:
    """Return the mean (3,) of `plate` (3, H, W) over a mask (1, H, W); black for an empty mask."""
    weight = where[0].to(plate)
    return torch.tensordot(plate, weight, 2) / (weight.sum() + 1e-5)


def _grow(mask: Tensor) -> Tensor:
    """Return the mask (H, W) and its four-neighbours."""
    grown = mask.clone()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown
