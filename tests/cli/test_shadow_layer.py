"""The shadow as a layer: `matte --keep-shadow` and `decompose --effects`."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage
from sure_weights import GAIN, look_at_colours

from omnialpha_cli.compose import compose, read_result
from omnialpha_cli.media.layered import read_layers

GROUND = 0.5
LAYERED = {"tiff": ".tif", "tiff-pages": ".tif", "psd": ".psd", "ora": ".ora", "exr": ".exr"}


@pytest.fixture
def run(omnialpha, sure_weights, tmp_path, monkeypatch):
    """Runs a command on `in/a.png`: a red square on light grey, and beside it its shadow, which is darker by `GAIN`."""
    monkeypatch.chdir(tmp_path)
    look_at_colours(monkeypatch)
    pixels = np.full((64, 96, 3), (90, 170, 170), np.uint8)
    pixels[16:48, 60:84] = pixels[0, 0] / GAIN
    pixels[16:48, 16:48] = 255, 20, 200
    Path("in").mkdir()
    PILImage.fromarray(pixels).save("in/a.png")
    return lambda *words: omnialpha(*words, "--model", sure_weights)


def alpha_of_shadow(rgba: np.ndarray) -> float:
    return float(np.median(rgba[24:40, 66:78, 3]))


class TestMatte:
    def test_has_translucent_black_under_the_object(self, run):
        assert run("matte", "in", "--keep-shadow", "-o", "out").code == 0
        rgba = np.asarray(PILImage.open("out/a.png")) / 255
        assert alpha_of_shadow(rgba) == pytest.approx(1 - 1 / GAIN, abs=0.02)
        assert (rgba[24:40, 66:78, :3] == 0).all()
        assert (rgba[24:40, 24:40] == np.array((255, 20, 200, 255)) / 255).all()  # the object is as without
        assert (rgba[:8, :, 3] == 0).all()

    def test_sits_on_any_ground(self, run):
        run("matte", "in", "--keep-shadow", "-o", "out")
        PILImage.new("RGB", (96, 64), (128, 128, 128)).save("plate.png")
        assert run_compose(run, "out/a.png", "plate.png")[30, 70, 0] == pytest.approx(128 / GAIN, abs=4)

    @pytest.mark.slow
    def test_gives_the_shadow_a_layer_where_formats_have_some(self, run):
        run("matte", "in", "--keep-shadow", "-o", "out")
        whole = np.asarray(PILImage.open("out/a.png")) / 255
        for format in ("tiff", "tiff-pages", "psd", "ora"):
            assert run("matte", "in", "--keep-shadow", "-o", format, "--format", format).code == 0
            result = Path(format, "a" + LAYERED[format])
            shadow, front = read_layers(result, format)
            assert (shadow.rgb == 0).all() and alpha_of_shadow(shadow.alpha[..., None].repeat(4, -1)) > 0.3
            assert (front.alpha[24:40, 66:78] == 0).all()
            assert np.abs(compose([shadow, front])[..., 3] - whole[..., 3]).max() < 1.5 / 255
            assert len(read_result(result)[0]) == 2  # `compose` puts both on a plate
            run_compose(run, result, "in/a.png")

    def test_is_premultiplied_on_one_colour_with_flatten(self, run):
        assert run("matte", "in", "--keep-shadow", "--flatten", "white", "--format", "tiff", "-o", "out").code == 0
        rgba = np.asarray(PILImage.open("out/a.tif"))
        assert rgba[30, 70, 0] == pytest.approx(255 / GAIN, abs=4)

    @pytest.mark.parametrize("other", ["--steady", "--alpha-only"])
    def test_is_not_for_what_takes_alpha_for_the_object(self, run, other):
        outcome = run("matte", "in", "--keep-shadow", other)
        assert outcome.code == 2 and other in outcome.err

    def test_is_made_again_as_info_says(self, run, omnialpha):
        run("matte", "in", "--keep-shadow", "-o", "out")
        assert "--keep-shadow" in omnialpha("info", "out/a.png").out


def run_compose(run, result, plate) -> np.ndarray:
    """The result on a plate."""
    from omnialpha_cli.media.read import read_image

    layers, _ = read_result(Path(result))
    return compose(layers, read_image(Path(plate)))[..., :3] * 255


class TestDecomposition:
    @pytest.mark.parametrize("format", ["png", "webp", *LAYERED])
    def test_the_three_layers_are_the_source(self, run, omnialpha, format):
        assert run("decompose", "in", "--effects", "-o", "out", "--format", format).code == 0
        result = "out/a" + LAYERED.get(format, "")
        layers, _ = read_result(Path(result))
        background, shadow, _ = layers
        assert np.median(shadow.alpha[24:40, 66:78]) > 0.3
        assert np.median(background.rgb[24:40, 66:78, 1]) > 1.3 * np.median(background.rgb[24:40, 66:78, 1]) / GAIN
        outcome = omnialpha("compose", result, "--check", "in/a.png")
        assert outcome.code == 0, outcome.out

    def test_the_background_is_as_light_as_beside_the_shadow(self, run):
        run("decompose", "in", "--effects", "-o", "out")
        background = np.asarray(PILImage.open("out/a/00_background.png"))
        assert np.abs(background[24:40, 66:78, :3].astype(int) - (90, 170, 170)).max() <= 4

    def test_layers_are_named(self, run):
        run("decompose", "in", "--effects", "-o", "out")
        told = json.loads(Path("out/a/layers.json").read_text())
        assert [layer["name"] for layer in told["layers"]] == ["background", "shadow", "foreground"]
        assert [layer["file"] for layer in told["layers"]] == [
            "00_background.png", "01_shadow.png", "02_foreground.png"
        ]  # fmt: skip
        run("decompose", "in", "--effects", "-o", "exr", "--format", "exr")
        import OpenImageIO as oiio

        names = oiio.ImageInput.open("exr/a.exr").spec().channelnames
        assert {"shadow.R", "shadow.A", "background.R", "foreground.A"} <= set(names)

    def test_the_record_says_by_how_much_the_picture_is_darkened_and_lightened(self, run):
        item, _ = map(json.loads, run("decompose", "in", "--effects", "--json").lines)
        assert 0 < item["darkened"] < 0.2 and item["lightened"] == 0
        item, _ = map(json.loads, run("decompose", "in", "-o", "without", "--json").lines)
        assert item["darkened"] is item["lightened"] is None

    def test_previews_show_it(self, run):
        assert run("decompose", "in", "--effects", "--preview", "--preview-html", "page.html").code == 0
        assert '"title": "shadow"' in Path("page.html").read_text()
        assert run("matte", "in", "--keep-shadow", "--format", "psd", "--preview").code == 0
        assert Path("matte/.omnialpha/previews/a.psd.jpg").exists()

    def test_it_has_one_foreground(self, run):
        outcome = run("decompose", "in", "--effects", "--layers", 3)
        assert outcome.code == 2 and "give 2 layers" in outcome.err


def test_weights_that_find_no_shadows_say_so(omnialpha, tiny_weights, run):
    outcome = omnialpha("matte", "in", "--keep-shadow", "--model", tiny_weights)
    assert outcome.code == 1 and "these weights find no shadows" in outcome.err
