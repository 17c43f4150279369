"""Writing one picture: samples come back exactly in any reader, and a final name never holds half a file."""

import io
import resource
import signal

import hostile
import icc_profiles
import numpy as np
import OpenImageIO as oiio
import PIL.Image
import PIL.ImageCms
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from picture_files import by_openimageio, write_exr

from omnialpha_cli.files import atomic, complete
from omnialpha_cli.media.colour import LINEAR, PRIMARIES, SRGB, Encoding
from omnialpha_cli.media.formats import FORMATS
from omnialpha_cli.media.image import Image, Typed
from omnialpha_cli.media.read import read_image
from omnialpha_cli.media.samples import LARGEST_HALF, to_samples
from omnialpha_cli.media.write import Target, target_for, write_grey, write_picture, write_png
from omnialpha_cli.status import ItemError

SHAPES = st.tuples(st.integers(2, 9), st.integers(2, 9), st.just(4))
WHITE = {"8": (np.uint8, 255), "16": (np.uint16, 65535), "half": (np.float16, 1), "float": (np.float32, 1)}
RGBA = np.random.default_rng(0).random((13, 17, 4), np.float32)


@pytest.mark.parametrize(
    ("format", "depth"),
    [("png", "8"), ("png", "16"), ("webp", "8"), ("tiff", "8"), ("tiff", "16"), ("tiff", "half"), ("tiff", "float")],
)
@pytest.mark.parametrize("compression", ["none", "fast", "small"])
@settings(max_examples=10)
@given(data=st.data())
def test_straight_formats_are_exact_even_under_alpha_0(tmp_path_factory, format, depth, compression, data):
    sample, white = WHITE[depth]
    elements = st.floats(-4, 4, width=16) if white == 1 else None
    samples = data.draw(arrays.arrays(sample, SHAPES, elements=elements))
    path = tmp_path_factory.mktemp("out") / f"a{FORMATS[format].suffix}"
    write_picture(path, samples.astype(np.float32) / white, Target(format, depth, compression=compression))
    read = by_openimageio(path)
    assert read.dtype == samples.dtype
    if format == "webp" and (samples[..., 3] == 255).all():  # libwebp leaves out an alpha that is 1 everywhere
        np.testing.assert_array_equal(read, samples[..., :3])
        return
    np.testing.assert_array_equal(read, samples)
    if white != 1:
        image = read_image(path)
        np.testing.assert_array_equal(np.round(np.dstack([image.rgb, image.alpha]) * white), samples)


@pytest.mark.parametrize("depth", ["half", "float"])
@pytest.mark.parametrize("compression", ["none", "fast", "small"])
def test_exr_is_premultiplied_linear_and_keeps_what_is_beyond_0_and_1(tmp_path, depth, compression):
    rgba = RGBA.copy()
    rgba[..., :3] = rgba[..., :3] * 10 - 3
    rgba[0, :, 3], rgba[1, :, 3] = 0, 1
    light = np.zeros((13, 17), bool)
    light[0, 3] = light[5, 5] = True
    write_picture(tmp_path / "a.exr", rgba, Target("exr", depth, LINEAR, compression=compression), light)
    expected = np.concatenate((rgba[..., :3] * rgba[..., 3:], rgba[..., 3:]), -1)
    expected[0, 3, :3] = rgba[0, 3, :3]  # light without coverage; under coverage it is colour like any other
    np.testing.assert_array_equal(by_openimageio(tmp_path / "a.exr"), expected.astype(WHITE[depth][0]))


@pytest.mark.parametrize("depth", ["half", "float"])
def test_an_exr_file_comes_back_as_it_was(tmp_path, depth):
    """Read, divided by alpha, multiplied again: half is exact, float to its last bit."""
    sample = WHITE[depth][0]
    stored = np.random.default_rng(1).normal(1, 3, (9, 11, 4)).astype(sample)
    stored[..., 3] = np.clip(stored[..., 3], 0, 1)
    write_with = oiio.ImageBuf(oiio.ImageSpec(11, 9, 4, depth))
    write_with.set_pixels(oiio.ROI(0, 11, 0, 9, 0, 1, 0, 4), stored.astype(np.float32))
    assert write_with.write(str(tmp_path / "a.exr"))
    image = read_image(tmp_path / "a.exr")
    rgba = np.dstack([image.rgb, image.alpha])
    write_picture(tmp_path / "b.exr", rgba, target_for("exr", image, None), image.alpha == 0)
    read = by_openimageio(tmp_path / "b.exr")
    np.testing.assert_allclose(read, stored, rtol=0 if depth == "half" else 2e-7)


def test_premultiplied_tiff_says_so(tmp_path):
    write_picture(tmp_path / "a.tif", RGBA, Target("tiff", "16", premultiplied=True))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].extrasamples == (tifffile.EXTRASAMPLE.ASSOCALPHA,)
        expected = np.concatenate((RGBA[..., :3] * RGBA[..., 3:], RGBA[..., 3:]), -1)
        np.testing.assert_allclose(file.asarray() / 65535, expected, atol=1 / 65535)
    image = read_image(tmp_path / "a.tif")
    assert image.alpha_kind == "premultiplied"
    solid = RGBA[..., 3] > 0.1
    np.testing.assert_allclose(image.rgb[solid], RGBA[solid, :3], atol=2e-4)


def test_straight_tiff_says_so(tmp_path):
    write_picture(tmp_path / "a.tif", RGBA, Target("tiff", "8"))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.pages[0].extrasamples == (tifffile.EXTRASAMPLE.UNASSALPHA,)


@pytest.mark.parametrize("name", [name for name, row in FORMATS.items() if row.grey])
def test_grey_is_one_channel_of_data(tmp_path, name):
    grey = np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7)
    depths = set(FORMATS[name].depths.values())
    for depth in depths:
        path = tmp_path / f"{depth}{FORMATS[name].suffix}"
        write_grey(path, grey, Target(name, depth, Encoding(icc=icc_profiles.display_p3())))
        sample, white = WHITE[depth]
        read = by_openimageio(path)
        assert read.shape[2] == (3 if name == "webp" else 1)  # WebP has no grey
        expected = np.floor(grey * np.float32(white) + 0.5) if white > 1 else grey.astype(sample)
        np.testing.assert_array_equal(read[..., 0], expected)
        assert read_image(path).encoding.icc is None
    if name == "png":
        with PIL.Image.open(path) as picture:
            assert "gamma" not in picture.info and "srgb" not in picture.info  # alpha is not transfer-encoded


def test_quantising_rounds_to_nearest_and_clamps():
    values = np.array([-1, 0, 0.4999 / 255, 0.5001 / 255, 1, 2, np.nan, np.inf, -np.inf], np.float32)
    np.testing.assert_array_equal(to_samples(values, "8"), [0, 0, 0, 1, 255, 255, 0, 255, 0])


def test_half_keeps_infinities_and_clamps_what_it_cannot_reach():
    values = np.array([1e6, -1e6, np.inf, -np.inf, np.nan, 0.1], np.float32)
    expected = [LARGEST_HALF, -LARGEST_HALF, np.inf, -np.inf, np.nan, np.float16(0.1)]
    np.testing.assert_array_equal(to_samples(values, "half"), expected)


class TestProfilesAndMetadata:
    @pytest.mark.parametrize("format", ["png", "tiff", "webp"])
    def test_the_profile_is_given_back(self, tmp_path, format):
        path = tmp_path / f"a{FORMATS[format].suffix}"
        write_picture(path, RGBA, Target(format, "8", Encoding(icc=icc_profiles.display_p3())))
        with PIL.Image.open(path) as picture:
            assert picture.info["icc_profile"] == icc_profiles.display_p3()
            assert "srgb" not in picture.info  # a PNG file has a profile or an sRGB chunk, not both
        assert read_image(path).encoding.icc == icc_profiles.display_p3()

    @pytest.mark.parametrize("encoding", [SRGB, LINEAR, Encoding(1.8), Encoding("pq", PRIMARIES["rec2020"]),
                                          Encoding("hlg", PRIMARIES["p3d65"])])  # fmt: skip
    def test_png_tells_its_encoding(self, tmp_path, encoding):
        write_picture(tmp_path / "a.png", RGBA, Target("png", "16", encoding))
        read = read_image(tmp_path / "a.png").encoding
        assert read.primaries == encoding.primaries
        assert read.transfer == (pytest.approx(1.8, abs=1e-4) if encoding.transfer == 1.8 else encoding.transfer)

    def test_floats_in_tiff_are_said_to_be_srgb_where_they_are(self, tmp_path):
        write_picture(tmp_path / "a.tif", RGBA, Target("tiff", "float", SRGB))
        icc = read_image(tmp_path / "a.tif").encoding.icc
        profile = PIL.ImageCms.ImageCmsProfile(io.BytesIO(icc))
        assert "sRGB" in PIL.ImageCms.getProfileDescription(profile)
        write_picture(tmp_path / "b.tif", RGBA, Target("tiff", "float", LINEAR))
        assert read_image(tmp_path / "b.tif").encoding.is_linear

    def test_exr_tells_its_primaries(self, tmp_path):
        write_picture(tmp_path / "a.exr", RGBA, Target("exr", "half", Encoding("linear", PRIMARIES["ap1"])))
        np.testing.assert_allclose(read_image(tmp_path / "a.exr").encoding.primaries, PRIMARIES["ap1"], atol=1e-6)

    @pytest.mark.parametrize("format", ["png", "tiff"])
    def test_metadata_comes_back_and_orientation_is_reset(self, tmp_path, format):
        exif = PIL.Image.Exif()
        exif[0x0112], exif[0x013B], exif[0x8298], exif[0x0132] = 6, "Ada", "© Ada", "2026:01:02 03:04:05"
        exif[0x8825] = {1: "N", 2: (1.0, 2.0, 3.0)}  # a place
        PIL.Image.new("RGB", (6, 4)).save(tmp_path / "a.jpg", exif=exif, dpi=(300, 300))
        image = read_image(tmp_path / "a.jpg")
        assert image.size == (6, 4)
        path = tmp_path / f"b{FORMATS[format].suffix}"
        write_picture(path, np.ones((6, 4, 4), np.float32), target_for(format, image, None))
        with PIL.Image.open(path) as picture:
            assert picture.size == (4, 6)
            assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
            assert picture.getexif().get(0x0112, 1) == 1
            assert not picture.getexif().get_ifd(0x8825)
        again = read_image(path)
        assert again.metadata["Artist"] == "Ada" and again.metadata["DateTime"] == "2026:01:02 03:04:05"

    @pytest.mark.parametrize("name", ["jpeg-latin.jpg", "png-latin.png", "tiff-latin.tif", "exr-latin.exr"])
    @pytest.mark.parametrize("format", FORMATS)
    def test_names_as_old_cameras_write_them_come_back_as_text(self, tmp_path, name, format):
        (tmp_path / name).write_bytes(hostile.content(name))
        image = read_image(tmp_path / name)
        assert image.metadata["Artist"] == "Müller"
        path = tmp_path / f"b{FORMATS[format].suffix}"
        depth = next(iter(FORMATS[format].depths.values()))
        write_picture(path, np.ones((4, 6, 4), np.float32), target_for(format, image, depth))
        if format in ("png", "tiff", "exr"):
            assert read_image(path).metadata["Artist"] == "Müller"

    def test_timecode_and_pixel_aspect_come_back_in_exr(self, tmp_path):
        told = {"PixelAspectRatio": 2.0, "smpte__TimeCode": Typed("timecode", (18356486, 0)), "shot": "a01"}
        image = read_image(write_exr(tmp_path / "a.exr", ("RGB", RGBA[..., :3]), **told))
        write_picture(tmp_path / "b.exr", RGBA, target_for("exr", image, None))
        again = read_image(tmp_path / "b.exr").metadata
        for name in ("PixelAspectRatio", "smpte:TimeCode", "shot"):
            assert again[name] == image.metadata[name]

    def test_metadata_of_any_source_harms_no_format(self, tmp_path):
        matrix, rate = Typed("matrix", tuple(map(float, range(16)))), Typed("rational", (24, 1))
        told = {"worldToCamera": matrix, "framesPerSecond": rate}
        image = read_image(write_exr(tmp_path / "a.exr", ("RGB", RGBA[..., :3]), note="ünïcode\nand lines", **told))
        for name, row in FORMATS.items():
            depth = next(iter(row.depths.values()))
            write_picture(tmp_path / f"{name}{row.suffix}", RGBA, target_for(name, image, depth))


def test_a_picture_larger_than_a_block_of_rows(tmp_path):
    tall = np.random.default_rng(2).random((200, 3, 4), np.float32)
    for name in ("png", "tiff", "exr"):
        path = tmp_path / f"a{FORMATS[name].suffix}"
        write_picture(path, tall, Target(name, FORMATS[name].depths["16"], LINEAR if name == "exr" else SRGB))
        image = read_image(path)
        np.testing.assert_allclose(np.dstack([image.rgb, image.alpha])[100:], tall[100:], atol=2e-4)


def test_webp_has_a_largest_side(tmp_path):
    path = tmp_path / "a.webp"
    with pytest.raises(ItemError, match="at most 16383 pixels a side"), complete(path, path):
        write_picture(path, np.zeros((2, 16384, 4), np.float32), Target("webp"))


def test_folders_are_made_and_nothing_else_is_left(tmp_path):
    write_png(tmp_path / "new" / "folder" / "a.png", np.zeros((2, 2, 4), np.float32))
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["a.png"]


@pytest.mark.parametrize("name", ["png", "tiff", "exr", "webp", "psd", "ora"])
@pytest.mark.parametrize("side", [8, 300])
@pytest.mark.parametrize("room", [0, 100])
def test_a_full_disk_is_one_clear_error(tmp_path, name, side, room):
    noise = np.random.default_rng(0).random((side, side, 4), np.float32)
    target = target_for(name, Image(noise[..., :3]), None)
    path = tmp_path / f"a{FORMATS[name].suffix}"
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))  # files cannot grow beyond: the same failed writes
    try:
        with pytest.raises(ItemError, match=rf"a\{path.suffix} cannot be written") as error, atomic(path) as temporary:
            write_picture(temporary, noise, target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert error.value.code == "write"
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_an_impossible_place_is_one_clear_error(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "file" / "a.png", tmp_path / "folder.png"):
        with pytest.raises(ItemError, match="cannot be written") as error:
            write_png(path, np.zeros((2, 2, 4), np.float32))
        assert error.value.code == "write"
