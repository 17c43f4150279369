"""Compute metrics, as plain functions on arrays.

Alpha is (H, W) and colour (H, W, 3), floats in [0, 1]; `where` is a mask (H, W) of the pixels that count, all of them
by default. The matting metrics are those of Rhemann et al., "A Perceptually Motivated Online Benchmark for Image
Matting" (CVPR 2009). What is a sum over pixels (SAD, Grad, Conn) is given in thousands, as papers do, and so depends
on the size of the picture: it means nothing without that size beside it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...imaging.hint import BACKGROUND, OBJECT
from ...model.mini.segmenter import number_parts
from ..ssim import RADIUS, gaussian, ssim_map
from .baselines import Mask, grow

Array = NDArray[Any]

GRADIENT_SIGMA = 1.4
CONNECTIVITY_STEP = 0.1
CONNECTIVITY_SLACK = 0.15
ROWS = 32
RING = 3, 16  # pixels from a hole, between which it is compared with its surroundings
FLAT = 1e-7  # energy that is none
SOFT = 0.05, 0.95  # alpha in between is half-transparent
COVERED, EDGE = 0.02, 6  # alpha above which an object covers a pixel; pixels that its edge is wide
HAZE_DISTANCE, HAZE_WIDTH = 6, 384  # pixels from an edge, and of the picture's width that they are for
MAX_PSNR = 100.0  # dB: what equal pictures get, so that means stay finite


def unknown(trimap: Array) -> Mask:
    """Return the band of a trimap (H, W) in which the matte is open: neither sure background nor sure object."""
    return (trimap >= BACKGROUND) & (trimap <= OBJECT)


def mse(found: Array, known: Array, where: Mask | None = None) -> float:
    """Return the mean squared error, of alpha or colour."""
    return float(np.square(_difference(found, known, where)).mean())


def mad(found: Array, known: Array, where: Mask | None = None) -> float:
    """Return the mean absolute difference, of alpha or colour (where it is called L1)."""
    return float(np.abs(_difference(found, known, where)).mean())


def sad(found: Array, known: Array, where: Mask | None = None) -> float:
    """Sum of absolute differences of alpha, in thousands."""
    return thousands(np.abs(_difference(found, known, where)))


def thousands(errors: Array, where: Mask | None = None) -> float:
    """Return the sum of a map of errors (H, W), in thousands."""
    return float((errors if where is None else errors[where]).sum(dtype=np.float64)) / 1000


def gradient_errors(found: Array, known: Array) -> Array:
    """Return (|∇α| − |∇α*|)² at every pixel (H, W), gradients by first derivatives of a Gaussian of σ = 1.4 px.

    As in the evaluation code that goes with the deep-matting papers, each two-dimensional kernel is scaled to
    a Euclidean norm of 1 and the border is repeated outwards.
    """
    return np.square(_gradient(found) - _gradient(known))


def connectivity_errors(found: Array, known: Array) -> Array:
    """Return |φ − φ*| at every pixel (H, W), with φ = 1 − d·[d ≥ 0.15] and d = α − l.

    l of a pixel is the highest level, in steps of 0.1, at which it still belongs to the largest part (joined by sides)
    of where both mattes reach that level.
    """
    level = np.ones(known.shape)
    connected = np.ones(known.shape, bool)
    both = np.minimum(found, known)
    for step in range(1, round(1 / CONNECTIVITY_STEP) + 1):
        lost = connected & ~largest_component(both >= step * CONNECTIVITY_STEP - 1e-9)
        level[lost] = (step - 1) * CONNECTIVITY_STEP
        connected &= ~lost

    def degree(alpha: Array) -> Array:
        distance = alpha - level
        return 1 - distance * (distance >= CONNECTIVITY_SLACK)

    return np.abs(degree(found) - degree(known))


def soft_iou(found: Array, known: Array) -> float:
    """Return the soft intersection over union of two mattes: Σ min(α, α*) / Σ max(α, α*); 1 where both are empty."""
    union = float(np.maximum(found, known).sum(dtype=np.float64))
    return float(np.minimum(found, known).sum(dtype=np.float64)) / union if union else 1.0


def hard_iou(found: Array, known: Array, where: Mask | None = None) -> float:
    """Return the intersection over union of where two mattes exceed one half; 1 where neither does."""
    ours, theirs = (alpha > 0.5 if where is None else (alpha > 0.5) & where for alpha in (found, known))
    union = int((ours | theirs).sum())
    return int((ours & theirs).sum()) / union if union else 1.0


def haze(found: Array, known: Array) -> float:
    """Return the share of all pixels whose alpha is half-transparent where the true one is solid, far from its edge.

    Far is more than six pixels of a picture 384 wide, and of others as many more or fewer. An edge is where `known`
    crosses one half, or is itself neither opaque nor clear.
    """
    radius = max(1, round(HAZE_DISTANCE * known.shape[1] / HAZE_WIDTH))
    inside = known > 0.5
    edge = grow(inside, radius) & grow(~inside, radius) | grow(_is_soft(known), radius)
    return float((_is_soft(found) & ~edge).mean())


def _is_soft(alpha: Array) -> Mask:
    low, high = SOFT
    return (alpha > low) & (alpha < high)


def layer_l1(found: Array, known: Array, weight: Array) -> float:
    """Return the mean absolute difference of a layer's straight colour, weighted by its known alpha (H, W).

    The measure of layer decomposition: Suzuki et al., "LayerD" (ICCV 2025). 0 where the known layer is empty.
    """
    total = float(weight.sum(dtype=np.float64)) * found.shape[2]
    return float((np.abs(found - known) * weight[..., None]).sum(dtype=np.float64)) / total if total else 0.0


def ghost(background: Array, known: Array, scene: Array, alpha: Array) -> float:
    """Return how much of an object is left in a background (H, W, 3) at its edge: 0 nothing, 1 all of it.

    That is the share of the `scene`, beside one of the `known` background and a constant, that together come nearest
    to the background, by least squares, at the pixels that the object's `alpha` (H, W) covers, within `EDGE` pixels of
    those that it does not.
    """
    covered = alpha > COVERED
    rim = covered & grow(~covered, EDGE)
    if not rim.any():
        return 0.0
    seen, behind, found = (image[rim].astype(np.float64).ravel() for image in (scene, known, background))
    shares: Array = np.linalg.lstsq(np.stack((seen, behind, np.ones_like(seen)), 1), found, rcond=None)[0]
    return float(shares[0])


def psnr(found: Array, known: Array, where: Mask | None = None) -> float:
    """Return the peak signal-to-noise ratio in dB: 10 lg (1 / MSE), at most 100."""
    return decibels(mse(found, known, where))


def decibels(error: float) -> float:
    """Return a mean squared error as PSNR."""
    return MAX_PSNR if error <= 10 ** (-MAX_PSNR / 10) else float(-10 * np.log10(error))


def ssim(found: Array, known: Array, where: Mask | None = None) -> float:
    """Return structural similarity as published (`lab.ssim`), the mean over the channels of (H, W, C).

    Without `where` only windows that lie within the picture count; with it, those centred on its pixels do, the picture
    mirrored outwards, and so they do in a picture that is smaller than a window.
    """
    outside = RADIUS if where is not None or min(found.shape[:2]) <= 2 * RADIUS else 0

    def channel(image: Array, number: int) -> torch.Tensor:
        padded = np.pad(image[..., number].astype(np.float64), outside, mode="symmetric")
        return torch.from_numpy(padded)[None, None]  # (1, 1, H, W)

    maps = [ssim_map(channel(found, c), channel(known, c), gaussian())[0, 0].numpy() for c in range(found.shape[2])]
    return float(np.mean([(one if where is None else one[where]).mean() for one in maps]))


def sharpness(found: Array, mask: Mask) -> float:
    """Return the energy of the finest octave of colours (H, W, 3) within `mask` (H, W), over that around it.

    The finest octave is what a binomial blur of 3 × 3 px takes away. 1 is as sharp as the surroundings, 0 a smear.
    """
    kernel = np.array((0.25, 0.5, 0.25))
    grey = np.pad(found.mean(2, dtype=np.float64), 1, mode="symmetric")
    energy = np.square(grey[1:-1, 1:-1] - _correlate(grey, kernel, kernel))  # (H, W)
    ring = grow(mask, RING[1]) & ~grow(mask, RING[0])
    return float((energy[mask].mean() + FLAT) / ((energy[ring].mean() if ring.any() else 0.0) + FLAT))


def _gradient(alpha: Array) -> Array:
    """Return the magnitude of the Gaussian gradient (H, W)."""
    # Where the Gaussian has fallen to 0.01, as in the evaluation code.
    radius = int(np.ceil(GRADIENT_SIGMA * np.sqrt(-2 * np.log(np.sqrt(2 * np.pi) * GRADIENT_SIGMA * 0.01))))
    smooth = _gaussian(GRADIENT_SIGMA, radius)
    slope = smooth * np.arange(-radius, radius + 1, dtype=np.float64)
    smooth, slope = smooth / np.linalg.norm(smooth), slope / np.linalg.norm(slope)

    def magnitude(alpha: Array) -> Array:
        return np.hypot(_correlate(alpha, slope, smooth), _correlate(alpha, smooth, slope))

    return _in_bands(magnitude, radius, "edge", alpha)


def _difference(found: Array, known: Array, where: Mask | None) -> Array:
    difference = np.asarray(found, np.float64) - known
    return difference if where is None else difference[where]


def _gaussian(sigma: float, radius: int) -> Array:
    return np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)


def _in_bands(work: Callable[..., Array], radius: int, mode: Any, *images: Array) -> Array:
    """Apply `work` to images (H, W), extended by `radius` as numpy's `mode` says: a few rows at once, for the cache."""
    padded = [np.pad(image, radius, mode=mode) for image in images]
    tops = range(0, len(images[0]), ROWS)
    bands = ((p[top : top + ROWS + 2 * radius].astype(np.float64) for p in padded) for top in tops)
    return np.concatenate([work(*band) for band in bands])


def _correlate(x: Array, down: Array, across: Array) -> Array:
    """Correlate (h, w) with a separable kernel of 2r + 1 taps a side, without a border: (h − 2r, w − 2r)."""
    rows = sum(weight * x[i : i + len(x) - len(down) + 1] for i, weight in enumerate(down))
    width = x.shape[1] - len(across) + 1
    return np.asarray(sum(weight * rows[:, i : i + width] for i, weight in enumerate(across)))


def largest_component(mask: Mask) -> Mask:
    """Return the largest part of a mask (H, W) whose pixels are joined by their sides; nothing of an empty one."""
    parts = number_parts(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return (parts == sizes.argmax()) & mask
