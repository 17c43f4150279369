"""Connected parts of a mask."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def largest_component(mask: Mask) -> Mask:
    """The largest part of a mask (H, W) whose pixels are joined by their sides; nothing of an empty one.

    Each row is cut into runs, and runs that touch in neighbouring rows are joined.
    """
    width = mask.shape[1] + 2  # an empty column on each side, so that no run goes over from row to row
    flat = np.pad(mask, ((0, 0), (1, 1))).ravel().astype(np.int8)
    steps = np.diff(flat)
    starts, ends = np.flatnonzero(steps == 1) + 1, np.flatnonzero(steps == -1) + 1  # [start, end) in `flat`
    if not len(starts):
        return np.zeros_like(mask)
    first = np.searchsorted(ends, starts + width, "right")  # of the runs in the next row that lie below each
    touching = np.maximum(np.searchsorted(starts, ends + width, "left") - first, 0)
    above = np.repeat(np.arange(len(starts)), touching)
    below = np.arange(len(above)) + np.repeat(first - np.cumsum(touching) + touching, touching)
    part = _join(len(starts), above, below)
    chosen = part == np.bincount(part, weights=ends - starts).argmax()
    filled = np.zeros(len(flat), np.int8)
    filled[starts[chosen]], filled[ends[chosen]] = 1, -1
    return np.cumsum(filled, dtype=np.int8).astype(bool).reshape(len(mask), width)[:, 1:-1]


def _join(count: int, one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.intp]:
    """Label `count` things so that those joined by the pairs (one, other) have the same label."""
    label = np.arange(count)
    while True:
        a, b = label[one], label[other]
        apart = a != b
        if not apart.any():
            return label
        np.minimum.at(label, np.maximum(a, b)[apart], np.minimum(a, b)[apart])
        while not np.array_equal(shorter := label[label], label):
            label = shorter
