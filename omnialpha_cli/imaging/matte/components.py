"""Label the connected parts of a mask."""

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def largest_component(mask: Mask) -> Mask:
    """Return the largest part of a mask (H, W) whose pixels are joined by their sides; nothing of an empty one."""
    parts = connected_parts(mask)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    return (parts == sizes.argmax()) & mask


def connected_parts(mask: Mask) -> NDArray[np.int32]:
    """Return the parts of a mask (H, W) whose pixels are joined by their sides, numbered from 1; 0 outside of it.

    Each row is cut into runs, and runs that touch in neighbouring rows are joined.
    """
    width = mask.shape[1] + 2  # an empty column on each side, so that no run goes over from row to row
    flat = np.pad(mask, ((0, 0), (1, 1))).ravel().astype(np.int8)
    steps = np.diff(flat)
    starts, ends = np.flatnonzero(steps == 1) + 1, np.flatnonzero(steps == -1) + 1  # [start, end) in `flat`
    if not len(starts):
        return np.zeros(mask.shape, np.int32)
    first = np.searchsorted(ends, starts + width, "right")  # of the runs in the next row that lie below each
    touching = np.maximum(np.searchsorted(starts, ends + width, "left") - first, 0)
    above = np.repeat(np.arange(len(starts)), touching)
    below = np.arange(len(above)) + np.repeat(first - np.cumsum(touching) + touching, touching)
    number = np.unique(_join(len(starts), above, below), return_inverse=True)[1] + 1
    filled = np.zeros(len(flat), np.int32)
    filled[starts], filled[ends] = number, -number
    return np.cumsum(filled, dtype=np.int32).reshape(len(mask), width)[:, 1:-1]


def _join(count: int, one: NDArray[np.intp], other: NDArray[np.intp]) -> NDArray[np.intp]:
    """Label `count` things so that those joined by the pairs (one, other) share a label."""
    label = np.arange(count)
    while True:
        a, b = label[one], label[other]
        apart = a != b
        if not apart.any():
            return label
        np.minimum.at(label, np.maximum(a, b)[apart], np.minimum(a, b)[apart])
        while not np.array_equal(shorter := label[label], label):
            label = shorter
