"""Results with layers: names, order, offsets and samples, each read by a library that did not write them."""

import io
import struct
import sys
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path

import icc_profiles
import numpy as np
import OpenImageIO as oiio
import PIL.Image
import psdtags
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from picture_files import over
from psd_tools import PSDImage
from psd_tools.constants import Resource, Tag
from psd_tools.psd.layer_and_mask import LayerInfo

from omnialpha_cli.media.colour import LINEAR, SRGB, Encoding
from omnialpha_cli.media.formats import FORMATS
from omnialpha_cli.media.samples import flatten
from omnialpha_cli.media.write import LAYERED, Layer, Target, write_layers

RANDOM = np.random.default_rng(0)
SIZE = 12, 17
NAMES = ("background", "foreground")
STEP = {"8": 1 / 255, "16": 1 / 65535, "half": 2**-11, "float": 1e-6}


def scene(low: float = 0, high: float = 1) -> tuple[np.ndarray, list[Layer]]:
    """A picture (H, W, 3) and two layers of it with 0, 1 and everything between in alpha."""
    background, foreground = (RANDOM.uniform(low, high, (*SIZE, 3)).astype(np.float32) for _ in range(2))
    alpha = np.clip(RANDOM.uniform(-0.5, 1.5, (*SIZE, 1)), 0, 1).astype(np.float32)
    picture = alpha * foreground + (1 - alpha) * background
    solid = np.concatenate((background, np.ones_like(alpha)), -1)
    return picture, [Layer(NAMES[0], solid), Layer(NAMES[1], np.concatenate((foreground, alpha), -1))]


def scaled(samples: np.ndarray) -> np.ndarray:
    return samples / {"uint8": 255, "uint16": 65535}.get(samples.dtype.name, 1)


class TestLayeredTiff:
    @pytest.mark.parametrize("depth", ["8", "16", "half", "float"])
    @pytest.mark.parametrize("compression", ["none", "fast"])
    def test_photoshops_layers_make_up_the_picture(self, tmp_path, depth, compression):
        dtype = {"8": "uint8", "16": "uint16"}.get(depth, "float32")  # Photoshop has no half
        picture, layers = scene()
        write_layers(tmp_path / "a.tif", layers, Target("tiff", depth, compression=compression))
        found = psdtags.TiffImageSourceData.fromtiff(str(tmp_path / "a.tif"))
        assert [layer.name for layer in found.layers] == list(NAMES)
        assert [tuple(layer.offset) for layer in found.layers] == [(0, 0), (0, 0)]
        read = [layer.asarray() for layer in found.layers]
        assert all(one.dtype == dtype for one in read)
        np.testing.assert_allclose(over([scaled(one) for one in read]), picture, atol=STEP[depth])
        for one, layer in zip(read, layers, strict=True):
            np.testing.assert_allclose(scaled(one), layer.rgba, atol=STEP[depth])

    def test_another_library_reads_the_same_layers(self, tmp_path):
        _, layers = scene()
        write_layers(tmp_path / "a.tif", layers, Target("tiff", "8"))
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            tag, order = file.pages[0].tags[37724].value, file.byteorder
        head = psdtags.TiffImageSourceData.SIGNATURE
        assert order == "<" and tag.startswith(head + b"MIB8ryaL")  # in the byte order of the file
        # psd-tools knows the order of PSD files alone.
        found = psdtags.TiffImageSourceData.frombytes(tag)
        turned = found.tobytes(psdtags.PsdFormat.BE32BIT)
        size = int.from_bytes(turned[len(head) + 8 : len(head) + 12], "big")
        start = len(head) + 12
        info = LayerInfo.frombytes(struct.pack(">I", size) + turned[start : start + size])
        assert abs(info.layer_count) == 2
        for record, channels, layer in zip(info.layer_records, info.channel_image_data, layers, strict=True):
            title = str(record.tagged_blocks[Tag.UNICODE_LAYER_NAME].data)
            assert title.strip("\0'") == layer.name and record.flags.visible
            assert (record.left, record.top, record.width, record.height) == (0, 0, 17, 12)
            planes = [
                np.frombuffer(channel.get_data(17, 12, 8), np.uint8).reshape(SIZE) for channel in channels
            ]  # alpha, then colours
            np.testing.assert_allclose(np.dstack([*planes[1:], planes[0]]) / 255, layer.rgba, atol=1 / 255)

    @pytest.mark.parametrize("depth", ["8", "16", "float"])
    def test_no_heavy_codecs_are_needed(self, tmp_path, monkeypatch, depth):
        monkeypatch.setitem(sys.modules, "imagecodecs", None)  # 80 MB, which tests have and users need not
        for name in ("tiff", "tiff-pages"):
            write_layers(tmp_path / "a.tif", scene()[1], Target(name, depth))

    def test_layers_are_visible(self, tmp_path):
        write_layers(tmp_path / "a.tif", scene()[1], Target("tiff", "8"))
        found = psdtags.TiffImageSourceData.fromtiff(str(tmp_path / "a.tif"))
        assert all(not layer.flags & 2 and layer.opacity == 255 for layer in found.layers)  # bit 1 hides a layer

    @pytest.mark.parametrize("depth", ["8", "16", "float"])
    def test_everything_else_sees_the_composite(self, tmp_path, depth):
        picture, layers = scene()
        write_layers(tmp_path / "a.tif", layers, Target("tiff", depth, Encoding(icc=icc_profiles.display_p3())))
        buffer = oiio.ImageBuf(str(tmp_path / "a.tif"))
        np.testing.assert_allclose(buffer.get_pixels()[..., :3], picture, atol=STEP[depth])
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            assert len(file.pages) == 1
        if depth == "8":
            with PIL.Image.open(tmp_path / "a.tif") as opened:
                assert opened.info["icc_profile"] == icc_profiles.display_p3()
                np.testing.assert_allclose(np.asarray(opened)[..., :3] / 255, picture, atol=STEP[depth])


@pytest.mark.parametrize("depth", ["8", "16", "half", "float"])
def test_tiff_pages(tmp_path, depth):
    picture, layers = scene()
    write_layers(tmp_path / "a.tif", layers, Target("tiff-pages", depth))
    wanted = oiio.ImageSpec()
    wanted.attribute("oiio:UnassociatedAlpha", 1)
    reader = oiio.ImageInput.open(str(tmp_path / "a.tif"), wanted)
    pages = []
    while reader.seek_subimage(len(pages), 0):
        assert reader.spec().get_string_attribute("tiff:PageName") == NAMES[len(pages)] or (
            reader.spec().get_string_attribute("oiio:subimagename") == NAMES[len(pages)]
        )
        pages.append(reader.read_image(len(pages), 0, 0, 4, "float"))
    assert len(pages) == 2
    np.testing.assert_allclose(over(pages), picture, atol=1.5 * STEP[depth])


class TestExr:
    @pytest.mark.parametrize("depth", ["half", "float"])
    def test_one_part_has_the_composite_and_a_group_of_channels_a_layer(self, tmp_path, depth):
        picture, layers = scene(-0.5, 6)
        write_layers(tmp_path / "a.exr", layers, Target("exr", depth, LINEAR))
        reader = oiio.ImageInput.open(str(tmp_path / "a.exr"))
        spec = reader.spec()
        groups = [f"{name}.{channel}" for name in NAMES for channel in "RGBA"]
        assert set(spec.channelnames) == {*"RGBA", *groups}
        assert spec.get_string_attribute("compression").startswith("zips")
        assert str(spec.format) == depth and not reader.seek_subimage(1, 0)
        samples = dict(zip(spec.channelnames, np.moveaxis(reader.read_image("float"), -1, 0), strict=True))
        composite = np.dstack([samples[channel] for channel in "RGBA"])
        np.testing.assert_allclose(composite[..., :3], picture, rtol=4 * STEP[depth], atol=STEP[depth])
        result = np.zeros((*SIZE, 3))
        for name in NAMES:  # premultiplied: sum of what shows
            rgba = np.dstack([samples[f"{name}.{channel}"] for channel in "RGBA"])
            result = rgba[..., :3] + (1 - rgba[..., 3:]) * result
        np.testing.assert_allclose(result, picture, rtol=6 * STEP[depth], atol=6 * STEP[depth])

    def test_parts(self, tmp_path):
        picture, layers = scene(0, 4)
        write_layers(tmp_path / "a.exr", layers, Target("exr", "float", LINEAR, parts=True))
        reader = oiio.ImageInput.open(str(tmp_path / "a.exr"))
        assert reader.spec().channelnames == ("R", "G", "B", "A")
        np.testing.assert_allclose(reader.read_image("float")[..., :3], picture, atol=1e-5)  # the composite
        result, names = np.zeros((*SIZE, 3)), []
        while reader.seek_subimage(len(names) + 1, 0):
            name = reader.spec().get_string_attribute("oiio:subimagename")
            names.append(name)
            assert reader.spec().channelnames == tuple(f"{name}.{channel}" for channel in "RGBA")
            samples = reader.read_image(len(names), 0, 0, 4, "float")
            result = samples[..., :3] + (1 - samples[..., 3:]) * result
        assert tuple(names) == NAMES
        np.testing.assert_allclose(result, picture, atol=1e-5)


class TestOpenRaster:
    """By the specification's file layout, and what Krita and GIMP look for."""

    @pytest.mark.parametrize("depth", ["8", "16"])
    def test_the_layers_make_up_the_picture(self, tmp_path, depth):
        picture, layers = scene()
        write_layers(tmp_path / "a.ora", layers, Target("ora", depth))
        with zipfile.ZipFile(tmp_path / "a.ora") as archive:
            image = ET.fromstring(archive.read("stack.xml"))
            assert (image.tag, image.get("w"), image.get("h")) == ("image", "17", "12")
            stack = image.findall("./stack/layer")
            assert [layer.get("name") for layer in stack] == list(reversed(NAMES))  # the top layer comes first
            for layer in stack:
                assert (layer.get("x"), layer.get("y"), layer.get("visibility")) == ("0", "0", "visible")
                assert layer.get("composite-op") == "svg:src-over" and float(layer.get("opacity")) == 1
            read = [decoded(archive.read(layer.get("src"))) for layer in reversed(stack)]
            merged = decoded(archive.read("mergedimage.png"))
        np.testing.assert_allclose(over(read), picture, atol=1.5 * STEP[depth])
        np.testing.assert_allclose(merged[..., :3], picture, atol=STEP[depth])

    def test_the_archive_is_laid_out_as_programs_expect(self, tmp_path):
        write_layers(tmp_path / "a.ora", scene()[1], Target("ora", "8"))
        data = (tmp_path / "a.ora").read_bytes()
        assert data[30:38] == b"mimetype" and data[38:54] == b"image/openraster"  # at this place, uncompressed
        with zipfile.ZipFile(tmp_path / "a.ora") as archive:
            assert archive.testzip() is None
            assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED
            thumbnail = PIL.Image.open(io.BytesIO(archive.read("Thumbnails/thumbnail.png")))
            assert max(thumbnail.size) <= 256 and thumbnail.mode == "RGBA"

    def test_the_same_layers_are_the_same_file(self, tmp_path):
        _, layers = scene()
        for name in ("a.ora", "b.ora"):
            write_layers(tmp_path / name, layers, Target("ora", "8"))
        assert (tmp_path / "a.ora").read_bytes() == (tmp_path / "b.ora").read_bytes()


def decoded(data: bytes) -> np.ndarray:
    """A PNG file in memory as floats, by OpenImageIO."""
    path = Path(decoded.folder, "x.png")
    path.write_bytes(data)
    wanted = oiio.ImageSpec()
    wanted.attribute("oiio:UnassociatedAlpha", 1)
    return oiio.ImageInput.open(str(path), wanted).read_image(0, 0, 0, 4, "float")


@pytest.fixture(autouse=True)
def _folder(tmp_path_factory):
    decoded.folder = tmp_path_factory.mktemp("png")


class TestPsd:
    def test_its_own_library_and_two_others_see_the_same(self, tmp_path):
        picture, layers = scene()
        write_layers(tmp_path / "a.psd", layers, Target("psd", "8", Encoding(icc=icc_profiles.display_p3())))
        document = PSDImage.open(tmp_path / "a.psd")
        assert [layer.name for layer in document] == list(NAMES) and all(layer.visible for layer in document)
        assert [layer.offset for layer in document] == [(0, 0), (0, 0)]
        assert not any(layer.has_mask() for layer in document)
        assert document.image_resources[Resource.ICC_PROFILE].data == icc_profiles.display_p3()
        read = [layer.numpy() for layer in document]
        np.testing.assert_allclose(over(read), picture, atol=1.5 / 255)
        with PIL.Image.open(tmp_path / "a.psd") as other:
            assert [layer[0] for layer in other.layers] == list(NAMES)
            np.testing.assert_allclose(np.asarray(other)[..., :3] / 255, picture, atol=1 / 255)
        reader = oiio.ImageInput.open(str(tmp_path / "a.psd"))
        names = []
        while reader.seek_subimage(len(names) + 1, 0):
            names.append(reader.spec().get_string_attribute("oiio:subimagename"))
        assert names == list(NAMES)

    def test_nothing_is_said_on_the_way(self, tmp_path, caplog):
        write_layers(tmp_path / "a.psd", scene()[1], Target("psd", "8"))
        assert not caplog.records


@pytest.mark.parametrize("format", LAYERED)
def test_one_layer_is_a_result_too(tmp_path, format):
    depth = FORMATS[format].depths["8"]
    _, layers = scene()
    path = tmp_path / f"a{FORMATS[format].suffix}"
    write_layers(path, layers[1:], Target(format, depth, LINEAR if format == "exr" else SRGB))
    assert path.stat().st_size > 500


@settings(max_examples=30)
@given(arrays.arrays(np.float32, (3, 2, 2, 4), elements=st.floats(0, 1, width=32)))
def test_flattening_is_the_over_of_premultiplied_colours(layers):
    flat = flatten(list(layers))
    colour, alpha = np.zeros((2, 2, 3)), np.zeros((2, 2, 1))
    for layer in layers:
        colour = layer[..., 3:] * layer[..., :3] + (1 - layer[..., 3:]) * colour
        alpha = layer[..., 3:] + (1 - layer[..., 3:]) * alpha
    np.testing.assert_allclose(flat[..., 3:], alpha, atol=1e-6)
    np.testing.assert_allclose(flat[..., :3] * flat[..., 3:], colour, atol=1e-5)
