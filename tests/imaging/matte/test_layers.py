"""Layers make up the plate again, whatever the model painted."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scenes import hair, textured

from omnialpha_cli.imaging.canvas import choose_canvas
from omnialpha_cli.imaging.composite import over
from omnialpha_cli.imaging.matte.finish import Steering, finish_layers, solve


@pytest.fixture
def scene():
    """True layers, the plate that they make, and its canvas."""
    foreground = torch.cat([textured(360, 540, (0.25, 0.15, 0.1), 1), hair(360, 540)[None]])
    background = textured(360, 540, (0.8, 0.85, 0.7), 2)
    return foreground, background, over(foreground, background), choose_canvas(360, 540, 256)


def finished(plate, layers, canvas, trimap=None):
    """Finish layers with the mattes that the model gave."""
    background, *foregrounds = layers
    mattes = [(front[3], canvas) for front in foregrounds]
    return finish_layers(plate, background, foregrounds, canvas, mattes, steering=Steering(trimap))


def opaque(colour):
    return torch.cat([colour, torch.ones_like(colour[:1])])


def eight_bits(layer):
    return (layer * 255).round() / 255


def test_the_layers_make_up_the_plate(scene):
    foreground, background, plate, canvas = scene
    behind, front = finished(plate, [canvas.fit(opaque(background)), canvas.fit(foreground)], canvas)
    assert (behind[3] == 1).all()
    solid = (front[3] == 0) | (front[3] == 1)
    assert 0.5 < solid.float().mean() < 1
    assert torch.equal(over(front, behind[:3])[:, solid], plate[:, solid])
    torch.testing.assert_close(over(front, behind[:3]), plate, atol=1e-5, rtol=0)
    written = over(eight_bits(front), eight_bits(behind[:3]))
    assert (written - plate).abs().mean() < 1 / 255


def test_they_are_near_the_truth(scene):
    foreground, background, plate, canvas = scene
    behind, front = finished(plate, [canvas.fit(opaque(background)), canvas.fit(foreground)], canvas)
    assert (front[3] - foreground[3]).abs().mean() < 0.01
    assert (behind[:3] - background).abs().mean() < 0.01
    grey = torch.full_like(background, 0.5)
    assert (over(front, grey) - over(foreground, grey)).abs().mean() < 0.01


def test_a_colour_cast_of_the_models_background_is_taken_out(scene):
    foreground, background, plate, canvas = scene
    cast = canvas.fit(opaque(background - 0.1))
    behind, _ = finished(plate, [cast, canvas.fit(foreground)], canvas)
    assert (behind[:3] - background).abs().mean() < 0.01


def test_whatever_the_model_paints_they_make_up_the_plate(scene):
    _, _, plate, canvas = scene
    noise = torch.rand(2, 4, *canvas.size, generator=torch.Generator().manual_seed(0))
    behind, front = finished(plate, noise, canvas)
    torch.testing.assert_close(over(front, behind[:3]), plate, atol=1e-5, rtol=0)
    assert all(0 <= layer.min() <= layer.max() <= 1 for layer in (front, behind))


def test_a_trimaps_known_regions_are_kept(scene):
    foreground, background, plate, canvas = scene
    trimap = torch.full((360, 540), 0.5)
    trimap[:100], trimap[300:] = 1, 0
    behind, front = finished(plate, [canvas.fit(opaque(background)), canvas.fit(foreground)], canvas, trimap)
    assert (front[3, :100] == 1).all() and (front[3, 300:] == 0).all()
    assert torch.equal(behind[:3, 300:], plate[:, 300:])


@pytest.mark.slow
def test_three_layers_make_up_the_plate_and_come_near_the_truth(scene):
    lower, background, _, canvas = scene
    upper = torch.cat([textured(360, 540, (0.1, 0.2, 0.7), 3), torch.zeros(1, 360, 540)])
    upper[3, 120:240, 200:340] = 1
    plate = over(upper, over(lower, background))
    layers = [canvas.fit(layer) for layer in (opaque(background), lower, upper)]
    bottom, middle, top = finished(plate, layers, canvas)
    torch.testing.assert_close(over(top, over(middle, bottom[:3])), plate, atol=1e-5, rtol=0)
    for found, true in ((bottom, opaque(background)), (middle, lower), (top, upper)):
        assert (found[3] - true[3]).abs().mean() < 0.01
        assert ((found - true)[:3] * true[3]).abs().mean() < 0.015


unit = st.floats(0, 1, width=32)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(unit, unit, unit, unit)
def test_solved_colours_mix_to_the_plate_and_stay_in_range(plate, alpha, foreground, background):
    colours = [torch.full((3, 1, 1), value) for value in (plate, foreground, background)]
    a = torch.full((1, 1), alpha)
    front, behind = solve(colours[0], a, colours[1], colours[2], (0, 1))
    torch.testing.assert_close(a * front + (1 - a) * behind, colours[0], atol=2e-6, rtol=0)
    assert 0 <= front.min() <= front.max() <= 1 and 0 <= behind.min() <= behind.max() <= 1


def test_colours_that_mix_to_the_plate_already_are_not_changed():
    foreground, background, alpha = torch.rand(3, 8, 8), torch.rand(3, 8, 8), torch.rand(8, 8)
    plate = alpha * foreground + (1 - alpha) * background
    front, behind = solve(plate, alpha, foreground, background, (0, 1))
    torch.testing.assert_close(front, foreground, atol=1e-3, rtol=0)
    torch.testing.assert_close(behind, background, atol=1e-3, rtol=0)
