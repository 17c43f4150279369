"""Hints are data: what they say, at which size, and what of them is kept."""

import pytest
import torch

from omnialpha_cli.imaging.canvas import resample
from omnialpha_cli.imaging.hint import grow_round, hint_values, keep_known, same_shape


def test_grey_is_taken_as_it_is():
    grey = torch.rand(4, 6)
    torch.testing.assert_close(hint_values(grey.expand(3, -1, -1), None), grey, atol=1e-6, rtol=0)


def test_white_and_black_are_exactly_one_and_zero():
    for value in (0.0, 1.0):
        assert (hint_values(torch.full((3, 4, 6), value), None) == value).all()


def test_alpha_counts_where_it_varies():
    rgb, alpha = torch.rand(3, 4, 6), torch.rand(4, 6)
    assert torch.equal(hint_values(rgb, alpha), alpha)
    assert torch.equal(hint_values(rgb, torch.ones(4, 6)), hint_values(rgb, None))


@pytest.mark.parametrize(
    ("size", "same"),
    [((100, 200), True), ((50, 100), True), ((101, 200), True), ((102, 200), False), ((200, 100), False)],
)
def test_shapes_agree_within_one_percent(size, same):
    assert same_shape(size, (100, 200)) == same


def test_a_scaled_hint_keeps_its_flat_regions():
    hint = torch.zeros(10, 20)
    hint[:, 10:] = 1
    scaled = resample(hint, 40, 80)
    assert (scaled[:, :37] == 0).all() and (scaled[:, 43:] == 1).all()


def test_known_regions_are_kept_and_the_unknown_is_left_alone():
    alpha = torch.full((1, 5), 0.3)
    trimap = torch.tensor([[0.0, 0.04, 0.5, 0.96, 1.0]])
    assert keep_known(alpha, trimap).tolist() == [[0, 0, pytest.approx(0.3), 1, 1]]


@pytest.mark.parametrize("pixels", [0, 1, 5])
def test_a_mask_grows_in_circles(pixels):
    mask = torch.zeros(30, 40, dtype=torch.bool)
    places = torch.tensor([[0, 0], [12, 20], [29, 38]])
    mask[tuple(places.T)] = True
    y, x = torch.meshgrid(torch.arange(30), torch.arange(40), indexing="ij")
    near = ((torch.stack((y, x), -1)[:, :, None] - places).square().sum(-1) <= pixels**2).any(-1)
    assert torch.equal(grow_round(mask, pixels), near)


def test_a_mask_grows_far_to_a_sixteenth():
    mask = torch.zeros(200, 300, dtype=torch.bool)
    mask[100, 150] = True
    area = float(grow_round(mask, 64).sum())
    assert area == pytest.approx(64**2 * torch.pi, rel=2 / 16)
