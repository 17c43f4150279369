"""Measure how sure a difference or a share is."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 10_000
CHUNK = 2_000_000  # drawn indices at a time
Z95 = 1.959963984540054  # standard normal quantile of 97.5 %


@dataclass(frozen=True)
class Interval:
    """Hold an estimate with its 95 % interval."""

    estimate: float
    low: float
    high: float


def paired_difference(a: Sequence[float], b: Sequence[float]) -> Interval:
    """Return the mean of b − a over pictures judged twice, with its bootstrap interval.

    The pictures' differences are drawn with replacement 10,000 times, always the same ones; the interval holds the
    middle 95 % of their means (the percentile interval of Efron & Tibshirani, "An Introduction to the Bootstrap", 1993,
    ch. 13). It says how much another draw of such pictures would change the figure, no more.
    """
    differences = np.asarray(b, np.float64) - np.asarray(a, np.float64)
    count, g = len(differences), np.random.default_rng(0)
    rows = max(1, CHUNK // count)
    sizes = [min(rows, RESAMPLES - start) for start in range(0, RESAMPLES, rows)]
    means = np.concatenate([differences[g.integers(0, count, (size, count))].mean(1) for size in sizes])
    low, high = np.quantile(means, (0.025, 0.975))
    return Interval(float(differences.mean()), float(low), float(high))


def wilson(wins: float, count: int) -> Interval:
    """Return a share of `count` tries with its score interval (Wilson, JASA 1927); `wins` may hold halves, for ties."""
    share, z2 = wins / count, Z95**2
    centre = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = Z95 / (1 + z2 / count) * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    return Interval(share, max(0.0, centre - half), min(1.0, centre + half))
