"""The connected parts of a mask are those that scipy finds, numbered in the order of their first pixels."""

import numpy as np
import pytest
from scipy import ndimage

from omnialpha_cli.model.mini.connected import number_parts


@pytest.mark.parametrize("seed", range(12))
def test_parts_are_those_of_scipy(seed):
    drawn = np.random.default_rng(seed)
    noise = drawn.random((drawn.integers(1, 60), drawn.integers(1, 70)))
    mask = ndimage.gaussian_filter(noise, 0.2 * seed) > noise.mean()
    known, count = ndimage.label(mask)  # by their sides
    np.testing.assert_array_equal(number_parts(mask), known)
    assert number_parts(mask).max(initial=0) == count


def test_pixels_that_touch_at_a_corner_are_two_parts():
    np.testing.assert_array_equal(number_parts(np.eye(2, dtype=bool)), [[1, 0], [0, 2]])


def test_arms_that_meet_below_are_one_part():
    fork = np.array([[1, 0, 1], [1, 0, 1], [1, 1, 1]], bool)
    np.testing.assert_array_equal(number_parts(fork), fork)


@pytest.mark.parametrize("value", [False, True])
def test_one_value_everywhere_is_no_part_or_one(value):
    np.testing.assert_array_equal(number_parts(np.full((3, 4), value)), np.full((3, 4), value))
