"""Compute the terms of the alpha-aware VAE's loss (AlphaVAE, arXiv 2507.09308), each by a plain function.

RGBA is (B, 4, H, W) in [−1, 1], so alpha a = (channel + 1) / 2 is in [0, 1]. Posteriors are (mean, log-variance), both
(B, C, h, w). As in the published training, terms are summed over pixels or latents and averaged over pictures.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from .perceptual import Distance

Posterior = tuple[Tensor, Tensor]

# E[b] and E[b²] of a background's colours in [−1, 1]: the moments of ImageNet's pixels.
BACKGROUND_MEAN = (-0.0357, -0.0811, -0.1797)
BACKGROUND_SQUARE = (0.3163, 0.3060, 0.3634)


def premultiplied(rgba: Tensor) -> tuple[Tensor, Tensor]:
    """Return colour times alpha (B, 3, H, W), and alpha (B, 1, H, W)."""
    alpha = (rgba[:, 3:] + 1) / 2
    return rgba[:, :3] * alpha, alpha


def composite(rgba: Tensor, background: float) -> Tensor:
    """Composite over a grey background in [−1, 1]: RGB (B, 3, H, W)."""
    colour, alpha = premultiplied(rgba)
    return colour + (1 - alpha) * background


def expected_error(target: Tensor, made: Tensor) -> Tensor:
    """Return the expected squared error of the composite over a random background b, summed over pixels: a scalar.

    With P = a·rgb − â·rgb̂ and Δ = a − â the composites differ by P − Δ·b, so the expectation is
    P² − 2 E[b]·P·Δ + E[b²]·Δ².
    """
    (colour, alpha), (made_colour, made_alpha) = premultiplied(target), premultiplied(made)
    p, delta = colour - made_colour, alpha - made_alpha  # (B, 3, H, W), (B, 1, H, W)
    mean, square = (p.new_tensor(v)[:, None, None] for v in (BACKGROUND_MEAN, BACKGROUND_SQUARE))
    return (p.square() - 2 * mean * p * delta + square * delta.square()).sum() / len(target)


def perceptual_error(target: Tensor, made: Tensor, distance: Distance, backgrounds: Sequence[float]) -> Tensor:
    """Return the distance of the composites, averaged over the backgrounds and the pictures: a scalar."""
    values = [distance(composite(target, b), composite(made, b)).mean() for b in backgrounds]
    return torch.stack(values).mean()


def kl_to_normal(posterior: Posterior) -> Tensor:
    """Return KL(q ‖ N(0, I)), summed over latents: a scalar."""
    mean, logvar = posterior
    return 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum() / len(mean)


def kl_between(posterior: Posterior, reference: Posterior) -> Tensor:
    """Return KL(q ‖ q_ref) of diagonal normals, summed over latents: a scalar."""
    (mean, logvar), (ref_mean, ref_logvar) = posterior, reference
    squares = ((mean - ref_mean).square() + logvar.exp()) / ref_logvar.exp()
    return 0.5 * (squares - 1 - logvar + ref_logvar).sum() / len(mean)
