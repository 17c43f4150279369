"""What the model sees of a scene's light, and the way back."""

import numpy as np
import pytest

from omnialpha_cli.media.colour import LINEAR, SRGB, to_linear
from omnialpha_cli.media.image import Image
from omnialpha_cli.picture.view import Exposure, meter, pushed

RANDOM = np.random.default_rng(0)


def scene(stops: float = 0, lamp: float = 0) -> Image:
    light = RANDOM_LIGHT * 2.0**stops
    if lamp:
        light = light.copy()
        light[:2, :2] = lamp
    return Image(light.astype(np.float32), depth="half", encoding=LINEAR)


RANDOM_LIGHT = np.random.default_rng(0).gamma(2, 0.1, (60, 80, 3)).astype(np.float32)


@pytest.mark.parametrize("stops", [-6, -3, 3, 6])
def test_a_plate_is_seen_the_same_at_every_exposure(stops):
    one, other = scene(), scene(stops)
    np.testing.assert_allclose(meter(other).show(other.rgb), meter(one).show(one.rgb), atol=1e-4)


def test_a_lamp_does_not_darken_the_rest():
    plain, lit = scene(), scene(lamp=1000)
    np.testing.assert_allclose(meter(lit).show(lit.rgb)[10:], meter(plain).show(plain.rgb)[10:], atol=0.06)


@pytest.mark.parametrize("exposure", [Exposure(), Exposure(3.0, 1.0), Exposure(0.1, 8.0), Exposure(20.0, 1.2)])
def test_there_is_one_way_back(exposure):
    light = RANDOM.uniform(0, exposure.peak / exposure.gain, (500, 3)).astype(np.float32)
    view = exposure.show(light)
    assert view.min() >= 0 and view.max() <= 1.0001
    np.testing.assert_allclose(exposure.take_back(view), light, rtol=2e-3, atol=1e-5 / exposure.gain)


def test_below_the_knee_all_is_as_a_display_shows_it():
    light = RANDOM.uniform(0, 0.79, (500, 3)).astype(np.float32)
    np.testing.assert_allclose(to_linear(Exposure(1.0, 6.0).show(light), SRGB), light, atol=1e-5)


def test_stops_are_added():
    exposure = meter(scene())
    assert pushed(exposure, 2).gain == pytest.approx(4 * exposure.gain)


def test_what_is_no_light_does_not_count():
    image = scene()
    image.rgb[0, 0] = np.nan
    image.rgb[1, 1] = -5
    assert np.isfinite(meter(image).gain)
    assert meter(Image(np.zeros((4, 4, 3), np.float32), depth="half", encoding=LINEAR)) == Exposure()
