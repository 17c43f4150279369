"""Pixels that survive, from the command line: depth, range, colour, layers, and what is refused."""

import json
import re
import shlex
import subprocess
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
from picture_files import by_openimageio, over, write_exr
from psd_tools import PSDImage

from omnialpha_cli.media.colour import LINEAR, PRIMARIES, SRGB, Encoding, convert
from omnialpha_cli.media.formats import FORMATS
from omnialpha_cli.media.image import Typed
from omnialpha_cli.media.read import read_image

HEIGHT, WIDTH = 48, 64


def smooth(low: float = 0, high: float = 1, seed: int = 0) -> np.ndarray:
    """A picture (H, W, 3) of slow waves, from low to high."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] / 16
    waves = [np.sin(rows * a + columns * b + c) for a, b, c in rng.uniform(0.5, 2, (3, 3))]
    return (low + (high - low) * (np.stack(waves, -1) + 1) / 2).astype(np.float32)


def grey(path: str, value: int = 255) -> str:
    PIL.Image.new("L", (WIDTH, HEIGHT), value).save(path)
    return path


def exr(path: str, rgb: np.ndarray, **more) -> Path:
    return write_exr(Path(path), ("RGBA"[: rgb.shape[2]], rgb), **more)


def tiff(path: str, samples: np.ndarray, **more) -> Path:
    alpha = {"extrasamples": ["unassalpha"]} if samples.shape[2] == 4 else {}
    tifffile.imwrite(path, samples, photometric="rgb", **alpha, **more)
    return Path(path)


@pytest.fixture
def keep(run):
    """Mattes a picture whole: its trimap says that all of it is the object, so every pixel passes through."""

    def make(path, *options):
        outcome = run("matte", path, "--trimap", grey("white.png"), "-o", "out", *options)
        assert outcome.code == 0, outcome.err
        return Path(outcome.lines[0]), outcome

    return make


class TestDepthAndRange:
    def test_half_exr_stays_half_exr_bit_for_bit(self, keep):
        rgb = smooth(-0.3, 12).astype(np.float16)
        made, _ = keep(exr("a.exr", rgb))
        assert made == Path("out/a.exr")
        read = by_openimageio(made)
        assert read.dtype == np.float16
        np.testing.assert_array_equal(read[..., :3], rgb)

    @pytest.mark.parametrize("type", [np.float16, np.float32])
    def test_float_tiff_becomes_exr_or_stays_what_it_was(self, keep, type):
        rgb = smooth(-0.3, 12).astype(type)
        made, _ = keep(tiff("a.tif", rgb))
        assert made.suffix == ".exr" and by_openimageio(made).dtype == type
        np.testing.assert_array_equal(by_openimageio(made)[..., :3], rgb)
        made, _ = keep("a.tif", "--format", "tiff")
        assert made.suffix == ".tif" and by_openimageio(made).dtype == type
        np.testing.assert_array_equal(by_openimageio(made)[..., :3], rgb)

    @pytest.mark.parametrize("format", ["png", "tiff"])
    def test_sixteen_bits_stay_sixteen(self, keep, format):
        samples = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, 3), np.uint16)
        made, _ = keep(tiff("a.tif", samples), "--format", format)
        read = by_openimageio(made)
        assert read.dtype == np.uint16
        np.testing.assert_array_equal(read[..., :3], samples)

    def test_remove_passes_the_plate_through_outside_the_mask(self, run):
        rgb = smooth(-0.3, 12).astype(np.float16)
        outcome = run("remove", exr("a.exr", rgb), "--mask", grey("black.png", 0))
        np.testing.assert_array_equal(by_openimageio(outcome.lines[0]), rgb)

    @pytest.mark.parametrize("options", ["png", "tiff", "tiff --premultiplied", "tiff-pages", "exr", "webp"])
    def test_remove_adds_no_alpha_channel_to_a_plate_without_one(self, run, omnialpha, picture, options):
        plate = by_openimageio(picture(Path("a.png"), (WIDTH, HEIGHT)))
        mask = grey("black.png", 0)
        (made,) = run("remove", "a.png", "--mask", mask, "--preview", "--format", *options.split()).lines
        assert by_openimageio(made).shape == plate.shape
        assert options == "exr" or (by_openimageio(made) == plate).all()
        outcome = omnialpha("compose", made, "--check", "a.png", "--tolerance", "0.002" if options == "exr" else "0")
        assert outcome.code == 0, outcome.err

    def test_what_has_no_pixels_stays_transparent_behind_a_plate_without_alpha(self, run):
        exr("a.exr", smooth(0, 1), windows=(10, 5, WIDTH + 20, HEIGHT + 10))
        (made,) = run("remove", "a.exr", "--format", "png", "--depth", "16").lines
        alpha = by_openimageio(made)[..., 3] > 0
        assert alpha[5:-5, 10:-10].all() and alpha.sum() == HEIGHT * WIDTH

    @pytest.mark.parametrize(("depth", "white", "type"), [("8", 255, np.uint8), ("16", 65535, np.uint16)])
    def test_another_depth_is_rounded_to_nearest(self, keep, depth, white, type):
        samples = np.random.default_rng(0).integers(0, 65536, (HEIGHT, WIDTH, 3), np.uint16)
        made, _ = keep(tiff("a.tif", samples), "--depth", depth)
        read = by_openimageio(made)
        assert read.dtype == type
        np.testing.assert_array_equal(read[..., :3], np.floor(samples / 65535 * white + 0.5))

    def test_values_that_are_not_finite_are_counted_and_kept(self, keep):
        rgb = smooth(0, 2)
        rgb[3, 4, 1], rgb[5, 6], rgb[7, 8, 0] = np.nan, np.inf, -np.inf
        made, outcome = keep(exr("a.exr", rgb))
        assert "warning: a.exr has 3 pixels that are not numbers or infinite" in outcome.err
        read = by_openimageio(made)
        np.testing.assert_array_equal(read[..., :3], rgb)
        assert np.isfinite(read[..., 3]).all()

    def test_an_alpha_that_is_not_a_number_counts_as_none(self, run):
        rgba = np.concatenate([smooth(0, 1), np.ones((HEIGHT, WIDTH, 1))], -1).astype(np.float32)
        rgba[3, 4, 3] = np.nan
        outcome = run("matte", exr("a.exr", rgba))
        assert outcome.code == 0
        read = by_openimageio(outcome.lines[0])
        assert np.isfinite(read).all() and read[3, 4, 3] == 0

    def test_values_that_are_not_finite_do_not_spread(self, run):
        rgb = smooth(0, 2)
        rgb[3, 4], rgb[5, 6] = np.nan, np.inf
        outcome = run("decompose", exr("a.exr", rgb), "--exr-parts")
        reader = oiio.ImageInput.open(outcome.lines[0])
        for part in range(3):
            odd = ~np.isfinite(reader.read_image(part, 0, 0, 4, "float")).all(-1)
            odd[3, 4] = odd[5, 6] = False
            assert not odd.any()


class TestColour:
    def test_exr_to_png_is_encoded_for_the_screen(self, keep):
        rgb = smooth(-0.2, 1.5)
        made, _ = keep(exr("a.exr", rgb), "--format", "png", "--depth", "16")
        expected = np.clip(convert(rgb, LINEAR, SRGB), 0, 1)
        np.testing.assert_allclose(by_openimageio(made)[..., :3] / 65535, expected, atol=1 / 65535)

    @pytest.mark.slow
    def test_png_to_exr_is_linear_light_and_back_the_same(self, keep):
        samples = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        PIL.Image.fromarray(samples).save("a.png")
        made, _ = keep("a.png", "--format", "exr")
        read = by_openimageio(made)
        assert read.dtype == np.float16
        expected = convert(samples.astype(np.float32) / 255, SRGB, LINEAR)
        np.testing.assert_allclose(read[..., :3], expected, rtol=1e-3, atol=1e-6)
        made.rename("b.exr")
        made, _ = keep("b.exr", "--format", "png", "--depth", "8")
        np.testing.assert_array_equal(by_openimageio(made)[..., :3], samples)

    @pytest.mark.slow
    def test_alpha_is_never_encoded(self, run):
        PIL.Image.fromarray((smooth() * 255).astype(np.uint8)).save("a.png")
        alphas = []
        for format in ("png", "exr", "tiff", "webp"):
            made = run("matte", "a.png", "--format", format, "-o", format).lines[0]
            alphas.append(read_image(made).alpha)
        # The finish has the plate as its guide, so linear light makes a difference, but no curve does.
        assert np.abs(alphas[0] - alphas[2]).max() == np.abs(alphas[0] - alphas[3]).max() == 0
        assert np.abs(alphas[0] - alphas[1]).mean() < 0.02

    @pytest.mark.parametrize("format", ["png", "tiff", "webp"])
    def test_a_wide_gamut_passes_through_with_its_profile(self, keep, format):
        samples = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        PIL.Image.fromarray(samples).save("a.png", icc_profile=icc_profiles.display_p3())
        made, _ = keep("a.png", "--format", format)
        with PIL.Image.open(made) as picture:
            np.testing.assert_array_equal(np.asarray(picture)[..., :3], samples)
            assert picture.info["icc_profile"] == icc_profiles.display_p3()

    def test_a_wide_gamut_becomes_linear_light_in_exr(self, keep):
        samples = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
        PIL.Image.fromarray(samples).save("a.png", icc_profile=icc_profiles.display_p3())
        made, _ = keep("a.png", "--format", "exr", "--depth", "float")
        p3 = Encoding("srgb", PRIMARIES["p3d65"])  # the same colours, told by primaries
        expected = convert(samples.astype(np.float32) / 255, p3, LINEAR)
        np.testing.assert_allclose(by_openimageio(made)[..., :3], expected, atol=1e-3)

    def test_what_the_model_paints_is_in_the_files_colours(self, run):
        """The same picture in other primaries is painted the same, to a colour-managed eye."""
        PIL.Image.fromarray((smooth(0.2, 0.8) * 255).astype(np.uint8)).save("a.png")
        wide = convert(read_image("a.png").rgb, SRGB, Encoding(icc=icc_profiles.adobe_rgb()))
        tiff("b.tif", np.round(wide * 65535).astype(np.uint16), iccprofile=icc_profiles.adobe_rgb())
        asked = ("--given", "background", "--want", "scene", "--prompt", "matte")
        one, two = (read_image(run("complete", name, *asked).lines[0]) for name in ("a.png", "b.tif"))
        assert two.encoding.icc == icc_profiles.adobe_rgb()
        managed, unmanaged = np.abs(convert(two.rgb, two.encoding, SRGB) - one.rgb), np.abs(two.rgb - one.rgb)
        assert managed.mean() < 2e-3 < 4e-3 < unmanaged.mean(), managed.mean()


class TestOwnAlpha:
    def test_light_without_coverage_is_written_back(self, keep):
        rgba = np.concatenate((smooth(0, 3), np.ones((HEIGHT, WIDTH, 1))), -1).astype(np.float16)
        rgba[:10, :10] = (2, 1, 0.5, 0)
        rgba[10:20, :10] = (0.5, 0.25, 0, 0.5)
        made, _ = keep(exr("a.exr", rgba))
        np.testing.assert_array_equal(by_openimageio(made), rgba)

    def test_colour_hidden_under_alpha_0_of_a_straight_file_is_0_in_exr(self, keep):
        samples = np.full((HEIGHT, WIDTH, 4), 200, np.uint8)
        samples[:20, :, 3], samples[20:, :, 3] = 0, 255
        PIL.Image.fromarray(samples).save("a.png")
        made, _ = keep("a.png", "--format", "exr")
        assert (by_openimageio(made)[:20] == 0).all() and (by_openimageio(made)[20:, :, 3] == 1).all()

    @pytest.mark.parametrize(("format", "options"), [("tiff", []), ("tiff", ["--premultiplied"]), ("exr", [])])
    def test_no_dark_fringes(self, keep, format, options):
        """A soft edge of one colour is that colour all along, whatever alpha does."""
        samples = np.full((HEIGHT, WIDTH, 4), 180, np.uint8)
        samples[..., 3] = np.linspace(0, 255, WIDTH)
        PIL.Image.fromarray(samples).save("a.png")
        made, _ = keep("a.png", "--format", format, *options)
        image = read_image(made)
        colour = image.rgb[image.alpha > 0.1]
        encoded = np.full((1, 1, 3), 180 / 255, np.float32)
        expected = (encoded if format == "tiff" else convert(encoded, SRGB, LINEAR))[0, 0, 0]
        np.testing.assert_allclose(colour, expected, atol=0.02)
        assert image.alpha_kind == ("premultiplied" if format == "exr" or options else "straight")


STEP = {"8": 1 / 255, "16": 1 / 65535, "half": 2**-10, "float": 1e-5}


class TestLayers:
    @pytest.fixture
    def photo(self) -> tuple[str, np.ndarray]:
        samples = np.round(smooth() * 255).astype(np.uint8)
        PIL.Image.fromarray(samples).save("a.png")
        return "a.png", samples / 255

    @pytest.mark.parametrize(
        ("format", "options", "depth"),
        [("png", [], "8"), ("webp", [], "8"), ("tiff", [], "8"), ("tiff-pages", [], "8"), ("exr", [], "half"),
         ("exr", ["--exr-parts"], "half"), ("ora", [], "8"), ("psd", [], "8"), ("tiff", ["--depth", "16"], "16"),
         ("ora", ["--depth", "16"], "16"), ("png", ["--depth", "16"], "16"), ("exr", ["--depth", "float"], "float")],
    )  # fmt: skip
    def test_every_format_makes_up_the_photograph_again(self, run, tmp_path, monkeypatch, format, options, depth):
        monkeypatch.chdir(tmp_path)
        samples = np.round(smooth() * 255).astype(np.uint8)
        PIL.Image.fromarray(samples).save("a.png")
        outcome = run("decompose", "a.png", "--format", format, *options)
        assert outcome.code == 0, outcome.err
        layers = read_layers(outcome.lines, format)
        expected = samples.astype(np.float32) / 255
        if format == "exr":
            expected = convert(expected, SRGB, LINEAR)
        difference = np.abs(over(layers) - expected)
        assert difference.max() <= 1.01 * STEP[depth] * max(1, expected.max())
        assert 0 < layers[1][..., 3].mean() < 1

    @pytest.mark.slow
    def test_one_file_a_result_and_a_manifest_for_folders_only(self, run, photo):
        for format, row in FORMATS.items():
            if not row.transparent:
                continue  # layers have transparency
            outcome = run("decompose", "a.png", "--format", format, "-o", f"out-{format}")
            if row.several == "file":
                assert outcome.lines == [f"out-{format}/a{row.suffix}"]
                assert [path.name for path in Path(f"out-{format}").glob("[!.]*")] == [f"a{row.suffix}"]
            else:
                names = [f"00_background{row.suffix}", f"01_foreground{row.suffix}"]
                assert outcome.lines == [f"out-{format}/a/{name}" for name in names]
                manifest = json.loads(Path(f"out-{format}/a/layers.json").read_text())
                assert [layer["file"] for layer in manifest["layers"]] == names
            assert "1 skipped" in run("decompose", "a.png", "--format", format, "-o", f"out-{format}").err

    def test_a_scene_linear_plate_is_solved_in_linear_light(self, run):
        rgb = smooth(0, 5)
        outcome = run("decompose", exr("a.exr", rgb), "--format", "exr")
        layers = read_layers(outcome.lines, "exr")
        np.testing.assert_allclose(over(layers), rgb, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("options", [["--format", "exr", "--exr-parts"], ["--format", "psd"], ["--format", "ora"]])
    def test_more_layers_have_names_of_their_own(self, run, photo, options):
        outcome = run("decompose", "a.png", "--layers", "3", "--untrained", *options)
        assert outcome.code == 0, outcome.err
        path = Path(outcome.lines[0])
        if path.suffix == ".psd":
            names = [layer.name for layer in PSDImage.open(path)]
        elif path.suffix == ".ora":
            with zipfile.ZipFile(path) as archive:
                stack = ET.fromstring(archive.read("stack.xml"))
            names = [layer.get("name") for layer in reversed(stack.findall("./stack/layer"))]
        else:
            reader = oiio.ImageInput.open(str(path))
            names = []
            while reader.seek_subimage(len(names) + 1, 0):  # the first is the composite
                names.append(reader.spec().get_string_attribute("oiio:subimagename"))
        assert names == ["background", "foreground", "foreground_2"]

    def test_frames_keep_their_numbers_last(self, run, picture):
        for frame in (1001, 1002):
            picture(Path(f"s/shot.{frame}.png"))
        outcome = run("decompose", "s/shot.####.png", "--format", "psd")
        assert sorted(outcome.lines) == ["decompose/shot_decompose.1001.psd", "decompose/shot_decompose.1002.psd"]


def read_layers(lines: list[str], format: str) -> list[np.ndarray]:
    """Straight layers, bottom first, read by libraries; EXR divided by alpha."""
    if FORMATS[format].several == "folder":
        return [read_straight(line) for line in lines]
    if format == "tiff":
        found = psdtags.TiffImageSourceData.fromtiff(lines[0])
        white = {"uint8": 255, "uint16": 65535, "float32": 1}
        return [one.asarray() / white[one.asarray().dtype.name] for one in found.layers]
    if format == "psd":
        return [layer.numpy() for layer in PSDImage.open(lines[0])]
    if format == "ora":
        with zipfile.ZipFile(lines[0]) as archive:
            archive.extractall("ora")
        return [read_straight(f"ora/data/layer{i}.png") for i in range(2)]
    reader = oiio.ImageInput.open(lines[0], unassociated())
    if format == "tiff-pages":
        return [reader.read_image(part, 0, 0, 4, "float") for part in range(2)]
    if reader.seek_subimage(1, 0):
        parts = [reader.read_image(part, 0, 0, 4, "float") for part in (1, 2)]  # behind the composite
    else:
        samples = reader.read_image(0, 0, 0, reader.spec().nchannels, "float")
        names = list(reader.spec().channelnames)
        layers = ("background", "foreground")
        parts = [np.dstack([samples[..., names.index(f"{layer}.{c}")] for c in "RGBA"]) for layer in layers]
    for part in parts:
        np.divide(part[..., :3], part[..., 3:], out=part[..., :3], where=part[..., 3:] > 0)
    return parts


def unassociated() -> oiio.ImageSpec:
    wanted = oiio.ImageSpec()
    wanted.attribute("oiio:UnassociatedAlpha", 1)
    return wanted


def read_straight(path: str) -> np.ndarray:
    return oiio.ImageInput.open(path, unassociated()).read_image(0, 0, 0, 4, "float")


class TestOneLayer:
    @pytest.mark.parametrize("format", [name for name, row in FORMATS.items() if row.transparent])
    @pytest.mark.parametrize("command", ["matte", "remove", "generate"])
    def test_every_format_holds_it(self, run, picture, format, command):
        picture(Path("a.png"))
        outcome = run(command, "this" if command == "generate" else "a.png", "--format", format)
        assert outcome.code == 0, outcome.err
        assert Path(outcome.lines[0]).suffix == FORMATS[format].suffix and Path(outcome.lines[0]).stat().st_size > 100

    @pytest.mark.parametrize("format", [name for name, row in FORMATS.items() if row.transparent])
    def test_alpha_only(self, run, picture, format):
        picture(Path("a.png"))
        whole = read_image(run("matte", "a.png").lines[0])
        outcome = run("matte", "a.png", "--alpha-only", "--format", format, "-o", "alpha")
        if not FORMATS[format].grey:
            told = f"--alpha-only: --format {format} holds no pictures of one channel"
            assert outcome.code == 2 and told in outcome.err
            return
        read = read_image(outcome.lines[0], data=True)
        assert read.alpha is None
        difference = np.abs(read.rgb[..., 0] - whole.alpha)
        assert difference.mean() < 0.02 if format == "exr" else difference.max() == 0

    @pytest.mark.parametrize("compression", ["none", "fast", "small"])
    def test_compression_changes_no_pixel_and_is_no_other_setting(self, run, picture, compression):
        picture(Path("a.png"))
        plain = read_image(run("matte", "a.png", "-o", "plain").lines[0])
        made = read_image(run("matte", "a.png", "-o", "out", "--compression", compression).lines[0])
        assert (made.rgb == plain.rgb).all() and (made.alpha == plain.alpha).all()
        assert "1 skipped" in run("matte", "a.png", "-o", "out", "--compression", "fast").err


class TestRefusals:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (["--format", "png"], "a.exr: --format png cannot hold its depth (half): choose --format tiff"),
            (["--format", "psd"], "or --depth 8"),
            (["--format", "png", "--depth", "half"], "--format png cannot hold --depth half"),
            (["--format", "exr", "--depth", "8"], "--format exr cannot hold --depth 8"),
            (["--format", "png", "--depth", "16", "--premultiplied"], "--premultiplied is for --format tiff"),
            (["--format", "tiff", "--exr-parts"], "--exr-parts is for --format exr"),
            (["--format", "jpeg"], "--format"),
        ],
    )
    def test_what_a_format_cannot_hold_is_exit_2_before_work(self, run, options, message):
        exr("a.exr", smooth().astype(np.float16))
        outcome = run("matte", "a.exr", "-o", "out", *options)
        assert (outcome.code, outcome.out) == (2, "") and message in outcome.err
        assert not Path("out").exists()

    def test_sixteen_bits_do_not_go_into_eight(self, run):
        PIL.Image.fromarray(np.zeros((HEIGHT, WIDTH), np.uint16)).save("a.png")
        outcome = run("matte", "a.png", "--format", "webp")
        assert outcome.code == 2 and "cannot hold its depth (16)" in outcome.err
        assert run("matte", "a.png", "--format", "webp", "--depth", "8").code == 0

    def test_a_broken_header_fails_its_item_and_not_the_plan(self, run, picture):
        picture(Path("p/good.png"))
        Path("p/bad.tif").write_bytes(b"II*\0\xff\xff\xff\x0f")
        for options in ([], ["--format", "png"]):
            outcome = run("matte", "p", "-o", f"out{len(options)}", *options)
            assert outcome.code == 1 and outcome.lines == [f"out{len(options)}/good.png"]
            assert "failed: p/bad.tif is truncated or damaged" in outcome.err

    def test_too_many_pixels_are_refused(self, run, picture):
        picture(Path("a.png"), size=(200, 100))
        outcome = run("matte", "a.png", "--max-pixels", "0.019")
        assert outcome.code == 1 and "a.png is 200×100 pixels: at most 0.019 megapixels (--max-pixels)" in outcome.err
        assert run("matte", "a.png", "--max-pixels", "0.02").code == 0

    def test_planning_imports_no_torch(self, run, monkeypatch):
        exr("a.exr", smooth())
        program = "import sys; from omnialpha_cli.inputs import find_inputs; from omnialpha_cli.plan import plan; " \
                  "from omnialpha_cli.tasks import TASKS; " \
                  "from pathlib import Path; found = find_inputs(['a.exr'], output=Path('o')).sources; " \
                  "items = plan(found, TASKS['matte.auto'], output=Path('o')); " \
                  "print(items[0].outputs[0], 'torch' in sys.modules)"  # fmt: skip
        monkeypatch.setenv("PYTHONPATH", str(Path(sys.modules["omnialpha_cli"].__file__).parents[1]))
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["o/a.exr", "False"]

    def test_steady_results_have_to_be_read_back(self, run, picture):
        for frame in (1, 2):
            picture(Path(f"s.{frame}.png"))
        outcome = run("matte", "s.#.png", "--steady", "--format", "psd")
        assert outcome.code == 2 and "--steady: results of --format psd cannot be read back" in outcome.err
        assert run("matte", "s.#.png", "--steady", "--format", "exr").code == 0


class TestCleanPlate:
    @pytest.mark.slow
    def test_it_is_a_picture_with_colours_of_its_own(self, run):
        """A clean plate in another profile is the same clean plate; read as plain numbers it would be another."""
        with_object, without = smooth(0.2, 0.8), smooth(0.2, 0.8)
        with_object[12:36, 16:48] = (0.9, 0.1, 0.1)
        for name, rgb in (("a.png", with_object), ("clean.png", without)):
            PIL.Image.fromarray(np.round(rgb * 255).astype(np.uint8)).save(name)
        wide = convert(read_image("clean.png").rgb, SRGB, Encoding(icc=icc_profiles.adobe_rgb()))
        tiff("wide.tif", np.round(wide * 65535).astype(np.uint16), iccprofile=icc_profiles.adobe_rgb())
        tiff("plain.tif", np.round(wide * 65535).astype(np.uint16))
        right, same, wrong = (
            read_image(run("matte", "a.png", "--background", plate, "-o", plate[0]).lines[0])
            for plate in ("clean.png", "wide.tif", "plain.tif")
        )
        assert np.abs(same.alpha - right.alpha).mean() < 0.3 * np.abs(wrong.alpha - right.alpha).mean()


@pytest.mark.slow
def test_the_commands_of_the_page_on_formats_run(run, picture):
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    block = re.search(r"```sh\n(.*?)```", text, re.DOTALL)[1]
    picture(Path("photos/a.jpg"))
    exr("plate.1001.exr", smooth().astype(np.float16))
    commands = [shlex.split(line.split(" # ")[0]) for line in block.splitlines()]
    assert len(commands) > 5
    for number, (_, *arguments) in enumerate(commands):
        outcome = run(*arguments, "-o", f"out{number}")
        assert outcome.code == 0 and Path(outcome.lines[0]).exists(), (arguments, outcome.err)


def test_metadata_goes_through_the_whole_tool(keep):
    exr("a.exr", smooth(), PixelAspectRatio=2.0, smpte__TimeCode=Typed("timecode", (18356486, 0)))
    made, _ = keep("a.exr")
    metadata = read_image(made).metadata
    assert metadata["PixelAspectRatio"] == 2 and metadata["smpte:TimeCode"] == Typed("timecode", (18356486, 0))


@pytest.mark.parametrize("command", ["matte", "remove", "decompose"])
def test_tiny_pictures_are_pictures(run, picture, command):
    for size in ((1, 1), (3, 3), (1, 200)):
        picture(Path(f"in/{size[0]}x{size[1]}.png"), size)
    outcome = run(command, "in", "-o", "out")
    assert outcome.code == 0, outcome.err
    for line in outcome.lines:
        width, height = (Path(line).stem if command != "decompose" else Path(line).parent.name).split("x")
        assert PIL.Image.open(line).size == (int(width), int(height))
