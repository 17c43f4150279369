"""Compute structural similarity, for metrics, rewards and losses alike.

Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity" (IEEE TIP 2004): windows of
11 × 11 px, K1 = .01, K2 = .03, full resolution.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

RADIUS, SIGMA = 5, 1.5  # pixels
C1, C2 = 0.01**2, 0.03**2


def gaussian() -> Tensor:
    """Return the published window's taps along each axis, (11,), float64."""
    taps = torch.arange(-RADIUS, RADIUS + 1, dtype=torch.float64)
    return torch.softmax(-0.5 * (taps / SIGMA) ** 2, 0)


def square() -> Tensor:
    """Return the taps of a window in which all pixels count alike, (11,), float64: its gradients reach farther."""
    return torch.full((2 * RADIUS + 1,), 1 / (2 * RADIUS + 1), dtype=torch.float64)


def ssim_map(a: Tensor, b: Tensor, window: Tensor) -> Tensor:
    """Return the similarity in each window within two pictures (B, C, H, W) in [0, 1]: (B, C, H − 10, W − 10)."""
    taps = window.to(a)
    x = torch.stack((a, b, a * a, b * b, a * b))  # (5, B, C, H, W)
    flat = F.conv2d(F.conv2d(x.flatten(0, 2)[:, None], taps.view(1, 1, -1, 1)), taps.view(1, 1, 1, -1))
    mean_a, mean_b, square_a, square_b, product = flat.view(*x.shape[:3], *flat.shape[-2:])
    variances, covariance = square_a - mean_a**2 + square_b - mean_b**2, product - mean_a * mean_b
    alike = (2 * mean_a * mean_b + C1) * (2 * covariance + C2)
    return alike / ((mean_a**2 + mean_b**2 + C1) * (variances + C2))
