"""`omnialpha compose`: layers to a picture again, on another plate too, and the check that they are their source."""

import io
import json
import subprocess
import sys
from zipfile import ZipFile

import numpy as np
import pytest
from picture_files import write_exr
from PIL import Image as PILImage

from omnialpha_cli import ItemError
from omnialpha_cli.compose import compose, read_result
from omnialpha_cli.media.colour import LINEAR
from omnialpha_cli.media.image import from_array
from omnialpha_cli.media.layered import untrimmed
from omnialpha_cli.media.read import read_image
from omnialpha_cli.media.write import Layer, Target, write_layers

SIZE = 6, 8
FILES = {"ora": "a.ora", "psd": "a.psd", "tiff": "a.tif", "tiff-pages": "a.tif", "exr": "a.exr"}


def plain(value: float, alpha: float = 1) -> np.ndarray:
    return np.dstack([np.full((*SIZE, 3), value, np.float32), np.full(SIZE, alpha, np.float32)])


@pytest.fixture
def layered(tmp_path, monkeypatch):
    """Writes layers, by default .2 and half of .8 over it, into one file of a format."""
    monkeypatch.chdir(tmp_path)

    def write(format: str, *pixels: np.ndarray):
        pictures = pixels or (plain(0.2), plain(0.8, 0.5))
        target = Target(format, "half", LINEAR) if format == "exr" else Target(format)
        write_layers(tmp_path / FILES[format], [Layer(f"l{i}", one) for i, one in enumerate(pictures)], target)
        return tmp_path / FILES[format]

    return write


class TestUneditedLayersAreTheirSource:
    @pytest.mark.parametrize("format", ["png", "webp", "tiff", "tiff-pages", "ora", "psd", "exr"])
    def test_at_8_bits_to_1_of_255_in_half_to_a_thousandth(self, run, omnialpha, picture, tmp_path, format):
        picture(tmp_path / "in" / "a.png", size=(64, 48))
        assert run("decompose", "in", "-o", "out", "--format", format).code == 0
        result = next(path for path in (tmp_path / "out").iterdir() if path.stem == "a")
        outcome = omnialpha("compose", result, "--check", "in", "-o", "composed")
        assert outcome.code == 0, outcome.out + outcome.err
        assert "within 0.001000" in outcome.out if format == "exr" else "within 0.003922" in outcome.out
        assert not (tmp_path / "composed").exists()

    def test_the_picture_is_written_in_the_format_of_the_layers(self, run, omnialpha, picture, tmp_path):
        source = picture(tmp_path / "in" / "a.png", size=(64, 48))
        assert run("decompose", source, "-o", "out").code == 0
        assert omnialpha("compose", "out/a", "-o", "composed").lines == ["composed/a.png"]
        made = np.asarray(PILImage.open("composed/a.png")).astype(int)
        assert np.abs(made[..., :3] - np.asarray(PILImage.open(source))).max() <= 1
        assert (made[..., 3] == 255).all()


class TestWhereLayersAreBlended:
    @pytest.mark.parametrize("format", FILES)
    def test_in_the_numbers_of_the_file(self, omnialpha, layered, format):
        outcome = omnialpha("compose", layered(format), "-o", "composed")
        assert outcome.code == 0, outcome.err
        image = read_image(outcome.lines[0])
        np.testing.assert_allclose(image.rgb, 0.5, atol=1 / 255)
        assert image.encoding.is_linear == (format == "exr")

    def test_names_of_earlier_versions_are_read(self, omnialpha, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        names = [f"{prefix}{c}" for prefix in ("", "layer_00.", "layer_01.") for c in "RGBA"]
        samples = np.concatenate([plain(0), plain(0.25), plain(0.5, 0.5)], -1)
        path = write_exr(tmp_path / "a.exr", (names, samples), layers="layer_00 background, layer_01 foreground")
        assert omnialpha("compose", path, "-o", "composed").code == 0
        np.testing.assert_allclose(read_image("composed/a.exr").rgb, 0.625)  # premultiplied .5 + half of .25


class TestEditedLayers:
    def test_a_changed_picture_in_a_folder_counts(self, run, omnialpha, picture, tmp_path):
        picture(tmp_path / "in" / "a.png")
        assert run("decompose", "in", "-o", "out").code == 0
        top = json.loads((tmp_path / "out" / "a" / "layers.json").read_text())["layers"][-1]
        PILImage.new("RGBA", (96, 64), (255, 0, 0, 255)).save(tmp_path / "out" / "a" / top["file"])
        outcome = omnialpha("compose", "out/a", "--check", "in/a.png")
        assert outcome.code == 1 and "beyond 0.003922" in outcome.out
        assert omnialpha("compose", "out/a", "--check", "in/a.png", "--tolerance", 1).code == 0

    def test_a_layer_that_openraster_moves_and_fades(self, omnialpha, layered):
        path = layered("ora")
        with ZipFile(path) as archive:
            content = {name: archive.read(name) for name in archive.namelist()}
        stack = content["stack.xml"].decode()
        content["stack.xml"] = stack.replace('x="0"', 'x="2"', 1).replace('opacity="1.0"', 'opacity="0.5"', 1).encode()
        with ZipFile(path, "w") as archive:
            for name, data in content.items():
                archive.writestr(name, data)
        assert omnialpha("compose", path, "-o", "composed").code == 0
        row = read_image("composed/a.png").rgb[0, :, 0]
        np.testing.assert_allclose(row, [0.2] * 2 + [0.35] * 6, atol=2 / 255)

    def test_a_layer_that_photoshop_moves_and_fades(self, omnialpha, layered):
        from psd_tools import PSDImage

        path = layered("psd")
        document = PSDImage.open(path)
        document[1].left, document[1].opacity = 2, 128
        document.save(path)
        assert omnialpha("compose", path, "-o", "composed").code == 0
        row = read_image("composed/a.png").rgb[0, :, 0]
        np.testing.assert_allclose(row, [0.2] * 2 + [0.35] * 6, atol=2 / 255)

    @pytest.mark.parametrize(("hidden", "row"), [(False, [0.2] * 2 + [0.35] * 6), (True, [0.2] * 8)])
    def test_a_layer_of_tiff_that_photoshop_moves_and_hides(self, tmp_path, hidden, row):
        import psdtags
        import tifffile

        like, flag = psdtags.PsdLayerFlag.PHOTOSHOP5, psdtags.PsdLayerFlag.VISIBLE
        records = []
        for value, alpha, left, opacity in ((51, 255, 0, 255), (204, 128, 2, 128)):
            planes = [np.full(SIZE, one, np.uint8) for one in (alpha, value, value, value)]
            kinds = [psdtags.PsdChannelId(i) for i in (-1, 0, 1, 2)]
            raw = psdtags.PsdCompressionType.RAW
            channels = [psdtags.PsdChannel(kind, raw, plane) for kind, plane in zip(kinds, planes, strict=True)]
            place = psdtags.PsdRectangle(0, left, SIZE[0], left + SIZE[1])
            flags = like | flag if hidden and left else like
            records.append(psdtags.PsdLayer("l", channels, place, opacity=opacity, flags=flags))
        layers = psdtags.PsdLayers(psdtags.PsdKey.LAYER, records)
        data = psdtags.TiffImageSourceData(psdtags.PsdFormat.LE32BIT, layers, psdtags.PsdUserMask())
        tifffile.imwrite(tmp_path / "a.tif", np.zeros((*SIZE, 4), np.uint8), photometric="rgb",
                         extrasamples=["unassalpha"], byteorder="<", extratags=[data.tifftag()])  # fmt: skip
        found, _ = read_result(tmp_path / "a.tif")
        np.testing.assert_allclose(compose(found)[0, :, 0], row, atol=2 / 255)

    def test_a_blend_mode_is_refused_by_name(self, omnialpha, layered):
        from psd_tools import PSDImage
        from psd_tools.constants import BlendMode

        path = layered("psd")
        document = PSDImage.open(path)
        document[1].blend_mode = BlendMode.MULTIPLY
        document.save(path)
        outcome = omnialpha("compose", path)
        assert outcome.code == 1 and "layer l1 is blended by MULTIPLY; merge it" in outcome.err


class TestAnotherPlate:
    def test_a_matte_on_it(self, omnialpha, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        PILImage.new("RGBA", (8, 6), (200, 100, 0, 51)).save("m.png")
        PILImage.new("RGB", (8, 6), (100, 100, 100)).save("plate.png")
        assert omnialpha("compose", "m.png", "--over", "plate.png", "-o", "composed").code == 0
        np.testing.assert_array_equal(np.asarray(PILImage.open("composed/m.png"))[0, 0], [120, 100, 80, 255])

    def test_what_a_matte_keeps_of_its_source_is_no_layer(self, run, omnialpha, tmp_path):
        names = [f"{prefix}{c}" for prefix in ("", "diffuse.") for c in "RGBA"]
        (tmp_path / "in").mkdir()
        write_exr(tmp_path / "in" / "a.exr", (names, np.random.default_rng(0).uniform(0, 1, (64, 64, 8))))
        assert run("matte", "in", "-o", "out", "--keep-layers").code == 0
        assert omnialpha("compose", "out/a.exr", "-o", "composed").code == 0
        matte, made = read_image("out/a.exr"), read_image("composed/a.exr")
        np.testing.assert_array_equal(made.alpha, matte.alpha)

    def test_it_takes_the_place_of_an_opaque_background(self, omnialpha, layered):
        path = layered("psd")
        PILImage.new("RGB", (8, 6), (0, 0, 0)).save("plate.png")
        assert omnialpha("compose", path, "--over", "plate.png", "-o", "composed").code == 0
        np.testing.assert_allclose(read_image("composed/a.png").rgb, 0.4, atol=1 / 255)

    def test_one_of_another_size_is_refused_with_both_sizes(self, omnialpha, layered):
        path = layered("psd")
        PILImage.new("RGB", (9, 6)).save("plate.png")
        outcome = omnialpha("compose", path, "--over", "plate.png")
        assert outcome.code == 1 and "9×6, 8×6" in outcome.err


class TestWhatIsRefused:
    def test_a_picture_that_is_there_unless_overwrite(self, omnialpha, layered):
        path = layered("psd")
        assert omnialpha("compose", path, "-o", "composed").code == 0
        outcome = omnialpha("compose", path, "-o", "composed")
        assert outcome.code == 1 and "--overwrite replaces it" in outcome.err
        assert omnialpha("compose", path, "-o", "composed", "--overwrite").code == 0

    def test_the_result_itself_is_never_replaced(self, omnialpha, layered):
        path = layered("exr")
        before = path.read_bytes()
        outcome = omnialpha("compose", path, "-o", ".", "--overwrite")
        assert outcome.code == 1 and "is the result itself" in outcome.err
        assert path.read_bytes() == before

    def test_one_bad_result_does_not_stop_the_others(self, omnialpha, layered, tmp_path):
        (tmp_path / "empty").mkdir()
        outcome = omnialpha("compose", "empty", layered("psd"), "-o", "composed")
        assert outcome.code == 1 and outcome.lines == ["composed/a.png"]
        assert "empty/layers.json cannot be read" in outcome.err

    @pytest.mark.parametrize(
        "content",
        ["[]", "{", "[" * 9999, '{"height": Infinity}', json.dumps({"height": 1, "width": 1, "layers": [{}]})],
    )
    def test_a_manifest_that_describes_no_layers(self, omnialpha, tmp_path, content):
        (tmp_path / "layers.json").write_text(content)
        outcome = omnialpha("compose", tmp_path)
        assert outcome.code == 1 and "layers.json does not describe layers" in outcome.err

    @pytest.mark.parametrize("side", [-1, 0, 10**6, 10**30])
    def test_a_canvas_that_cannot_be(self, omnialpha, tmp_path, side):
        PILImage.new("RGBA", (8, 6)).save(tmp_path / "a.png")
        content = {"height": side, "width": 10**6, "layers": [{"file": "a.png"}]}
        (tmp_path / "layers.json").write_text(json.dumps(content))
        outcome = omnialpha("compose", tmp_path)
        assert outcome.code == 1 and f"layers.json is 1000000×{side} pixels" in outcome.err
        with pytest.raises(ItemError, match=f"a layer is 1000000×{side} pixels"):
            untrimmed(from_array(np.zeros((6, 8, 4), np.uint8)), {"place": f"0 0 1000000 {side}"})

    def test_none_that_exists(self, omnialpha):
        assert omnialpha("compose", "gone.psd").code == 3


class TestInPython:
    def test_arrays_bottom_first(self):
        np.testing.assert_allclose(compose([plain(0.2), plain(0.8, 0.5)])[..., 0], 0.5, rtol=1e-6)
        np.testing.assert_allclose(compose([plain(0.8, 0.5)], over=plain(0)[..., :3])[..., 0], 0.4, rtol=1e-6)

    def test_other_sizes_are_refused(self):
        with pytest.raises(ItemError, match="8×6, 8×5"):
            compose([plain(0), plain(0)[1:]])

    def test_one_that_does_not_decode(self):
        file = io.BytesIO()
        PILImage.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 4), np.uint8)).save(file, "PNG")
        with pytest.raises(ItemError, match=r"a layer cannot be read: .*truncated"):
            compose([PILImage.open(io.BytesIO(file.getvalue()[:4000]))])

    def test_without_torch(self):
        script = "import sys, omnialpha_cli.compose, omnialpha_cli.cli.compose; assert 'torch' not in sys.modules"
        subprocess.run([sys.executable, "-c", script], check=True)
