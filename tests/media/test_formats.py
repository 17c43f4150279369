"""Which depth and which encoding a format gets, and depths told from headers."""

from pathlib import Path

import icc_profiles
import numpy as np
import OpenImageIO as oiio
import PIL.Image
import pytest
import tifffile

from omnialpha_cli.media.colour import LINEAR, PRIMARIES, SRGB, Encoding
from omnialpha_cli.media.formats import DEPTHS, FORMATS, choose_format
from omnialpha_cli.media.image import Image
from omnialpha_cli.media.signatures import depth_of
from omnialpha_cli.media.write import FLAT, LAYERED, encoding_for, target_for
from omnialpha_cli.status import ItemError, UsageError

PIXEL = np.zeros((1, 1, 3), np.float32)


def test_every_format_can_be_written():
    assert set(FORMATS) == set(FLAT) | set(LAYERED)
    for name, row in FORMATS.items():
        assert (row.grey or not row.transparent) == (name in FLAT) and (row.several == "file") == (name in LAYERED)


@pytest.mark.parametrize(
    ("source", "wanted", "name"),
    [("8", None, "png"), ("16", None, "png"), ("half", None, "exr"), ("float", None, "exr"),
     ("half", "16", "png"), ("8", "half", "exr")],
)  # fmt: skip
def test_the_default_format_is_one_that_holds_the_depth(source, wanted, name):
    assert choose_format(None, source, wanted).name == name


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("source", DEPTHS)
def test_a_format_keeps_the_depth_or_refuses(name, source):
    rank = {"8": 8, "16": 16, "half": 11, "float": 24}  # bits of precision
    try:
        depth = choose_format(name, source, None).depth_for(source, None)
    except UsageError as refusal:
        assert f"--format {name} cannot hold its depth ({source})" in str(refusal) and "--depth" in str(refusal)
        assert source not in FORMATS[name].depths.values()
    else:
        assert rank[depth] >= rank[source] or depth == source


def test_a_depth_that_the_format_does_not_have_is_refused_with_those_that_do():
    with pytest.raises(UsageError, match="png cannot hold --depth half: choose --format tiff, tiff-pages, exr"):
        choose_format("png", "8", "half")


P3, AP1 = Encoding(icc=icc_profiles.display_p3()), Encoding("linear", PRIMARIES["ap1"])
PQ = Encoding("pq", PRIMARIES["rec2020"])


@pytest.mark.parametrize(
    ("source", "source_depth", "format", "depth", "expected"),
    [
        (SRGB, "8", "png", "8", SRGB), (SRGB, "8", "exr", "half", LINEAR), (SRGB, "8", "tiff", "float", SRGB),
        (P3, "16", "png", "16", P3), (P3, "8", "webp", "8", P3), (P3, "8", "psd", "8", P3),
        (P3, "8", "exr", "half", LINEAR), (LINEAR, "half", "exr", "half", LINEAR), (LINEAR, "half", "png", "16", SRGB),
        (LINEAR, "half", "tiff", "16", SRGB), (LINEAR, "float", "tiff", "float", LINEAR),
        (LINEAR, "16", "png", "16", LINEAR), (LINEAR, "16", "tiff", "16", SRGB),
        (AP1, "half", "exr", "half", AP1), (AP1, "half", "png", "16", SRGB), (AP1, "half", "tiff", "float", SRGB),
        (PQ, "16", "png", "16", PQ), (PQ, "16", "tiff", "16", SRGB), (PQ, "16", "exr", "float", LINEAR),
        (Encoding("cineon"), "16", "png", "16", SRGB), (Encoding(1.8), "8", "png", "8", Encoding(1.8)),
        (Encoding(1.8), "8", "ora", "8", SRGB),
    ],
)  # fmt: skip
def test_the_encoding_is_the_sources_where_the_file_can_say_so(source, source_depth, format, depth, expected):
    image = Image(PIXEL, None, source_depth, source)
    assert encoding_for(FORMATS[format], depth, image) == expected


def test_what_is_made_of_words_alone_is_srgb_or_linear():
    assert target_for("png", None, None).encoding == SRGB and target_for("png", None, "16").depth == "16"
    assert target_for("exr", None, None).encoding == LINEAR and target_for("exr", None, None).depth == "half"


class TestDepthFromTheHeader:
    def test_png(self, tmp_path):
        for type, depth in ((np.uint8, "8"), (np.uint16, "16")):
            PIL.Image.fromarray(np.zeros((4, 4), type)).save(tmp_path / "a.png")
            assert depth_of(tmp_path / "a.png") == depth

    def test_tiff(self, tmp_path):
        for type, depth in ((np.uint8, "8"), (np.uint16, "16"), (np.float16, "half"), (np.float32, "float")):
            tifffile.imwrite(tmp_path / "a.tif", np.zeros((4, 4, 3), type), photometric="rgb")
            assert depth_of(tmp_path / "a.tif") == depth

    def test_exr(self, tmp_path):
        for depth in ("half", "float"):
            writer = oiio.ImageOutput.create("openexr")
            assert writer.open(str(tmp_path / "a.exr"), oiio.ImageSpec(4, 4, 3, depth))
            assert writer.write_image(np.zeros((4, 4, 3), np.float32)) and writer.close()
            assert depth_of(tmp_path / "a.exr") == depth

    def test_what_a_file_is_called_does_not_matter(self, tmp_path):
        PIL.Image.new("RGB", (4, 4)).save(tmp_path / "a.exr", format="JPEG")
        assert depth_of(tmp_path / "a.exr") == "8"

    def test_what_cannot_be_read_has_none(self, tmp_path):
        (tmp_path / "empty.tif").touch()
        (tmp_path / "text.exr").write_text("Dear diary")
        (tmp_path / "cut.tif").write_bytes(b"II*\0\xff\xff\xff\x0f")
        (tmp_path / "cut.exr").write_bytes(b"v/1\x01\x02\0\0\0")
        for name in ("empty.tif", "text.exr", "cut.tif", "cut.exr"):
            assert depth_of(Path(tmp_path, name)) is None

    @pytest.mark.parametrize(("name", "fault"), [("gone.tif", "does not exist"), (".", "is a folder")])
    def test_what_is_no_file_is_refused(self, tmp_path, name, fault):
        with pytest.raises(ItemError, match=fault):
            depth_of(Path(tmp_path, name))
