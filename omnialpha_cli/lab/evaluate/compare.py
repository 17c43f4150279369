"""Compare two sets of results on the same pictures: which is better, by how much, and how sure that is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Literal

from .scores import METRICS
from .statistics import Interval, paired_difference

Scores = Mapping[str, float]
Verdict = Literal["A", "B", "open"]

ENOUGH = 10  # pictures: the bootstrap of fewer makes its intervals too narrow to decide by


@dataclass(frozen=True)
class Comparison:
    """Hold one metric over the `count` pictures that have it in both: means, and the difference B − A."""

    a: float
    b: float
    difference: Interval
    better: Verdict
    count: int


def compare(a: Mapping[str, Scores], b: Mapping[str, Scores]) -> dict[str, Comparison]:
    """Compare scores by picture, of the pictures in both.

    `better` is open where the interval holds zero, or comes from fewer than ten pictures.
    """
    shared = [(a[name], b[name]) for name in a if name in b]
    metrics = dict.fromkeys(metric for one, other in shared for metric in one if metric in other)
    return {metric: _compare(metric, [(x[metric], y[metric]) for x, y in shared if metric in x and metric in y])
            for metric in metrics}  # fmt: skip


def _compare(metric: str, pairs: Sequence[tuple[float, float]]) -> Comparison:
    ours, theirs = zip(*pairs, strict=True)
    difference = paired_difference(ours, theirs)
    better: Verdict = "open"
    if len(pairs) >= ENOUGH and (difference.low > 0 or difference.high < 0):
        better = "B" if (difference.estimate > 0) == METRICS[metric].higher else "A"
    return Comparison(mean(ours), mean(theirs), difference, better, len(pairs))
