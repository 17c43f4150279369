"""Files with many channels, as renderers and compositors write them: the beauty is taken, the rest can be kept."""

import struct

import numpy as np
import OpenEXR
import OpenImageIO as oiio
import pytest
from picture_files import assert_refused, write_exr

from omnialpha_cli.media.channels import Pick
from omnialpha_cli.media.colour import LINEAR
from omnialpha_cli.media.image import Typed
from omnialpha_cli.media.layered import read_layers
from omnialpha_cli.media.read import read_image
from omnialpha_cli.media.write import Layer, Target, write_layers, write_picture
from omnialpha_cli.status import ItemError

SIZE = 6, 8


def channels(*prefixes: str, suffixes: str = "RGBA") -> list[str]:
    return [f"{prefix}.{c}" if prefix else c for prefix in prefixes for c in suffixes]


def numbered(count: int) -> np.ndarray:
    """Group i of four channels is i + 1 everywhere, its alpha 1."""
    samples = np.ones((*SIZE, count), np.float32)
    for i in range(count):
        samples[..., i] = 1 if i % 4 == 3 else i // 4 + 1
    return samples


@pytest.fixture
def exr(tmp_path):
    def write(*groups: list[str], **attributes):
        return write_exr(tmp_path / "a.exr", *((names, numbered(len(names))) for names in groups), **attributes)

    return write


def parts(path, *named) -> None:
    """A file of parts, each (name, view, channels); part i has the value i + 1."""
    written = []
    for i, (name, view, names) in enumerate(named):
        header = {"name": name, "type": OpenEXR.scanlineimage, **({"view": view} if view else {})}
        planes = {c: np.full(SIZE, 1 if c.endswith("A") else i + 1, np.float16) for c in names}
        written.append(OpenEXR.Part(header, planes))
    OpenEXR.File(written).write(str(path))


class TestWhichIsTaken:
    @pytest.mark.parametrize(
        ("names", "number"),
        [
            (channels("ViewLayer.AO", "ViewLayer.Combined"), 2),  # Blender
            (channels("AOV_albedo", "RGBA"), 2),  # Arnold
            (channels("albedo", "beauty"), 2),
            (channels("albedo", "beauty", "rgba"), 3),
            (channels("albedo", "rgba", ""), 3),
            (channels("CryptoObject00", "main"), 2),
            (["red", "green", "blue"], 1),
            (["r", "g", "b", "a"], 1),
            (["beauty.red", "beauty.green", "beauty.blue", "beauty.alpha"], 1),
            (["N.X", "N.Y", "N.Z", "pad", *channels("C")], 2),
        ],
    )
    def test_of_one_part(self, exr, names, number):
        image = read_image(exr(names))
        assert (image.rgb == number).all()

    @pytest.mark.parametrize(
        ("named", "number", "said"),
        [
            ([("albedo", "", "RGB"), ("rgba", "", "RGBA")], 2, "rgba of part 2 of 2"),
            ([("depth", "", ["Z"]), ("image", "", "RGBA")], 2, "image of part 2"),
            (
                [("rgba_right", "right", "RGBA"), ("depth_left", "left", ["Z"]), ("rgba_left", "left", "RGBA")],
                3,
                "left",
            ),
            ([("composite", "", "RGBA"), ("background", "", channels("background"))], 1, "composite"),
            ([("Z", "", ["Z"]), ("normals", "", "RGB"), ("image", "", "RGBA")], 3, "image"),
        ],
    )
    def test_of_several_parts(self, tmp_path, named, number, said):
        parts(tmp_path / "a.exr", *named)
        image = read_image(tmp_path / "a.exr")
        assert (image.rgb == number).all() and said in image.notes[0]

    @pytest.mark.parametrize(
        ("pick", "number"),
        [
            (Pick("ViewLayer.AO"), 1),
            (Pick("ao"), 1),
            (Pick("viewlayer.combined"), 2),
        ],
    )
    def test_a_layer_may_be_chosen(self, exr, pick, number):
        image = read_image(exr(channels("ViewLayer.AO", "ViewLayer.Combined")), pick=pick)
        assert (image.rgb == number).all()

    def test_a_view_may_be_chosen(self, exr):
        path = exr(channels("", "left", "diffuse", "diffuse.left"), multiView=Typed("string[2]", ("right", "left")))
        assert (read_image(path).rgb == 1).all()
        assert (read_image(path, pick=Pick(view="left")).rgb == 2).all()
        assert (read_image(path, pick=Pick("diffuse", "left")).rgb == 4).all()
        with pytest.raises(ItemError, match=r"no view centre .*: it has right, left"):
            read_image(path, pick=Pick(view="centre"))

    def test_where_no_rule_decides_all_are_named(self, exr):
        path = exr(channels("diffuse", "specular"))
        assert_refused(path, "unsupported", "several pictures: diffuse, specular; choose one with --layer")

    def test_a_layer_that_is_not_there(self, exr):
        with pytest.raises(ItemError, match=r"no layer glow .*it has diffuse, specular"):
            read_image(exr(channels("diffuse", "specular")), pick=Pick("glow"))

    @pytest.mark.parametrize("layer", ["roto", "roto.A"])
    def test_a_hint_may_be_one_channel_of_many(self, tmp_path, layer):
        samples = np.zeros((*SIZE, 5), np.float32)
        samples[..., 4] = 0.75
        path = write_exr(tmp_path / "m.exr", ([*"RGBA", "roto.A"], samples))
        assert (read_image(path, data=True, pick=Pick(layer, option="--hint-layer")).rgb == 0.75).all()
        assert read_image(path, data=True).left_out == ("roto.A",)

    @pytest.mark.parametrize("name", ["A", "Y", "roto.A"])
    def test_a_single_channel_is_told_by_its_name(self, exr, name):
        (note,) = read_image(exr([name, "Z"]), data=True).notes
        assert note.endswith(f"a.exr: {name} is used, its channels Z are left out")

    @pytest.mark.parametrize("option", ["--layer", "--hint-layer"])
    def test_a_wrong_name_is_answered_with_all_that_may_be_chosen(self, exr, option):
        path = exr([*channels("", "AO", suffixes="RGB"), "Z", "roto.A"])
        for data in (False, True):
            with pytest.raises(ItemError, match=rf"no layer nope \({option}\): it has RGBA, AO, Z, roto.A$"):
                read_image(path, data=data, pick=Pick("nope", option=option))


class TestWhatElseThereIs:
    def test_luminance_chroma(self, tmp_path):
        image = read_image(luminance_chroma(tmp_path / "a.exr", width=16, height=12))
        np.testing.assert_allclose(image.rgb, 0.25, atol=1e-3)
        assert image.depth == "half" and image.encoding.is_linear

    def test_deep_files_are_refused_with_what_to_do(self, tmp_path):
        samples = np.empty(SIZE, dtype=object)
        for i in np.ndindex(SIZE):
            samples[i] = np.ones(1, np.float32)
        planes = dict.fromkeys(("R", "G", "B", "A", "Z"), samples)
        OpenEXR.File({"type": OpenEXR.deepscanline, "compression": OpenEXR.ZIPS_COMPRESSION}, planes).write(
            str(tmp_path / "a.exr")
        )
        assert_refused(tmp_path / "a.exr", "unsupported", "deep samples: flatten it first")

    def test_what_describes_channels_goes(self, exr):
        told = {"multiView": Typed("string[2]", ("right", "left")), "cryptomatte/a1b2c3d/name": "CryptoObject"}
        image = read_image(exr(channels("", "left"), shot="a01", **told))
        assert image.metadata["shot"] == "a01"
        assert not [name for name in image.metadata if "crypto" in name or "multi" in name]


class TestKeptLayers:
    def kept(self, path, tmp_path, rgba=None):
        image = read_image(path)
        rgba = np.full((*SIZE, 4), 0.5, np.float32) if rgba is None else rgba
        target = Target("exr", "half", LINEAR, image.metadata, rest=image.taken)
        write_picture(tmp_path / "out.exr", rgba, target)
        return OpenEXR.File(str(tmp_path / "out.exr"), separate_channels=True)

    def test_the_matte_rides_along_with_the_other_channels(self, tmp_path):
        samples = np.random.default_rng(0).normal(size=(*SIZE, 9)).astype(np.float32)
        names = [*"RGBA", "Z", *channels("CryptoObject00", suffixes="rgba")]
        told = {"cryptomatte/a1b2c3d/name": "CryptoObject"}
        made = self.kept(write_exr(tmp_path / "a.exr", (names, samples), **told), tmp_path)
        (part,) = made.parts
        np.testing.assert_array_equal(part.channels["A"].pixels, np.float16(0.5))
        for i, name in enumerate(names[4:], 4):
            np.testing.assert_array_equal(part.channels[name].pixels, samples[..., i])  # bit for bit: it has hashes
        assert part.header["cryptomatte/a1b2c3d/name"] == "CryptoObject"

    def test_what_cannot_be_written_again_is_told(self, tmp_path):
        parts(tmp_path / "a.exr", ("rgba", "", "RGBA"), ("depth", "", ["Z"]))
        planes = {name: np.ones(SIZE, np.float16) for name in "RGB"} | {"id": np.ones(SIZE, np.uint32)}
        OpenEXR.File({"type": OpenEXR.scanlineimage}, planes).write(str(tmp_path / "b.exr"))
        keeping = Pick(keeps=True)
        assert read_image(tmp_path / "a.exr", pick=keeping).notes == (
            f"{tmp_path / 'a.exr'}: rgba of part 1 of 2 is used; its other channels are kept",
        )
        (note,) = read_image(tmp_path / "b.exr", pick=keeping).notes
        assert note.endswith("RGB is used, its channels id are left out")

    def test_the_other_parts_follow(self, tmp_path):
        parts(tmp_path / "a.exr", ("albedo", "", channels("albedo")), ("rgba", "", "RGBA"), ("depth", "", ["Z"]))
        made = self.kept(tmp_path / "a.exr", tmp_path)
        assert [part.header["name"] for part in made.parts] == ["composite", "albedo", "depth"]
        assert (made.parts[1].channels["albedo.R"].pixels == 1).all() and (
            made.parts[2].channels["Z"].pixels == 3
        ).all()

    def test_no_channel_is_lost_to_one_of_its_name(self, tmp_path):
        path = write_exr(tmp_path / "a.exr", (channels("", "diffuse"), numbered(8)))
        image = read_image(path, pick=Pick("diffuse"))
        target = Target("exr", "half", LINEAR, rest=image.taken)
        write_picture(tmp_path / "out.exr", np.ones((*SIZE, 4), np.float32), target)
        (part,) = OpenEXR.File(str(tmp_path / "out.exr"), separate_channels=True).parts
        assert set(part.channels) == {*"RGBA", *channels("source")}


class TestNamesOfLayers:
    """As Nuke and Blender look for them: the composite without a prefix, `layer.channel` for each layer."""

    names = ("background", "foreground", "foreground_2")

    def write(self, path, **more):
        pixels = [np.full((*SIZE, 4), i / 4, np.float32) for i in (1, 2, 3)]
        layers = [Layer(name, one) for name, one in zip(self.names, pixels, strict=True)]
        write_layers(path, layers, Target("exr", "half", LINEAR, **more))

    def test_in_one_part(self, tmp_path):
        self.write(tmp_path / "a.exr")
        (part,) = OpenEXR.File(str(tmp_path / "a.exr"), separate_channels=True).parts
        assert set(part.channels) == {*channels("", *self.names)}
        assert part.channels["foreground_2.A"].pixels[0, 0] == 0.75
        assert set(oiio.ImageInput.open(str(tmp_path / "a.exr")).spec().channelnames) == set(part.channels)
        assert (read_image(tmp_path / "a.exr").alpha < 1).all()  # its composite, not a layer

    def test_in_parts_the_composite_is_the_first(self, tmp_path):
        self.write(tmp_path / "a.exr", parts=True)
        made = OpenEXR.File(str(tmp_path / "a.exr"), separate_channels=True).parts
        assert [part.header["name"] for part in made] == ["composite", *self.names]
        assert set(made[0].channels) == set("RGBA") and set(made[1].channels) == set(channels("background"))

    def test_names_of_earlier_versions_are_read(self, tmp_path):
        samples = np.concatenate([np.full((*SIZE, 4), v, np.float32) for v in (1, 0.5, 0.25)], -1)
        names = channels("", "layer_00", "layer_01")
        write_exr(tmp_path / "a.exr", (names, samples), layers="layer_00 background, layer_01 foreground")
        assert [float(one.alpha[0, 0]) for one in read_layers(tmp_path / "a.exr", "exr")] == [0.5, 0.25]

    def test_parts_of_earlier_versions_are_read(self, tmp_path):
        samples = [(list("RGBA"), np.full((*SIZE, 4), v, np.float32)) for v in (0.5, 0.25)]
        write_exr(tmp_path / "a.exr", *samples)
        assert [float(one.alpha[0, 0]) for one in read_layers(tmp_path / "a.exr", "exr")] == [0.5, 0.25]


def luminance_chroma(path, width: int, height: int):
    """A flat grey of .25, Y at full and RY, BY at half resolution, not compressed (OpenEXR File Layout)."""
    box = struct.pack("<4i", 0, 0, width - 1, height - 1)
    rows = ((b"BY", 2), (b"RY", 2), (b"Y", 1))
    attributes = {
        "channels chlist": b"".join(n + b"\0" + struct.pack("<iB3xii", 1, 0, s, s) for n, s in rows) + b"\0",
        "compression compression": b"\0",
        "dataWindow box2i": box,
        "displayWindow box2i": box,
        "lineOrder lineOrder": b"\0",
        "pixelAspectRatio float": struct.pack("<f", 1),
        "screenWindowCenter v2f": bytes(8),
        "screenWindowWidth float": struct.pack("<f", 1),
    }
    header = b"v/1\x01\x02\0\0\0" + b"".join(
        name.replace(" ", "\0").encode() + b"\0" + struct.pack("<i", len(value)) + value
        for name, value in attributes.items()
    ) + b"\0"  # fmt: skip
    chroma, grey = np.zeros(width, "<f2").tobytes(), np.full(width, 0.25, "<f2").tobytes()
    lines = [struct.pack("<ii", y, len(data)) + data
             for y in range(height) for data in [(chroma if y % 2 == 0 else b"") + grey]]  # fmt: skip
    place, offsets = len(header) + 8 * height, []
    for line in lines:
        offsets.append(place)
        place += len(line)
    path.write_bytes(header + struct.pack(f"<{height}Q", *offsets) + b"".join(lines))
    return path
