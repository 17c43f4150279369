"""Measure how far apart two sets of pictures are: the Fréchet distance of Gaussians fitted to a network's features.

Heusel et al., "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash Equilibrium" (NeurIPS 2017). With
the features of one certain Inception network it is called FID; with those of any other network it is something else.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .backgrounds import COLOURS, composites

Array = NDArray[Any]
Network = Callable[[Array], Array]  # pictures (K, H, W, 3) in [0, 1] → features (K, D)


@dataclass(frozen=True)
class Gaussian:
    """Hold `mean` (D,) and a `root` (r, D) of the covariance, which is rootᵀ·root."""

    mean: Array
    root: Array


def fit(features: Array) -> Gaussian:
    """Return the Gaussian of features (N, D) with the unbiased covariance; N has to be 2 at least."""
    values = np.asarray(features, np.float64)
    mean = values.mean(0)
    root: Any = np.linalg.qr((values - mean) / np.sqrt(len(values) - 1), mode="r")  # its types know no modes
    return Gaussian(mean, root)


def frechet_distance(a: Gaussian, b: Gaussian) -> float:
    """Return |μ − μ'|² + tr Σ + tr Σ' − 2 tr (ΣΣ')^½.

    With Σ = AᵀA and Σ' = BᵀB the nonzero eigenvalues of ΣΣ' are the squares of the singular values of ABᵀ, so the last
    trace is their sum: exact for covariances without full rank too, where a square root of the product is not.
    """
    overlap = np.linalg.svd(a.root @ b.root.T, compute_uv=False).sum()
    spread = np.square(a.root).sum() + np.square(b.root).sum() - 2 * overlap
    return max(0.0, float(np.square(a.mean - b.mean).sum() + spread))


class PictureSet:
    """Hold the features of pictures with alpha, over each of the flat backgrounds: 4·9·D bytes a picture."""

    def __init__(self, network: Network):
        self.network = network
        self.features: list[Array] = []  # (9, D) each; of an opaque picture one row, seen nine times

    def __len__(self) -> int:
        return len(self.features)

    def add(self, rgba: Array) -> Array:
        """Add straight RGBA (H, W, 4) in [0, 1]; returns its features (9, D)."""
        found = self.network(composites(rgba))
        self.features.append(np.broadcast_to(found, (len(COLOURS), found.shape[1])))
        return self.features[-1]

    def distance(self, other: "PictureSet") -> float | None:
        """Return the mean Fréchet distance over the backgrounds; None where a set has fewer than two pictures."""
        if min(len(self), len(other)) < 2:
            return None
        all_opaque = all(one.strides[0] == 0 for one in (*self.features, *other.features))
        sets = [np.stack(one.features)[:, : 1 if all_opaque else None] for one in (self, other)]  # (N, 1 or 9, D)
        pairs = ((fit(ours), fit(theirs)) for ours, theirs in zip(*(s.swapaxes(0, 1) for s in sets), strict=True))
        return float(np.mean([frechet_distance(*pair) for pair in pairs]))
