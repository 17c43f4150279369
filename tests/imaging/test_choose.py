"""Of the objects in a matte, the one that is meant."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from omnialpha_cli.imaging.choose import choose_object
from omnialpha_cli.imaging.components import connected_parts


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.62, 1.0])
def test_parts_are_those_that_scipy_finds(share):
    mask = np.random.default_rng(3).random((41, 57)) < share
    found, (known, count) = connected_parts(mask), ndimage.label(mask)
    assert found.max() == count
    pairs = set(zip(found.ravel().tolist(), known.ravel().tolist(), strict=True))
    assert len(pairs) == count + (not mask.all())  # one number here for each there, and 0 outside


def two_objects() -> torch.Tensor:
    alpha = torch.zeros(64, 96)
    alpha[10:40, 10:40] = 1.0
    alpha[20:60, 60:90] = 0.8
    alpha[30:32, 40:60] = 1.0  # a bridge between them
    alpha[2, 2] = 1.0  # too small to be an object
    return alpha


@pytest.mark.parametrize(
    ("side", "own", "other"),
    [(0, np.s_[10:40, 10:40], np.s_[20:60, 60:90]), (1, np.s_[20:60, 60:90], np.s_[10:40, 10:40])],
)
def test_the_object_where_the_words_are_relevant_is_kept_as_it_is(side, own, other):
    alpha, relevance = two_objects(), torch.zeros(4, 6)
    relevance[:, 3 * side : 3 * side + 3] = 2.0
    chosen = choose_object(alpha, relevance)
    assert torch.equal(chosen[own], alpha[own])
    assert chosen[other].max() == 0 and chosen[2, 2] == 0


def test_one_object_is_kept_whatever_the_words():
    alpha = torch.zeros(64, 96)
    alpha[20:60, 60:90] = 0.8
    assert torch.equal(choose_object(alpha, torch.randn(4, 6)), alpha)


def test_where_nothing_is_an_object_all_is_kept():
    faint = torch.full((64, 96), 0.1)
    assert torch.equal(choose_object(faint, torch.randn(4, 6)), faint)
