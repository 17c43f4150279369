"""Metrics as plain functions on arrays.

Alpha is (H, W) and colour (H, W, 3), floats in [0, 1]; `where` is a mask (H, W) of the pixels that count, all of them
by default. The matting metrics are those of Rhemann et al., "A Perceptually Motivated Online Benchmark for Image
Matting" (CVPR 2009). What is a sum over pixels (SAD, Grad, Conn) is given in thousands, as papers do, and so depends
on the size of the picture: it means nothing without that size beside it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..imaging.hint import BACKGROUND, OBJECT
from .components import Mask, largest_component

Array = NDArray[Any]

GRADIENT_SIGMA = 1.4
CONNECTIVITY_STEP = 0.1
CONNECTIVITY_SLACK = 0.15
SSIM_SIGMA, SSIM_RADIUS = 1.5, 5
MAX_PSNR = 100.0  # dB: what equal pictures get, so that means stay finite


def unknown(trimap: Array) -> Mask:
    """The band of a trimap (H, W) in which the matte is open: neither sure background nor sure object."""
    return (trimap >= BACKGROUND) & (trimap <= OBJECT)


def mse(found: Array, known: Array, where: Mask | None = None) -> float:
    """Mean squared error, of alpha or colour."""
    return float(np.square(_difference(found, known, where)).mean())


def mad(found: Array, known: Array, where: Mask | None = None) -> float:
    """Mean absolute difference, of alpha or colour (where it is called L1)."""
    return float(np.abs(_difference(found, known, where)).mean())


def sad(found: Array, known: Array, where: Mask | None = None) -> float:
    """Sum of absolute differences of alpha, in thousands."""
    return float(np.abs(_difference(found, known, where)).sum()) / 1000


def gradient_error(found: Array, known: Array, where: Mask | None = None) -> float:
    """Grad: Σ (|∇α| − |∇α*|)², gradients by first derivatives of a Gaussian of σ = 1.4 px; in thousands.

    As in the evaluation code that goes with the deep-matting papers, each two-dimensional kernel is scaled to
    a Euclidean norm of 1 and the border is repeated outwards.
    """
    return float(np.square(_difference(_gradient(found), _gradient(known), where)).sum()) / 1000


def connectivity_error(found: Array, known: Array, where: Mask | None = None) -> float:
    """Conn: Σ |φ − φ*|, in thousands, with φ = 1 − d·[d ≥ 0.15] and d = α − l.

    l of a pixel is the highest level, in steps of 0.1, at which it still belongs to the largest part (joined by sides)
    of where both mattes reach that level.
    """
    level = np.ones(known.shape)
    open_pixels = np.ones(known.shape, bool)
    for step in np.arange(1, round(1 / CONNECTIVITY_STEP) + 1):
        reached = step * CONNECTIVITY_STEP - 1e-9
        lost = open_pixels & ~largest_component((found >= reached) & (known >= reached))
        level[lost] = (step - 1) * CONNECTIVITY_STEP
        open_pixels &= ~lost

    def degree(alpha: Array) -> Array:
        distance = alpha - level
        return 1 - distance * (distance >= CONNECTIVITY_SLACK)

    return float(np.abs(_difference(degree(found), degree(known), where)).sum()) / 1000


def soft_iou(found: Array, known: Array) -> float:
    """Soft intersection over union of two mattes: Σ min(α, α*) / Σ max(α, α*); 1 where both are empty."""
    union = float(np.maximum(found, known).sum(dtype=np.float64))
    return float(np.minimum(found, known).sum(dtype=np.float64)) / union if union else 1.0


def layer_l1(found: Array, known: Array, weight: Array) -> float:
    """Mean absolute difference of a layer's straight colour, weighted by its known alpha (H, W).

    The measure of layer decomposition: Suzuki et al., "LayerD" (ICCV 2025). 0 where the known layer is empty.
    """
    total = float(weight.sum(dtype=np.float64)) * found.shape[2]
    return float((np.abs(found - known) * weight[..., None]).sum(dtype=np.float64)) / total if total else 0.0


def psnr(found: Array, known: Array, where: Mask | None = None) -> float:
    """Peak signal-to-noise ratio in dB: 10 lg (1 / MSE), at most 100."""
    error = mse(found, known, where)
    return MAX_PSNR if error <= 10 ** (-MAX_PSNR / 10) else float(-10 * np.log10(error))


def ssim(found: Array, known: Array, where: Mask | None = None) -> float:
    """Structural similarity, the mean over the channels.

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity" (IEEE TIP 2004): a Gaussian
    window of 11 × 11 px with σ = 1.5, K1 = .01, K2 = .03, full resolution. Without `where` only windows that lie within
    the picture count, as there; with it, those centred on its pixels do, the picture mirrored outwards.
    """
    similarity = _ssim_map(found.astype(np.float64), known.astype(np.float64))
    if where is not None:
        return float(similarity[where].mean())
    inner = similarity[SSIM_RADIUS:-SSIM_RADIUS, SSIM_RADIUS:-SSIM_RADIUS]
    return float((inner if inner.size else similarity).mean())


def _ssim_map(a: Array, b: Array) -> Array:
    kernel = _gaussian(SSIM_SIGMA, SSIM_RADIUS)

    def local_mean(x: Array) -> Array:
        return _filter(x, kernel / kernel.sum(), kernel / kernel.sum(), "symmetric")

    mean_a, mean_b = local_mean(a), local_mean(b)
    variance_a, variance_b = local_mean(a * a) - mean_a**2, local_mean(b * b) - mean_b**2
    covariance = local_mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    return ((2 * mean_a * mean_b + c1) * (2 * covariance + c2)) / (
        (mean_a**2 + mean_b**2 + c1) * (variance_a + variance_b + c2)
    )


def _difference(found: Array, known: Array, where: Mask | None) -> Array:
    difference = np.asarray(found, np.float64) - known
    return difference if where is None else difference[where]


def _gradient(alpha: Array) -> Array:
    """Magnitude of the Gaussian gradient (H, W)."""
    # Where the Gaussian has fallen to 0.01, as in the evaluation code.
    radius = int(np.ceil(GRADIENT_SIGMA * np.sqrt(-2 * np.log(np.sqrt(2 * np.pi) * GRADIENT_SIGMA * 0.01))))
    smooth = _gaussian(GRADIENT_SIGMA, radius)
    slope = smooth * np.arange(-radius, radius + 1)
    smooth, slope = smooth / np.linalg.norm(smooth), slope / np.linalg.norm(slope)
    alpha = alpha.astype(np.float64)
    return np.hypot(_filter(alpha, slope, smooth, "edge"), _filter(alpha, smooth, slope, "edge"))


def _gaussian(sigma: float, radius: int) -> Array:
    return np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)


def _filter(x: Array, down: Array, across: Array, mode: Any) -> Array:
    """Correlate (H, W, …) with a separable kernel, its border extended by numpy's `mode`; the same size."""
    for axis, kernel in enumerate((down, across)):
        radius, length = len(kernel) // 2, x.shape[axis]
        margins = [(radius, radius) if a == axis else (0, 0) for a in range(x.ndim)]
        padded = np.pad(x, margins, mode=mode)
        x = sum(k * padded.take(range(i, i + length), axis) for i, k in enumerate(kernel))
    return x
