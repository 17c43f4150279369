"""MSRoPE-BiL by hand: layer index, centred coordinates, the context diagonal, and the angles."""

import math

import pytest
import torch

from omnialpha_cli.model.positions import (
    Layout,
    canvas_scale,
    context_positions,
    image_positions,
    rotary_angles,
    rotate,
)


@pytest.mark.parametrize("m", [1, 2, 3])
@pytest.mark.parametrize("n", [0, 1, 2])
def test_targets_come_first_and_the_layer_index_counts_through(m, n):
    layout = Layout([(2, 3)] * m, [(1, 2)] * n)
    z = image_positions(layout)[:, 0].tolist()
    assert z == [k for k in range(m) for _ in range(6)] + [m + k for k in range(n) for _ in range(2)]


def test_coordinates_are_centred():
    positions = image_positions(Layout([(3, 4)]))
    assert positions[:, 1].view(3, 4)[:, 0].tolist() == [-2, -1, 0]  # h = 3: −(3 − 1) .. 3//2 − 1
    assert positions[:, 2].view(3, 4)[0].tolist() == [-2, -1, 0, 1]


@pytest.mark.parametrize(("images", "start"), [([(4, 6)], 3), ([(5, 3), (9, 2)], 4), ([(1, 1)], 0)])
def test_context_lies_on_the_diagonal_past_the_largest_image(images, start):
    positions = context_positions(Layout(images[:1], images[1:]), 3)
    assert positions.tolist() == [[start + j] * 3 for j in range(3)]


def test_context_position_depends_on_neither_the_number_of_inputs_nor_of_targets():
    one, many = Layout([(4, 6)]), Layout([(4, 6)] * 3, [(4, 6)] * 2)
    assert torch.equal(context_positions(one, 5), context_positions(many, 5))


def test_angles_are_position_over_powers_of_theta():
    angles = rotary_angles(torch.tensor([[2.0, -3.0, 0.5]]), (4, 2, 4))
    expected = [2.0, 2.0 / 100, -3.0, 0.5, 0.5 / 100]  # 10000^(0/4), 10000^(2/4); 10000^0; …
    assert angles[0].tolist() == pytest.approx(expected)


def test_rotation_turns_adjacent_pairs():
    x = torch.tensor([[[[1.0, 0.0, 0.0, 2.0]]]])
    angle = torch.tensor([math.pi / 2, math.pi])
    assert rotate(x, angle.cos(), angle.sin())[0, 0, 0].tolist() == pytest.approx([0, 1, 0, -2], abs=1e-6)


def test_rope_canvas_gives_a_large_canvas_the_span_of_a_small_one():
    small, large = Layout([(8, 8)]), Layout([(16, 16)])
    assert canvas_scale(small.images, None) == 1
    a, b = image_positions(small, 16), image_positions(large, 16)
    assert a[:, 1].min() == b[:, 1].min() == -8
    assert b[1, 2] - b[0, 2] == 1
    assert a[1, 2] - a[0, 2] == 2
