"""Of the objects in a matte, the one that is meant."""

import numpy as np
import pytest
import torch

from omnialpha_cli.picture.choose import choose_object


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


def two_that_touch() -> tuple[torch.Tensor, torch.Tensor]:
    """Two discs that are one part of the matte, and which of the two each pixel is nearer to."""
    rows, columns = torch.meshgrid(torch.arange(96.0), torch.arange(128.0), indexing="ij")
    one, other = ((rows - 48).hypot(columns - middle) < 26 for middle in (40, 88))
    return (one | other).float(), columns < 64


@pytest.mark.parametrize("side", [0, 1])
def test_objects_that_touch_are_separated_by_the_words(side):
    alpha, left = two_that_touch()
    relevance = torch.zeros(6, 8)
    relevance[:, 4 * side : 4 * side + 4] = 2.0
    chosen, meant = choose_object(alpha, relevance), left if side == 0 else ~left
    assert ((chosen > 0) == ((alpha > 0) & meant)).float().mean() > 0.995


def test_what_narrows_is_one_object_where_the_words_say_little():
    alpha, _ = two_that_touch()
    relevance = torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(choose_object(alpha, relevance), alpha)


def test_parts_that_are_as_relevant_are_kept_together():
    alpha = two_objects()
    relevance = (alpha > 0) + 0.1 * (torch.arange(96) > 50)
    chosen = choose_object(alpha, relevance)
    assert chosen[10:40, 10:40].min() == 1 and chosen[20:60, 60:90].min() > 0
