"""The cut-out: the plate's own pixels where opaque, the object's colours where not."""

import pytest
import torch
from scenes import hair, textured

from omnialpha_cli.imaging.canvas import choose_canvas
from omnialpha_cli.imaging.composite import checkerboard, over
from omnialpha_cli.imaging.matte.finish import finish_matte
from omnialpha_cli.lab.evaluate.scenes import hair_scene


@pytest.fixture
def scene():
    truth = torch.cat([textured(360, 540, (0.25, 0.15, 0.1), 1), hair(360, 540)[None]])
    plate = over(truth, torch.full((3, 360, 540), 0.95))
    canvas = choose_canvas(360, 540, 256)
    return truth, plate, canvas


def test_opaque_pixels_are_bit_identical_to_the_plate(scene):
    truth, plate, canvas = scene
    result = finish_matte(plate, None, canvas.fit(truth)[3], canvas)
    opaque = result[3] == 1
    assert opaque.sum() > 0.9 * (truth[3] == 1).sum()
    assert torch.equal(result[:3, opaque], plate[:, opaque])
    assert 0 <= result.min() <= result.max() <= 1


def test_a_cut_out_over_another_background_is_close_to_the_truth(scene):
    truth, plate, canvas = scene
    result = finish_matte(plate, None, canvas.fit(truth)[3], canvas)
    board = checkerboard(360, 540)
    assert (over(result, board) - over(truth, board)).abs().mean() < 0.01


def test_the_plates_own_alpha_is_multiplied_in(scene):
    truth, plate, canvas = scene
    own = torch.rand(360, 540)
    without = finish_matte(plate, None, canvas.fit(truth)[3], canvas)
    result = finish_matte(plate, own, canvas.fit(truth)[3], canvas)
    torch.testing.assert_close(result[3], without[3] * own)
    assert torch.equal(result[:3], without[:3])


def test_colours_that_cannot_be_seen_say_nothing_of_the_matte(scene):
    truth, plate, canvas = scene
    own = torch.ones(360, 540)
    own[:, 300:] = 0
    black = torch.where(own > 0, plate, torch.zeros_like(plate))
    one, other = (finish_matte(colours, own, canvas.fit(truth)[3], canvas)[3] for colours in (plate, black))
    assert torch.equal(one, other)


def test_the_layout_in_memory_does_not_matter(scene):
    truth, plate, canvas = scene
    rows_last = plate.permute(1, 2, 0).contiguous().permute(2, 0, 1)
    expected = finish_matte(plate, None, canvas.fit(truth)[3], canvas)
    torch.testing.assert_close(finish_matte(rows_last, None, canvas.fit(truth)[3], canvas), expected, atol=1e-5, rtol=0)


def test_a_matte_that_is_soft_everywhere_recomposes_in_range(scene):
    truth, plate, canvas = scene
    matte = canvas.fit(truth)
    matte[3] = 0.5 + 0.2 * torch.rand(canvas.size)
    result = finish_matte(plate, None, matte[3], canvas)
    assert 0 <= result.min() <= result.max() <= 1
    assert result.permute(1, 2, 0).is_contiguous()  # as files want it, without another copy


def test_a_clean_plate_brings_alpha_and_colours_nearer_to_the_truth():
    scene = hair_scene(360, 480)
    canvas = choose_canvas(360, 480, 128)
    matte = canvas.fit(scene.foreground)
    errors = []
    for behind in (None, scene.background):
        result = finish_matte(scene.plate, None, matte[3], canvas, behind)
        solid = result[3] == 1
        assert torch.equal(result[:3, solid], scene.plate[:, solid])
        grey = torch.full_like(scene.plate, 0.5)
        shown = (over(result, grey) - over(scene.foreground, grey)).square().mean()
        errors.append(((result[3] - scene.foreground[3]).square().mean(), shown))
    (alpha, shown), (alpha_with, shown_with) = errors
    assert alpha_with < 0.8 * alpha and shown_with < 0.8 * shown
