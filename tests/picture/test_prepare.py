"""What the model is shown: sRGB in [0, 1], whatever the file's colours; and the plate, as the output encodes it."""

from dataclasses import replace

import icc_profiles
import numpy as np
import PIL.Image
import pytest
import torch
from media.test_colour import by_littlecms
from picture_files import write_exr

from omnialpha_cli.media.colour import LINEAR, PRIMARIES, SRGB, Encoding, convert
from omnialpha_cli.media.image import Image
from omnialpha_cli.media.read import read_image
from omnialpha_cli.model.config import Defaults
from omnialpha_cli.picture.prepare import prepare
from omnialpha_cli.picture.settings import Settings
from omnialpha_cli.picture.view import KNEE, meter
from omnialpha_cli.tasks import TASKS

DEFAULTS = Defaults(steps=1, guidance=1.0, canvas=64, multiple=32)
SAMPLES = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)  # the size of the canvas: nothing is scaled


def shown(image: Image, format: str = "png", **more) -> np.ndarray:
    """What the model sees of a picture, (64, 64, 3)."""
    prepared = prepare(TASKS["matte.auto"], [image], DEFAULTS, Settings(format=format, **more))
    view = prepared.request.inputs[0]
    assert view.shape == (4, 64, 64) and view.dtype == torch.float32 and view.min() >= 0 and view.max() <= 1
    return view[:3].permute(1, 2, 0).numpy()


def plate(image: Image, format: str, **more) -> np.ndarray:
    prepared = prepare(TASKS["matte.auto"], [image], DEFAULTS, Settings(format=format, **more))
    return prepared.plate.permute(1, 2, 0).numpy()


@pytest.mark.parametrize("icc", [icc_profiles.display_p3(), icc_profiles.adobe_rgb()], ids=["P3", "Adobe RGB"])
@pytest.mark.parametrize("format", ["png", "exr"])
def test_a_wide_gamut_looks_right_to_the_model(tmp_path, icc, format):
    PIL.Image.fromarray(SAMPLES).save(tmp_path / "a.png", icc_profile=icc)
    view = shown(read_image(tmp_path / "a.png"), format)
    difference = np.abs(view * 255 - by_littlecms(icc, SAMPLES))
    assert difference.max() < 3 and difference.mean() < 0.5
    assert np.abs(by_littlecms(icc, SAMPLES).astype(int) - SAMPLES).mean() > 5  # which is another picture


def test_linear_light_is_shown_as_a_photograph_is_exposed(tmp_path):
    """Whatever the format of the result is; but for the exposure it is what a screen shows."""
    light = convert(SAMPLES.astype(np.float32) / 255, SRGB, LINEAR)
    image = read_image(write_exr(tmp_path / "a.exr", ("RGB", light)))
    exposure = meter(image)
    below = light * exposure.gain < KNEE
    for format in ("exr", "png", "tiff"):
        depth = "16" if format == "png" else None
        view = shown(image, format, depth=depth)
        np.testing.assert_allclose(view, exposure.show(light), atol=1e-4)
        np.testing.assert_allclose(convert(view, SRGB, LINEAR)[below], light[below] * exposure.gain, atol=1e-4)


def test_other_primaries_are_shown_as_on_a_screen(tmp_path):
    own, source = convert(SAMPLES.astype(np.float32) / 255, SRGB, LINEAR), Encoding("linear", PRIMARIES["ap1"])
    image = Image(convert(own, LINEAR, source), depth="half", encoding=Encoding("linear", PRIMARIES["ap1"]))
    np.testing.assert_allclose(shown(image, "exr"), meter(image).show(own), atol=1e-3)


def test_a_lamp_hardly_changes_what_is_below_white():
    light = np.full((64, 64, 3), 0.18, np.float32)
    bright = light.copy()
    bright[:2, :4] = 50
    one, two = (shown(Image(rgb, depth="half", encoding=LINEAR), "exr") for rgb in (light, bright))
    np.testing.assert_allclose(one[10:], two[10:], atol=0.03)
    assert (two[0, 0] > 0.95).all()


def test_what_is_not_finite_is_not_shown():
    light = np.full((64, 64, 3), 0.18, np.float32)
    light[3, 4], light[5, 6], light[7, 8] = np.nan, np.inf, -np.inf
    image = Image(light, depth="half", encoding=LINEAR)
    assert np.isfinite(shown(image, "exr")).all()
    assert np.isfinite(plate(image, "exr")).all()


def test_the_plate_is_as_the_output_encodes_it():
    light = np.random.default_rng(1).uniform(0, 4, (64, 64, 3)).astype(np.float32)
    image = Image(light, depth="half", encoding=LINEAR)
    assert (plate(image, "exr") == light).all()  # not a bit is changed
    np.testing.assert_array_equal(plate(image, "png", depth="16"), convert(light, LINEAR, SRGB))
    encoded = Image(SAMPLES.astype(np.float32) / 255)
    assert (plate(encoded, "png") == encoded.rgb).all()
    np.testing.assert_array_equal(plate(encoded, "exr"), convert(encoded.rgb, SRGB, LINEAR))


def test_light_without_coverage_counts_for_mattes_of_premultiplied_files_only():
    alpha = np.ones((64, 64), np.float32)
    alpha[:8] = 0
    for kind, task, expected in (
        ("premultiplied", "matte.auto", 8 * 64),
        ("straight", "matte.auto", None),
        ("premultiplied", "remove.auto", None),
    ):
        image = Image(np.ones((64, 64, 3), np.float32), alpha, "half", LINEAR, alpha_kind=kind)
        light = prepare(TASKS[task], [image], DEFAULTS, Settings(format="exr")).light
        assert (None if light is None else int(light.sum())) == expected


def test_pictures_of_one_request_share_the_exposure_of_its_scenes_and_displayed_ones_have_none(tmp_path):
    light = convert(SAMPLES.astype(np.float32) / 255, SRGB, LINEAR) * 0.05
    dark, darker = (read_image(write_exr(tmp_path / f"{i}.exr", ("RGB", light / i))) for i in (1, 2))
    PIL.Image.fromarray(SAMPLES).save(tmp_path / "a.png")
    task = replace(TASKS["run"], inputs=("image",) * 3)
    prepared = prepare(task, [read_image(tmp_path / "a.png"), dark, darker], DEFAULTS, Settings(format="exr"))
    shown_png, shown_dark, shown_darker = (view[:3].permute(1, 2, 0).numpy() for view in prepared.request.inputs)
    np.testing.assert_allclose(shown_png, SAMPLES / 255, atol=1e-3)
    exposure = meter(dark)
    np.testing.assert_allclose(shown_dark, exposure.show(light), atol=1e-3)
    np.testing.assert_allclose(shown_darker, exposure.show(light / 2), atol=1e-3)
