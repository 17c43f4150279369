"""Reading: what a file holds comes back exactly, and every bad file is one clear `ItemError`."""

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageOps
import pytest
from picture_files import assert_refused, write_exr, write_with_oiio

from omnialpha_cli.media import read
from omnialpha_cli.media.image import ORIENTATIONS, from_array
from omnialpha_cli.media.read import read_image
from omnialpha_cli.status import ItemError

DATA = Path(__file__).parent.parent / "data"
RGBA = np.random.default_rng(0).integers(0, 256, (13, 17, 4), np.uint8)


def save(path: Path, mode: str = "RGBA", **options) -> np.ndarray:
    """Save the random picture in a PIL mode; what PIL itself reads back from the file as RGB or RGBA, 0 to 1."""
    picture = PIL.Image.fromarray(RGBA)
    picture = picture.convert("RGB").quantize(16) if mode == "P" else picture.convert(mode)
    picture.save(path, **options)
    with PIL.Image.open(path) as saved:
        return np.asarray(saved.convert("RGBA" if "A" in mode else "RGB"), np.float32) / 255


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("a.png", "RGBA", {}),
        ("a.png", "RGB", {}),
        ("a.png", "LA", {}),
        ("a.png", "L", {}),
        ("a.png", "P", {}),
        ("a.png", "1", {}),
        ("a.tif", "RGBA", {}),
        ("a.tif", "RGB", {"compression": "tiff_lzw"}),
        ("a.tif", "L", {}),
        ("a.tif", "1", {}),
        ("a.tif", "CMYK", {}),
        ("a.webp", "RGBA", {"lossless": True, "exact": True}),
        ("a.webp", "RGB", {}),
        ("a.jpg", "RGB", {}),
        ("a.jpg", "RGB", {"progressive": True}),
        ("a.jpg", "L", {}),
        ("a.jpg", "CMYK", {}),
        ("a.bmp", "RGB", {}),
        ("named wrongly, ünïcode.jpg", "RGBA", {"format": "PNG"}),
        ("shot.%04d.png", "RGB", {}),
        ("without an extension", "RGB", {"format": "JPEG"}),
    ],
)
def test_samples_are_those_another_reader_sees(tmp_path, name, mode, options):
    expected = save(tmp_path / name, mode, **options)
    image = read_image(tmp_path / name)
    assert image.rgb.dtype == np.float32
    assert image.depth == "8"
    assert image.path == tmp_path / name
    np.testing.assert_allclose(image.rgb, expected[..., :3], atol=1e-6)
    if "A" in mode:
        np.testing.assert_allclose(image.alpha, expected[..., 3], atol=1e-6)
    else:
        assert image.alpha is None


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_sixteen_bits_stay_sixteen(tmp_path, name):
    samples = np.random.default_rng(1).integers(0, 65536, (5, 6, 4), np.uint16)
    write_with_oiio(tmp_path / name, samples, straight=True)
    image = read_image(tmp_path / name)
    assert image.depth == "16"
    np.testing.assert_array_equal(np.round(np.dstack([image.rgb, image.alpha]) * 65535), samples)


def test_associated_alpha_becomes_straight(tmp_path):
    premultiplied = np.array([[[100, 50, 0, 200], [0, 0, 0, 0]], [[10, 20, 30, 255], [7, 7, 7, 7]]], np.uint8)
    write_with_oiio(tmp_path / "a.tif", premultiplied, straight=False)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_allclose(image.rgb[0, 0], [0.5, 0.25, 0], atol=1e-6)
    np.testing.assert_allclose(image.rgb[0, 1], 0)
    np.testing.assert_allclose(image.rgb[1, 0], np.array([10, 20, 30]) / 255, atol=1e-6)
    np.testing.assert_allclose(image.rgb[1, 1], 1, atol=1e-6)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
def test_exif_orientation_is_applied_once(tmp_path, name, orientation):
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if name == "a.webp" else {}
    PIL.Image.fromarray(RGBA[..., :3]).save(tmp_path / name, exif=exif, **options)
    with PIL.Image.open(tmp_path / name) as stored:
        expected = np.asarray(PIL.ImageOps.exif_transpose(stored), np.float32) / 255
        np.testing.assert_allclose(from_array(stored).rgb, expected, atol=1e-6)
    np.testing.assert_allclose(read_image(tmp_path / name).rgb, expected, atol=1e-6)


def test_profiles_are_kept_if_they_describe_rgb(tmp_path):
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    save(tmp_path / "a.jpg", "RGB", icc_profile=profile)
    assert read_image(tmp_path / "a.jpg").encoding.icc == profile
    save(tmp_path / "b.jpg", "L", icc_profile=profile[:16] + b"GRAY" + profile[20:])
    assert read_image(tmp_path / "b.jpg").encoding.icc is None


def test_the_first_of_several_pictures_is_used_and_said(tmp_path):
    first, second = PIL.Image.new("RGB", (4, 4), "red"), PIL.Image.new("RGB", (4, 4), "blue")
    for name in ("a.tif", "a.webp"):
        first.save(tmp_path / name, save_all=True, append_images=[second])
        image = read_image(tmp_path / name)
        assert image.rgb[0, 0, 0] > 0.9
        assert "several pictures" in image.notes[0]


@pytest.mark.parametrize("kept", [0.02, 0.25, 0.5, 0.75, 0.99])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.jpg", {}),
        ("a.jpg", {"progressive": True}),
        ("a.png", {}),
        ("a.webp", {}),
        ("a.tif", {}),
        ("a.tif", {"compression": "tiff_lzw"}),
        ("a.bmp", {}),
    ],
)
def test_truncated(tmp_path, name, options, kept):
    path = tmp_path / name
    with PIL.Image.open(DATA / "chelsea.jpg") as photograph:
        photograph.save(path, **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    assert_refused(path, "unreadable", "truncated or damaged")


def test_a_harmless_oddity_does_not_hide_a_truncation(tmp_path):
    whole = (DATA / "chelsea.jpg").read_bytes()
    scan = whole.index(read.JPEG_SCAN)
    odd = whole[:scan] + bytes(10) + whole[scan:]
    (tmp_path / "odd.jpg").write_bytes(odd)
    np.testing.assert_array_equal(read_image(tmp_path / "odd.jpg").rgb, read_image(DATA / "chelsea.jpg").rgb)
    (tmp_path / "cut.jpg").write_bytes(odd[: len(odd) // 2])
    assert_refused(tmp_path / "cut.jpg", "unreadable", "truncated")


def test_missing(tmp_path):
    assert_refused(tmp_path / "a.png", "missing", "does not exist")


def test_a_folder(tmp_path):
    assert_refused(tmp_path, "unreadable", "folder")


def test_empty(tmp_path):
    (tmp_path / "a.jpg").touch()
    assert_refused(tmp_path / "a.jpg", "unreadable", "empty")


def test_not_an_image(tmp_path):
    (tmp_path / "a.jpg").write_text("Dear diary, today I renamed a text file.")
    assert_refused(tmp_path / "a.jpg", "unreadable", "not an image")


def test_not_a_regular_file(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    assert_refused(tmp_path / "a.png", "unreadable", "not a regular file")


def test_no_permission(tmp_path, monkeypatch):
    save(tmp_path / "a.png")

    def refuse(*_args, **_options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # chmod does not bind the superuser, who runs many test machines
    assert_refused(tmp_path / "a.png", "unreadable", "permission")


def test_one_pixel(tmp_path):
    PIL.Image.new("RGB", (1, 1), (255, 0, 51)).save(tmp_path / "a.png")
    np.testing.assert_allclose(read_image(tmp_path / "a.png").rgb, [[[1, 0, 0.2]]])


def test_too_large_is_known_from_the_header(tmp_path):
    header = struct.pack(">IIBBBBB", 40000, 10, 8, 2, 0, 0, 0)
    file = b"\x89PNG\r\n\x1a\n"
    for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(b"no pixels")), (b"IEND", b"")):
        file += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    (tmp_path / "a.png").write_bytes(file)
    with pytest.raises(ItemError, match=r"40000×10.*at most 0.399999 megapixels \(--max-pixels\)") as refusal:
        read_image(tmp_path / "a.png", 399_999)
    assert refusal.value.code == "too-large"
    assert_refused(tmp_path / "a.png", "unreadable", "truncated or damaged")  # within the limit it is read


def test_unsupported_formats_and_channels(tmp_path):
    for name, head, words in (
        ("a.jxl", b"\xff\x0a", "JPEG XL"),
        ("a.mp4", b"\0\0\0\x18ftypisom\0\0\0\0", "film"),
        ("a.pdf", b"%PDF-1.7", "PDF"),
    ):
        (tmp_path / name).write_bytes(head + bytes(80))
        assert_refused(tmp_path / name, "unsupported", words)
    write_with_oiio(tmp_path / "b.tif", np.ones((4, 4, 2), np.uint32), straight=True)
    assert_refused(tmp_path / "b.tif", "unsupported", "uint32 samples|channels")


@pytest.mark.parametrize("shape", [(3, 4), (3, 4, 1), (3, 4, 2), (3, 4, 3), (3, 4, 4)])
@pytest.mark.parametrize(
    ("dtype", "depth", "white"),
    [("uint8", "8", 255), ("uint16", "16", 65535), ("float16", "half", 1), ("float64", "float", 1)],
)
def test_arrays(shape, dtype, depth, white):
    image = from_array(np.full(shape, white, dtype))
    assert image.depth == depth
    assert image.size == (3, 4)
    np.testing.assert_array_equal(image.rgb, np.ones((3, 4, 3)))
    assert (image.alpha is not None) == (shape[-1] in (2, 4) and len(shape) == 3)


def test_what_is_no_picture_is_refused():
    for array in (np.ones((4, 4, 5), np.uint8), np.ones(4, np.uint8), np.ones((4, 4), np.int64), np.ones((0, 4, 3))):
        with pytest.raises(ItemError, match="not a picture"):
            from_array(array)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_colours_that_alpha_makes_infinite_are_told_by_a_note_alone(tmp_path):
    samples = np.full((8, 8, 4), 3e38, np.float32)
    samples[..., 3] = np.linspace(-1, 2, 64).reshape(8, 8)
    samples[0, 0], samples[0, 1, :3] = np.nan, -np.inf
    image = read_image(write_exr(tmp_path / "a.exr", ("RGBA", samples)))
    assert any("pixels that are not numbers or infinite" in note for note in image.notes)
