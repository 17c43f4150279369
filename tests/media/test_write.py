"""Writing: samples come back exactly, in any reader, and a final name never holds half a file."""

import resource
import signal
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from omnialpha_cli.media.read import read_image
from omnialpha_cli.media.write import atomic, quantise, write_grey, write_png
from omnialpha_cli.status import ItemError

SHAPES = st.tuples(st.integers(2, 9), st.integers(2, 9), st.just(4))


@settings(max_examples=25, deadline=None)
@given(arrays.arrays(np.uint8, SHAPES))
def test_8_bit_round_trip_is_exact_even_under_alpha_0(tmp_path_factory, samples):
    path = tmp_path_factory.mktemp("out") / "a.png"
    write_png(path, samples.astype(np.float32) / 255, "8")
    with PIL.Image.open(path) as picture:
        assert picture.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(picture), samples)
    np.testing.assert_array_equal(read_back(path, 255), samples)


@settings(max_examples=25, deadline=None)
@given(arrays.arrays(np.uint16, SHAPES))
def test_16_bit_round_trip_is_exact_even_under_alpha_0(tmp_path_factory, samples):
    path = tmp_path_factory.mktemp("out") / "a.png"
    write_png(path, samples.astype(np.float32) / 65535, "16")
    assert read_image(path).depth == "16"
    np.testing.assert_array_equal(read_back(path, 65535), samples)


@pytest.mark.parametrize(("depth", "mode", "white"), [("8", "L", 255), ("16", "I;16", 65535)])
def test_grey(tmp_path, depth, mode, white):
    grey = np.linspace(0, 1, 35, dtype=np.float32).reshape(5, 7)
    write_grey(tmp_path / "a.png", grey, depth)
    with PIL.Image.open(tmp_path / "a.png") as picture:
        assert picture.mode == mode
        assert "gamma" not in picture.info  # alpha is not transfer-encoded
        np.testing.assert_array_equal(np.asarray(picture), np.floor(grey * np.float32(white) + 0.5))


def test_quantising_rounds_to_nearest_and_clamps():
    values = np.array([-1, 0, 0.4999 / 255, 0.5001 / 255, 1, 2, np.nan, np.inf, -np.inf], np.float32)
    np.testing.assert_array_equal(quantise(values, "8"), [0, 0, 0, 1, 255, 255, 0, 255, 0])


def test_profile_and_metadata_are_given_back(tmp_path):
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    source = tmp_path / "a.jpg"
    exif = PIL.Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "Ada"  # orientation, artist
    PIL.Image.new("RGB", (6, 4)).save(source, icc_profile=profile, exif=exif, dpi=(300, 300))
    image = read_image(source)
    write_png(tmp_path / "b.png", np.ones((6, 4, 4), np.float32), "8", image.icc, image.metadata)
    with PIL.Image.open(tmp_path / "b.png") as picture:
        assert picture.size == (4, 6)
        assert picture.info["icc_profile"] == profile
        assert "srgb" not in picture.info  # a file has a profile or an sRGB chunk, not both
        assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert picture.getexif().get(0x0112, 1) == 1
    assert read_image(tmp_path / "b.png").metadata["Artist"] == "Ada"


def test_folders_are_made_and_nothing_else_is_left(tmp_path):
    write_png(tmp_path / "new" / "folder" / "a.png", np.zeros((2, 2, 4), np.float32))
    assert [path.name for path in (tmp_path / "new" / "folder").iterdir()] == ["a.png"]


def test_an_interrupted_write_leaves_what_was_there(tmp_path):
    target = tmp_path / "a.png"
    target.write_text("before")
    with pytest.raises(KeyboardInterrupt), atomic(target) as temporary:
        temporary.write_text("half")
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".a.png.")
        assert temporary.name.endswith(".tmp")
        raise KeyboardInterrupt
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("side", [8, 300])
@pytest.mark.parametrize("room", [0, 100])
def test_a_full_disk_is_one_clear_error(tmp_path, side, room):
    noise = np.random.default_rng(0).random((side, side, 4), np.float32)
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, before[1]))  # files cannot grow beyond: the same failed writes
    try:
        with pytest.raises(ItemError, match=r"a\.png cannot be written") as error:
            write_png(tmp_path / "a.png", noise)
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


def read_back(path: Path, white: int) -> np.ndarray:
    image = read_image(path)
    return np.round(np.dstack([image.rgb, image.alpha]) * white)
