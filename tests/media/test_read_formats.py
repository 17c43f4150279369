"""Reading each format: floats, EXR's windows and parts, profiles, inks, film scans; other libraries wrote the files."""

import struct

import icc_profiles
import numpy as np
import OpenImageIO as oiio
import PIL.Image
import pytest
import tifffile
from picture_files import assert_refused, over, write_exr, write_with_oiio

from omnialpha_cli.media.colour import LINEAR, PRIMARIES, SRGB, convert
from omnialpha_cli.media.image import Typed
from omnialpha_cli.media.read import read_image
from omnialpha_cli.media.signatures import depth_of
from omnialpha_cli.media.write import Layer, Target, write_layers
from omnialpha_cli.status import ItemError

RANDOM = np.random.default_rng(0)
FLOATS = RANDOM.normal(0.5, 2, (12, 17, 3)).astype(np.float32)  # far below 0 and above 1
ALPHA = RANDOM.random((12, 17)).astype(np.float32)


class TestExr:
    @pytest.mark.parametrize(("type", "depth"), [(np.float16, "half"), (np.float32, "float")])
    @pytest.mark.parametrize("compression", ["none", "rle", "zips", "zip", "piz"])
    def test_samples_are_exact_and_scene_linear(self, tmp_path, type, depth, compression):
        rgb = FLOATS.astype(type)
        image = read_image(write_exr(tmp_path / "a.exr", ("RGB", rgb), compression=compression))
        assert (image.depth, image.encoding.transfer, image.alpha, image.notes) == (depth, "linear", None, ())
        np.testing.assert_array_equal(image.rgb, rgb.astype(np.float32))

    @pytest.mark.parametrize("compression", ["pxr24", "b44", "dwaa", "dwab"])
    def test_lossy_compressions_are_read(self, tmp_path, compression):
        smooth = np.linspace(0, 1, 12 * 17 * 3, dtype=np.float32).reshape(12, 17, 3)
        image = read_image(write_exr(tmp_path / "a.exr", ("RGB", smooth), compression=compression))
        np.testing.assert_allclose(image.rgb, smooth, atol=0.05)

    def test_premultiplied_becomes_straight_and_light_without_coverage_stays(self, tmp_path):
        samples = np.zeros((4, 4, 4), np.float16)
        samples[0, 0], samples[0, 1], samples[0, 2] = (0.25, 0.5, 4, 0.5), (3, 2, 1, 0), (1, 1, 1, 1)
        image = read_image(write_exr(tmp_path / "a.exr", ("RGBA", samples)))
        np.testing.assert_allclose(image.rgb[0, :3], [[0.5, 1, 8], [3, 2, 1], [1, 1, 1]])
        np.testing.assert_allclose(image.alpha[0], [0.5, 0, 1, 0])
        assert image.alpha_kind == "premultiplied"

    def test_a_data_window_lies_on_the_display_window(self, tmp_path):
        path = write_exr(tmp_path / "a.exr", ("RGBA", np.ones((4, 5, 4), np.float16)), windows=(3, 2, 20, 10))
        image = read_image(path)
        expected = np.zeros((10, 20))
        expected[2:6, 3:8] = 1
        np.testing.assert_array_equal(image.alpha, expected)
        np.testing.assert_array_equal(image.rgb[..., 0], expected)

    def test_what_lies_outside_the_display_window_is_left_out_and_said(self, tmp_path):
        ramp = np.arange(8 * 9 * 3, dtype=np.float32).reshape(8, 9, 3)
        image = read_image(write_exr(tmp_path / "a.exr", ("RGB", ramp), windows=(-2, -3, 6, 4)))
        np.testing.assert_array_equal(image.rgb, ramp[3:7, 2:8])
        assert "outside its display window" in image.notes[0]

    def test_of_several_parts_the_one_with_rgba_is_used(self, tmp_path):
        depth = np.zeros((4, 4, 1), np.float32)
        rgb, rgba = np.full((4, 4, 3), 2, np.float32), np.full((4, 4, 4), 0.5, np.float32)
        parts = (["Z"], depth), (list("RGB"), rgb), (list("RGBA"), rgba)
        image = read_image(write_exr(tmp_path / "a.exr", *parts))
        np.testing.assert_allclose(image.rgb, 1)
        assert image.alpha is not None and "part2 of part 3 of 3 is used" in image.notes[0]

    def test_other_channels_are_left_out_and_do_not_decide_the_depth(self, tmp_path):
        path = write_exr(tmp_path / "a.exr", (["R", "G", "B", "A", "Z"], np.ones((4, 4, 5), np.float16)))
        image = read_image(path)
        assert image.depth == "half" and "its channels Z are left out" in image.notes[0]

    def test_a_layer_with_a_name_is_read_where_there_is_no_other(self, tmp_path):
        names = ["beauty.R", "beauty.G", "beauty.B", "beauty.A"]
        image = read_image(write_exr(tmp_path / "a.exr", (names, np.full((4, 4, 4), 0.5, np.float16))))
        np.testing.assert_allclose(image.rgb, 1)
        np.testing.assert_allclose(image.alpha, 0.5)

    def test_luminance_alone_is_grey(self, tmp_path):
        image = read_image(write_exr(tmp_path / "a.exr", (["Y"], np.full((4, 4, 1), 0.5, np.float16))))
        np.testing.assert_allclose(image.rgb, 0.5)

    def test_other_primaries_are_kept_and_metadata_too(self, tmp_path):
        ap1 = PRIMARIES["ap1"]
        told = {"PixelAspectRatio": 2.0, "shot": "a01", "smpte__TimeCode": Typed("timecode", (18356486, 0))}
        path = write_exr(
            tmp_path / "a.exr", ("RGB", FLOATS), chromaticities=Typed("float[8]", ap1), cameraSerialNumber="123", **told
        )
        image = read_image(path)
        np.testing.assert_allclose(image.encoding.primaries, ap1, atol=1e-6)
        assert image.metadata["PixelAspectRatio"] == 2 and image.metadata["shot"] == "a01"
        assert image.metadata["smpte:TimeCode"] == Typed("timecode", (18356486, 0))
        assert "cameraSerialNumber" not in image.metadata

    def test_what_is_no_number_is_counted(self, tmp_path):
        rgb = FLOATS.copy()
        rgb[0, 0, 0], rgb[1, 1] = np.nan, np.inf
        image = read_image(write_exr(tmp_path / "a.exr", ("RGB", rgb)))
        assert "2 pixels that are not numbers or infinite" in image.notes[0]
        np.testing.assert_array_equal(image.rgb, rgb)

    @pytest.mark.parametrize("kept", [0.05, 0.3, 0.6, 0.95])
    def test_truncated(self, tmp_path, kept):
        path = write_exr(tmp_path / "a.exr", ("RGB", RANDOM.random((64, 64, 3)).astype(np.float16)))
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
        assert_refused(path, "unreadable", "truncated or damaged")

    def test_no_picture_in_it(self, tmp_path):
        path = write_exr(tmp_path / "a.exr", (["Z"], np.ones((4, 4, 1), np.float32)))
        assert_refused(path, "unsupported", "channels Z")


class TestTiff:
    @pytest.mark.parametrize("more", [{}, {"tile": (16, 16)}, {"bigtiff": True}, {"byteorder": ">"},
                                      {"rowsperstrip": 3}, {"planarconfig": "separate"}, {"compression": "lzw"},
                                      {"compression": "zlib", "predictor": True}])  # fmt: skip
    @pytest.mark.parametrize(("type", "depth", "white"), [
        (np.uint8, "8", 255), (np.uint16, "16", 65535), (np.float16, "half", 1), (np.float32, "float", 1),
    ])  # fmt: skip
    def test_every_layout_and_depth_is_exact(self, tmp_path, type, depth, white, more):
        source = np.dstack([FLOATS, ALPHA]) if white == 1 else RANDOM.integers(0, white + 1, (12, 17, 4))
        samples = source.astype(type)
        planes = np.moveaxis(samples, -1, 0) if "planarconfig" in more else samples
        tifffile.imwrite(tmp_path / "a.tif", planes, photometric="rgb", extrasamples=["unassalpha"], **more)
        image = read_image(tmp_path / "a.tif")
        assert (image.depth, image.alpha_kind) == (depth, "straight")
        back = np.dstack([image.rgb, image.alpha]) * white
        np.testing.assert_array_equal(back if white == 1 else np.round(back), samples.astype(np.float32))

    def test_floats_are_linear_and_integers_are_srgb_unless_said(self, tmp_path):
        tifffile.imwrite(tmp_path / "f.tif", FLOATS, photometric="rgb")
        tifffile.imwrite(tmp_path / "i.tif", np.zeros((4, 4, 3), np.uint16), photometric="rgb")
        tifffile.imwrite(tmp_path / "p.tif", FLOATS, photometric="rgb", iccprofile=icc_profiles.adobe_rgb())
        assert read_image(tmp_path / "f.tif").encoding.is_linear
        assert read_image(tmp_path / "i.tif").encoding == SRGB
        assert read_image(tmp_path / "p.tif").encoding.icc == icc_profiles.adobe_rgb()

    def test_white_is_zero(self, tmp_path):
        tifffile.imwrite(tmp_path / "a.tif", np.array([[0, 255], [100, 0]], np.uint8), photometric="miniswhite")
        np.testing.assert_allclose(read_image(tmp_path / "a.tif").rgb[..., 0] * 255, [[255, 0], [155, 255]])

    def test_more_channels_than_rgba_are_left_out(self, tmp_path):
        samples = RANDOM.integers(0, 256, (6, 7, 5), np.uint8)
        tifffile.imwrite(tmp_path / "a.tif", samples, photometric="rgb", extrasamples=["unassalpha", "unspecified"])
        image = read_image(tmp_path / "a.tif")
        np.testing.assert_allclose(np.dstack([image.rgb, image.alpha]) * 255, samples[..., :4], atol=1e-4)
        assert "left out" in image.notes[0]


class TestOtherFormats:
    @pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
    @pytest.mark.parametrize("compression", [None, "tga_rle"])
    def test_targa(self, tmp_path, mode, compression):
        channels = len(mode)
        samples = RANDOM.integers(0, 256, (8, 9, channels), np.uint8)
        picture = PIL.Image.fromarray(samples[..., 0] if channels == 1 else samples)
        picture.save(tmp_path / "a.tga", compression=compression)
        image = read_image(tmp_path / "a.tga")
        np.testing.assert_allclose(image.rgb * 255, np.broadcast_to(samples[..., :3], (8, 9, 3)), atol=1e-4)
        assert (image.alpha is not None) == (mode == "RGBA")

    def test_text_called_tga_is_no_picture(self, tmp_path):
        (tmp_path / "a.tga").write_text("Dear diary, today I renamed a text file.")
        assert_refused(tmp_path / "a.tga", "unreadable", "not an image")

    def test_gif_gives_its_first_picture_and_says_so(self, tmp_path):
        frames = [PIL.Image.new("RGB", (6, 6), colour) for colour in ("red", "blue")]
        frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
        image = read_image(tmp_path / "a.gif")
        np.testing.assert_allclose(image.rgb[2, 2], [1, 0, 0], atol=0.02)
        assert "several pictures" in image.notes[0]
        assert image.alpha is None

    @pytest.mark.parametrize("bits", [8, 10, 12, 16])
    def test_dpx(self, tmp_path, bits):
        samples = RANDOM.integers(0, 2**bits, (8, 9, 3)).astype(np.uint16)
        spec = oiio.ImageSpec(9, 8, 3, "uint8" if bits == 8 else "uint16")
        spec.attribute("oiio:BitsPerSample", bits)
        spec.attribute("oiio:ColorSpace", "KodakLog")
        writer = oiio.ImageOutput.create("dpx")
        assert writer.open(str(tmp_path / "a.dpx"), spec)
        wide = samples.astype(np.uint8) if bits == 8 else np.round(samples / (2**bits - 1) * 65535).astype(np.uint16)
        assert writer.write_image(wide) and writer.close()
        image = read_image(tmp_path / "a.dpx")
        assert (image.depth, image.encoding.transfer) == ("8" if bits == 8 else "16", "cineon")
        np.testing.assert_allclose(image.rgb * (2**bits - 1), samples, atol=0.1)

    def test_avif(self, tmp_path):
        smooth = np.linspace(0, 255, 32 * 40 * 3).reshape(32, 40, 3).astype(np.uint8)
        PIL.Image.fromarray(smooth).save(tmp_path / "a.avif", quality=100, icc_profile=icc_profiles.display_p3())
        image = read_image(tmp_path / "a.avif")
        np.testing.assert_allclose(image.rgb * 255, smooth, atol=6)
        assert image.encoding.icc == icc_profiles.display_p3() and image.depth == "8"

    @pytest.mark.parametrize("bits", [8, 10])
    def test_heic(self, tmp_path, bits):
        heif = pytest.importorskip("pillow_heif")
        ramp = np.broadcast_to(np.linspace(0, 1, 64)[None, :, None], (64, 64, 3))
        samples = np.round(ramp * (255 if bits == 8 else 65535)).astype(np.uint8 if bits == 8 else np.uint16)
        file = heif.from_bytes("RGB" if bits == 8 else "RGB;16", (64, 64), samples.tobytes())
        file.save(tmp_path / "a.heic", quality=-1, chroma=444)
        image = read_image(tmp_path / "a.heic")
        assert image.depth == ("8" if bits == 8 else "16")
        np.testing.assert_allclose(image.rgb, ramp, atol=0.02)

    def test_heic_without_its_extra_says_what_to_install(self, tmp_path, monkeypatch):
        import sys

        monkeypatch.setitem(sys.modules, "pillow_heif", None)
        (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(60))
        assert_refused(tmp_path / "a.heic", "unsupported", r"omnialpha\[heic\]")

    def test_heic_without_its_codec_is_one_clear_error(self, tmp_path):
        pillow_heif = pytest.importorskip("pillow_heif")
        pillow_heif.from_bytes("RGB", (64, 64), bytes(3 * 64 * 64)).save(tmp_path / "a.heic", quality=50)
        (tmp_path / "a.heic").write_bytes((tmp_path / "a.heic").read_bytes().replace(b"hvcC", b"none"))
        assert depth_of(tmp_path / "a.heic") is None
        assert_refused(tmp_path / "a.heic", "unreadable", "truncated or damaged")

    def test_heic_for_which_memory_is_short_has_no_depth_yet(self, tmp_path, monkeypatch):
        """Planning goes on; reading it will say so."""

        def full(_):
            raise MemoryError

        (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0" + bytes(60))
        monkeypatch.setattr("omnialpha_cli.media.pillow._open_heic", full)
        assert depth_of(tmp_path / "a.heic") is None

    @pytest.mark.parametrize("name", ["a.avif", "a.heic"])
    def test_broken_heif(self, tmp_path, name):
        (tmp_path / name).write_bytes(b"\0\0\0\x18ftyp" + name[2:].encode() + bytes(100))
        assert_refused(tmp_path / name, "unreadable", "truncated or damaged")


class TestPhotoshop:
    def test_layers_are_read_as_their_composite(self, tmp_path):
        back, front = RANDOM.random((12, 17, 4)).astype(np.float32), RANDOM.random((12, 17, 4)).astype(np.float32)
        back[..., 3] = 1
        write_layers(tmp_path / "a.psd", [Layer("back", back), Layer("front", front)], Target("psd", "8"))
        image = read_image(tmp_path / "a.psd")
        np.testing.assert_allclose(image.rgb, over([back, front]), atol=1.5 / 255)
        assert image.depth == "8" and not image.notes

    @pytest.mark.parametrize(("bits", "type"), [(8, ">u1"), (16, ">u2")])
    def test_every_bit_of_the_composite_counts(self, tmp_path, bits, type):
        planes = RANDOM.integers(0, 2**bits, (3, 12, 17)).astype(type)
        head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 12, 17, bits, 3)
        (tmp_path / "a.psd").write_bytes(head + bytes(12) + bytes(2) + planes.tobytes())
        image = read_image(tmp_path / "a.psd")
        np.testing.assert_allclose(image.rgb * (2**bits - 1), np.moveaxis(planes, 0, -1), rtol=1e-5)
        assert image.depth == depth_of(tmp_path / "a.psd") == str(bits)

    def test_a_damaged_file_is_one_clear_error(self, tmp_path):
        (tmp_path / "a.psd").write_bytes(b"8BPS\0\1" + bytes(40))
        assert_refused(tmp_path / "a.psd", "unreadable", "truncated or damaged")


def test_radiance_hdr_is_scene_linear(tmp_path):
    light = RANDOM.gamma(1, 2, (12, 17, 3)).astype(np.float32)
    write_with_oiio(tmp_path / "a.hdr", light, straight=False)
    image = read_image(tmp_path / "a.hdr")
    np.testing.assert_allclose(image.rgb, light, atol=light.max() / 128)  # a shared exponent
    assert image.depth == "float" and image.encoding.is_linear


@pytest.mark.parametrize("head", [b"\x1a\x45\xdf\xa3", b"RIFF\0\0\0\0AVI ", b"\0\0\0\x14ftypqt  ", b"\0\0\0\x08mdat"])
def test_a_film_is_refused_with_what_makes_frames_of_it(tmp_path, head):
    (tmp_path / "take 1.mov").write_bytes(head + bytes(100))
    assert_refused(
        tmp_path / "take 1.mov", "unsupported", r"is a film: .*ffmpeg -i '.*take 1.mov' 'take 1.%04d.png', and"
    )


class TestPng:
    def test_gamma_is_the_encoding(self, tmp_path):
        for gamma, expected in ((1.0, "linear"), (1.8, 1.8)):
            spec = oiio.ImageSpec(4, 4, 3, "uint16")
            spec.attribute("oiio:ColorSpace", "lin_rec709_scene" if gamma == 1 else "g18_rec709_display")
            writer = oiio.ImageOutput.create("png")
            assert writer.open(str(tmp_path / "a.png"), spec)
            assert writer.write_image(np.zeros((4, 4, 3), np.uint16)) and writer.close()
            assert read_image(tmp_path / "a.png").encoding.transfer == pytest.approx(expected)

    def test_cicp_is_the_encoding(self, tmp_path):
        spec = oiio.ImageSpec(4, 4, 3, "uint16")
        spec.attribute("CICP", oiio.TypeDesc("int[4]"), (9, 16, 0, 1))
        writer = oiio.ImageOutput.create("png")
        assert writer.open(str(tmp_path / "a.png"), spec)
        assert writer.write_image(np.zeros((4, 4, 3), np.uint16)) and writer.close()
        image = read_image(tmp_path / "a.png")
        assert (image.encoding.transfer, image.encoding.primaries) == ("pq", PRIMARIES["rec2020"])


class TestProfiles:
    @pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
    def test_inks_are_converted_by_their_own_profile(self, tmp_path, name):
        """Pillow's own way, littlecms on the whole picture, is the judge."""
        import io

        import PIL.ImageCms

        inks = np.repeat(np.repeat(RANDOM.integers(0, 256, (2, 3, 4), np.uint8), 16, 0), 16, 1)
        icc = icc_profiles.cmyk()
        PIL.Image.frombytes("CMYK", (48, 32), inks.tobytes()).save(tmp_path / name, icc_profile=icc)
        with PIL.Image.open(tmp_path / name) as stored:
            expected = PIL.ImageCms.profileToProfile(
                stored, io.BytesIO(icc), PIL.ImageCms.createProfile("sRGB"), outputMode="RGB",
                renderingIntent=PIL.ImageCms.Intent.RELATIVE_COLORIMETRIC,
                flags=PIL.ImageCms.Flags.BLACKPOINTCOMPENSATION,
            )  # fmt: skip
            naive = np.asarray(stored.convert("RGB"), int)
        image = read_image(tmp_path / name)
        np.testing.assert_allclose(image.rgb * 255, np.asarray(expected), atol=1)
        assert np.abs(np.asarray(expected) - naive).max() > 20  # it makes a difference
        assert image.encoding.icc is None and image.encoding == SRGB

    def test_sixteen_bit_inks(self, tmp_path):
        inks = RANDOM.integers(0, 65536, (6, 7, 4), np.uint16)
        tifffile.imwrite(tmp_path / "a.tif", inks, photometric="separated", iccprofile=icc_profiles.cmyk())
        tifffile.imwrite(tmp_path / "b.tif", np.round(inks / 257).astype(np.uint8), photometric="separated",
                         iccprofile=icc_profiles.cmyk())  # fmt: skip
        image = read_image(tmp_path / "a.tif")
        assert image.depth == "16"
        np.testing.assert_allclose(image.rgb, read_image(tmp_path / "b.tif").rgb, atol=1 / 255)

    def test_grey_is_converted_by_its_profile_but_not_as_data(self, tmp_path):
        ramp = np.linspace(0, 255, 48).astype(np.uint8).reshape(6, 8)
        PIL.Image.fromarray(ramp).save(tmp_path / "a.png", icc_profile=icc_profiles.grey(1.0))
        light = (ramp / 255).astype(np.float32)[..., None].repeat(3, -1)
        np.testing.assert_allclose(read_image(tmp_path / "a.png").rgb, convert(light, LINEAR, SRGB), atol=1e-4)
        np.testing.assert_allclose(read_image(tmp_path / "a.png", data=True).rgb, light, atol=1e-6)

    def test_a_damaged_profile_is_kept_and_said(self, tmp_path):
        broken = icc_profiles.display_p3()[:200]
        tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4, 3), np.uint8), photometric="rgb", iccprofile=broken)
        image = read_image(tmp_path / "a.tif")
        assert image.encoding.icc == broken and "damaged colour profile" in image.notes[0]
        assert not read_image(tmp_path / "a.tif", data=True).notes  # a mask has no colours


def test_a_float_file_written_by_openimageio_is_read(tmp_path):
    write_with_oiio(tmp_path / "a.tif", FLOATS, straight=True)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif").rgb, FLOATS)


@pytest.mark.parametrize("names", [["A"], ["R"], ["mask.a"], ["Z", "roto.A"]])
def test_a_mask_may_be_a_channel_alone(tmp_path, names):
    """As rotoscoping writes it; of a picture that is more than a mask the same is refused."""
    samples = np.random.default_rng(0).random((6, 8, len(names)), np.float32)
    path = write_exr(tmp_path / "m.exr", (names, samples))
    read = read_image(path, data=True)
    assert read.alpha is None and np.array_equal(read.rgb, samples[..., -1:].repeat(3, 2))
    assert_refused(path, "unsupported", "save it as RGB or RGBA")


def test_of_several_channels_without_alpha_none_is_the_mask(tmp_path):
    path = write_exr(tmp_path / "m.exr", (["U", "V"], np.zeros((6, 8, 2), np.float32)))
    with pytest.raises(ItemError, match="has the channels U, V"):
        read_image(path, data=True)


@pytest.mark.parametrize("names", ["Y", "RGB"])
@pytest.mark.parametrize("value", ["12345678", 5])
def test_attributes_of_exr_that_are_no_numbers_mean_nothing(tmp_path, names, value):
    """In other formats their types are given, and OpenImageIO's own."""
    path = write_exr(
        tmp_path / "a.exr", (list(names), FLOATS[..., : len(names)]), ICCProfile=value, chromaticities=value, CICP=value
    )
    assert read_image(path).encoding == LINEAR
