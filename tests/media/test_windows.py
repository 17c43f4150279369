"""Data and display windows: overscan, origins, and hints that were drawn on one of the two."""

import numpy as np
import OpenImageIO as oiio
import pytest
from picture_files import assert_refused

from omnialpha_cli.media.colour import LINEAR
from omnialpha_cli.media.image import Box, Image, Windows, align, on_display
from omnialpha_cli.media.read import read_image
from omnialpha_cli.media.write import target_for, write_grey, write_picture

CASES = {  # data, display, as in openexr-images/DisplayWindow
    "overscan": ((-4, -3, 20, 16), (0, 0, 12, 10)),
    "smaller": ((3, 2, 8, 6), (0, 0, 20, 12)),
    "beside": ((5, -2, 10, 10), (0, 0, 12, 12)),
    "moved": ((30, 20, 10, 8), (30, 20, 10, 8)),
    "display elsewhere": ((0, 0, 20, 16), (5, 4, 20, 16)),
    "negative": ((-40, -30, 16, 12), (-36, -27, 8, 6)),
}


def write(path, data, display, channels="RGB", **attributes):
    x, y, width, height = data
    spec = oiio.ImageSpec(width, height, len(channels), "float")
    spec.x, spec.y = x, y
    spec.full_x, spec.full_y, spec.full_width, spec.full_height = display
    spec.channelnames = tuple(channels)
    for name, value in attributes.items():
        spec.attribute(name, value)
    pixels = np.random.default_rng(0).uniform(0.1, 3, (height, width, len(channels))).astype(np.float32)
    writer = oiio.ImageOutput.create("openexr")
    assert writer.open(str(path), spec) and writer.write_image(pixels) and writer.close()
    return pixels


def windows_of(path):
    spec = oiio.ImageInput.open(str(path)).spec()
    return (spec.x, spec.y, spec.width, spec.height), (spec.full_x, spec.full_y, spec.full_width, spec.full_height)


@pytest.mark.parametrize(("data", "display"), CASES.values(), ids=CASES)
class TestEveryWindow:
    def test_all_pixels_are_read_and_come_back_where_they_were(self, tmp_path, data, display):
        pixels = write(tmp_path / "a.exr", data, display, PixelAspectRatio=2.0)
        image = read_image(tmp_path / "a.exr", overscan=True)
        np.testing.assert_array_equal(image.rgb, pixels)
        target = target_for("exr", image, None)
        rgba = np.dstack([image.rgb, np.ones(image.size, np.float32)])
        write_picture(tmp_path / "out.exr", rgba, target)
        write_grey(tmp_path / "alpha.exr", rgba[..., 3], target)
        for name in ("out.exr", "alpha.exr"):
            assert windows_of(tmp_path / name) == (data, display)
            assert oiio.ImageInput.open(str(tmp_path / name)).spec().get_float_attribute("PixelAspectRatio") == 2

    def test_formats_without_windows_get_the_display_window(self, tmp_path, data, display):
        write(tmp_path / "a.exr", data, display)
        image = read_image(tmp_path / "a.exr", overscan=True)
        rgba = np.dstack([image.rgb, np.ones(image.size, np.float32)])
        write_picture(tmp_path / "out.png", rgba, target_for("png", image, "8"))
        shown = read_image(tmp_path / "a.exr")  # without overscan
        out = read_image(tmp_path / "out.png")
        assert out.size == shown.size == (display[3], display[2])
        covered = shown.rgb.sum(-1) > 0
        np.testing.assert_array_equal(out.alpha > 0, covered)

    def test_a_hint_on_the_display_window_meets_the_pixels_that_it_means(self, tmp_path, data, display):
        write(tmp_path / "a.exr", data, display)
        image = read_image(tmp_path / "a.exr", overscan=True)
        shown = on_display(image)
        hint = align(Image(shown.rgb, depth="float"), image)  # such as a PNG that shows the same
        assert hint.size == image.size
        inside = on_display(Image(np.ones_like(image.rgb), windows=image.windows))
        back = on_display(Image(hint.rgb, windows=image.windows))
        np.testing.assert_array_equal(back.rgb[inside.rgb > 0], shown.rgb[inside.rgb > 0])


def test_a_hint_of_half_the_size_meets_the_same_pixels():
    plate = Image(np.zeros((40, 60, 3), np.float32), windows=Windows(Box(-10, -10, 60, 40), Box(0, 0, 40, 20)))
    proxy = np.zeros((10, 20, 3), np.float32)
    proxy[2:4, 6:9] = 1  # rows 4 to 8, columns 12 to 18 of the display window
    hint = align(Image(proxy), plate)
    assert hint.size == (20, 30)
    assert {(y, x) for y, x in np.argwhere(hint.rgb[..., 0])} == {(y, x) for y in (7, 8) for x in (11, 12, 13)}


def test_a_roto_cropped_to_what_it_has_is_black_elsewhere():
    plate = Image(np.zeros((20, 30, 3), np.float32))
    roto = Image(np.ones((4, 5, 3), np.float32), windows=Windows(Box(10, 8, 5, 4), Box(0, 0, 30, 20)))
    hint = align(roto, plate)
    assert hint.size == (20, 30) and hint.rgb[8:12, 10:15].all() and hint.rgb.sum() == 60


def test_nothing_in_the_display_window_is_no_picture(tmp_path):
    write(tmp_path / "a.exr", (100, 100, 8, 8), (0, 0, 20, 20))
    assert_refused(tmp_path / "a.exr", "empty", "no pixel in its display window")
    assert not read_image(tmp_path / "a.exr", data=True).rgb.any()  # but an empty mask


def test_plain_files_have_no_windows(tmp_path):
    write(tmp_path / "a.exr", (0, 0, 8, 8), (0, 0, 8, 8))
    assert read_image(tmp_path / "a.exr", overscan=True).windows is None
    assert read_image(tmp_path / "a.exr").encoding == LINEAR
