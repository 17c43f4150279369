"""Colour as a compositor chooses it, layers that ride along, exposure for the model: through the whole tool."""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from picture_files import write_exr


@pytest.fixture
def run(omnialpha, tiny_weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: omnialpha(*arguments, "--model", tiny_weights, "--device", "cpu")


@pytest.fixture
def light() -> np.ndarray:
    return np.random.default_rng(0).gamma(1, 0.6, (32, 48, 3)).astype(np.float32)  # far above white in places


def read(path: str) -> np.ndarray:
    reader = oiio.ImageInput.open(path)
    return reader.read_image(0, 0, 0, reader.spec().nchannels, "float")


def log_dpx(path: str, light: np.ndarray) -> None:
    code = np.log10(np.maximum(light, 0) * (1 - 0.0108) + 0.0108) * 300 + 685
    spec = oiio.ImageSpec(light.shape[1], light.shape[0], 3, "uint16")
    spec.attribute("oiio:BitsPerSample", 10)
    spec.attribute("dpx:Transfer", "Printing density")
    writer = oiio.ImageOutput.create("dpx")
    assert writer.open(path, spec)
    assert writer.write_image((np.clip(code, 0, 1023) / 1023 * 65535).astype(np.uint16)) and writer.close()


class TestLog:
    def test_film_scans_become_half_exr_with_all_their_light(self, run, light):
        log_dpx("a.dpx", light)
        mask = np.zeros((32, 48, 1), np.float32)
        mask[10:20, 10:20] = 1
        write_exr(Path("mask.exr"), (["A"], mask))
        (made,) = run("remove", "a.dpx", "--mask", "mask.exr").lines
        assert made.endswith(".exr") and str(oiio.ImageInput.open(made).spec().format) == "half"
        outside = mask[..., 0] == 0
        np.testing.assert_allclose(read(made)[outside, :3], light[outside], rtol=0.01, atol=1e-3)
        assert read(made)[outside, :3].max() > 1.5

    def test_they_stay_log_on_request(self, run, light):
        log_dpx("a.dpx", light)
        (made,) = run("matte", "a.dpx", "--output-space", "source", "--format", "tiff", "--depth", "16").lines
        opaque = read(made)[..., 3] == 1
        assert np.abs(read(made)[opaque, :3] - read("a.dpx")[opaque]).max() < 1 / 500 if opaque.any() else True

    def test_what_is_cut_off_on_request_is_said(self, run, light):
        log_dpx("a.dpx", light)
        outcome = run("matte", "a.dpx", "--format", "png")
        assert outcome.code == 0 and "brighter than white is cut off in png" in outcome.err


class TestSpaces:
    def test_colours_go_from_one_space_to_another_and_alpha_does_not(self, run, light):
        mask = np.zeros((32, 48, 1), np.float32)
        mask[10:20, 10:20] = 1
        write_exr(Path("mask.exr"), (["A"], mask))
        write_exr(Path("a.exr"), ("RGB", light))
        options = ("--mask", "mask.exr", "--depth", "float", "--input-space", "ACEScg")
        (made,) = run("remove", "a.exr", *options, "--output-space", "ACES2065-1").lines
        wanted = oiio.ImageBufAlgo.colorconvert(
            oiio.ImageBuf(light), "ACEScg", "ACES2065-1", colorconfig="ocio://studio-config-latest"
        ).get_pixels(oiio.FLOAT)
        outside = mask[..., 0] == 0
        np.testing.assert_allclose(read(made)[outside, :3], wanted[outside], atol=1e-3)
        chromaticities = oiio.ImageInput.open(made).spec().getattribute("chromaticities")
        np.testing.assert_allclose(chromaticities[:2], (0.7347, 0.2653), atol=1e-4)

    def test_a_camera_log_becomes_exr(self, run):
        from PIL import Image

        Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 48, 3), np.uint8)).save("a.png")
        assert run("matte", "a.png", "--input-space", "ARRI LogC3 (EI800)", "--dry-run").lines == ["matte/a.exr"]

    @pytest.mark.parametrize("option", ["--input-space", "--output-space"])
    def test_a_wrong_name_is_refused_before_any_work(self, run, picture, option):
        picture(Path("a.png"))
        outcome = run("matte", "a.png", option, "ACEScgg")
        assert outcome.code == 2 and "ACEScg," in outcome.err

    def test_pictures_for_a_display_come_out_as_without(self, run, picture):
        picture(Path("a.png"))
        plain = run("matte", "a.png", "-o", "one").lines[0]
        same = run("matte", "a.png", "-o", "two", "--input-space", "sRGB - Display", "--exposure", "0").lines[0]
        np.testing.assert_array_equal(read(plain), read(same))


class TestExposure:
    def test_a_sequence_has_one(self, run, light, monkeypatch):
        from omnialpha_cli.batch import pipeline

        asked = []
        real = pipeline.prepare
        monkeypatch.setattr(pipeline, "prepare", lambda *given: asked.append(given[5]) or real(*given))
        for frame, gain in ((1001, 1), (1002, 4)):
            write_exr(Path(f"s.{frame}.exr"), ("RGB", light * gain))
        assert run("matte", "s.####.exr").code == run("matte", "s.####.exr", "--frames", "1002", "-o", "o").code == 0
        assert len(asked) == 3 and len(set(asked)) == 1 and asked[0] is not None


class TestLayers:
    names = (*"RGBA", "Z", "AO.R", "AO.G", "AO.B")

    def source(self, light):
        rest = np.random.default_rng(1).normal(size=(32, 48, 4)).astype(np.float32)
        write_exr(Path("a.exr"), (list(self.names), np.dstack([light, np.ones((32, 48)), rest])))
        return rest

    def test_the_rest_rides_along(self, run, light):
        rest = self.source(light)
        (made,) = run("matte", "a.exr", "--keep-layers").lines
        spec = oiio.ImageInput.open(made).spec()
        assert set(spec.channelnames) == set(self.names)
        places = [spec.channelnames.index(name) for name in self.names[4:]]
        np.testing.assert_array_equal(read(made)[..., places], rest)

    def test_what_rides_along_is_not_told_to_be_left_out(self, run, light):
        self.source(light)
        outcome = run("matte", "a.exr", "--keep-layers")
        assert "a.exr: RGBA is used; its other channels are kept" in outcome.err and "left out" not in outcome.err

    def test_it_is_left_out_otherwise(self, run, light):
        self.source(light)
        (made,) = run("matte", "a.exr").lines
        assert oiio.ImageInput.open(made).spec().channelnames == ("R", "G", "B", "A")

    def test_a_layer_that_is_not_there_fails_the_item(self, run, light):
        self.source(light)
        outcome = run("matte", "a.exr", "--layer", "glow")
        assert outcome.code == 1 and "no layer glow (--layer): it has RGBA, AO" in outcome.err

    @pytest.mark.parametrize("command", ["matte", "remove", "decompose"])
    def test_a_black_mask_is_reported_with_where_another_may_be(self, run, picture, light, command):
        picture(Path("a.png"), size=(48, 32))
        samples = np.zeros((32, 48, 4), np.float32)
        samples[8:20, 8:20, 3] = 1
        write_exr(Path("mask.exr"), (["R", "G", "B", "roto.A"], samples))
        outcome = run(command, "a.png", "--mask", "mask.exr")
        assert "mask.exr is black" in outcome.err and "roto.A: choose with --hint-layer" in outcome.err
        outcome = run(command, "a.png", "--mask", "mask.exr", "--hint-layer", "roto", "-o", "o")
        assert outcome.code == 0 and "black" not in outcome.err

    @pytest.mark.parametrize("option", ["--mask", "--core"])
    def test_what_is_taken_of_a_hint_is_told_once_unless_it_was_chosen(self, run, picture, option):
        Path("hints").mkdir()
        for frame in ("0001", "0002"):
            picture(Path(f"a.{frame}.png"), size=(48, 32))
            samples = np.zeros((32, 48, 4), np.float32)
            samples[8:20, 8:20] = 1
            write_exr(Path(f"hints/a.{frame}.exr"), (["R", "G", "B", "roto.A"], samples))
        outcome = run("matte", "a.####.png", option, "hints/a.{frame}.exr")
        assert outcome.code == 0
        assert outcome.err.count(".exr: RGB is used, its channels roto.A are left out") == 1
        outcome = run("matte", "a.####.png", option, "hints/a.{frame}.exr", "--hint-layer", "roto", "-o", "o")
        assert outcome.code == 0 and "is used" not in outcome.err

    def test_what_is_taken_of_a_clean_plate_is_told(self, run, light):
        self.source(light)
        Path("a.exr").rename("plate.exr")
        write_exr(Path("a.exr"), ("RGB", light))
        outcome = run("matte", "a.exr", "--background", "plate.exr")
        assert "plate.exr: RGBA is used, its channels Z, AO.R, AO.G, AO.B are left out" in outcome.err
