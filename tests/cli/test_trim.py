"""`--trim`: results are cropped to the object, and what is cropped keeps its place."""

import json
from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import pytest
from PIL import Image as PILImage

from omnialpha_cli.compose import read_result
from omnialpha_cli.media.image import Box, Windows
from omnialpha_cli.media.layered import read_layers
from omnialpha_cli.media.write import Layer, Target, write_grey, write_layers, write_picture

SIZE = HEIGHT, WIDTH = 40, 60
OBJECT = Box(20, 10, 12, 8)


def cut_out() -> np.ndarray:
    """An object of some colours (40, 60, 4), which fills a box."""
    rgba = np.zeros((*SIZE, 4), np.float32)
    rows, columns = slice(10, 18), slice(20, 32)
    rgba[rows, columns, :3] = np.random.default_rng(0).integers(0, 256, (8, 12, 3)) / np.float32(255)
    rgba[rows, columns, 3] = 1
    return rgba


def layers() -> list[Layer]:
    scene = np.full((*SIZE, 4), 0.5, np.float32)
    scene[..., 3] = 1
    return [Layer("background", scene), Layer("foreground", cut_out())]


@pytest.mark.parametrize(("margin", "box"), [(0, OBJECT), (3, Box(17, 7, 18, 14)), (30, Box(0, 0, 60, 40))])
@pytest.mark.parametrize("format", ["png", "tiff", "webp"])
def test_a_picture_is_its_part_and_tells_its_place(tmp_path, format, margin, box):
    from omnialpha_cli.media import provenance

    path, told = tmp_path / "a", provenance.record("matte.auto", {"seed": 0}, "w", ["i"], {})
    assert write_picture(path, cut_out(), Target(format, trim=margin, provenance=told)) == box
    made = np.asarray(PILImage.open(path).convert("RGBA"))
    assert (made == np.uint8(cut_out() * 255 + 0.5)[box.y : box.y + box.height, box.x : box.x + box.width]).all()
    ((whole,), _) = read_result(path) if format != "webp" else (([None]), "")
    if whole is not None:
        assert whole.size == SIZE and np.abs(whole.alpha - cut_out()[..., 3]).max() == 0


def test_exr_keeps_its_place_by_the_data_window(tmp_path):
    path = tmp_path / "a.exr"
    windows = Windows(Box(-5, 100, WIDTH, HEIGHT), Box(0, 110, 50, 30))
    box = write_picture(path, cut_out(), Target("exr", "half", trim=2, windows=windows))
    assert (box.x, box.y) == (18 - 5, 8 + 100 - 110)  # from the corner of what is shown
    spec = oiio.ImageInput.open(str(path)).spec()
    assert (spec.x, spec.y, spec.width, spec.height) == (13, 108, 16, 12)
    assert (spec.full_x, spec.full_y, spec.full_width, spec.full_height) == (0, 110, 50, 30)
    write_grey(path, cut_out()[..., 3], Target("exr", "half", trim=2))
    spec = oiio.ImageInput.open(str(path)).spec()
    assert (spec.x, spec.y, spec.width, spec.height) == (18, 8, 16, 12)


def test_light_without_coverage_belongs_to_the_object(tmp_path):
    rgba, light = cut_out(), np.zeros(SIZE, bool)
    rgba[30, 50, :3], light[30, 50] = 2, True
    assert write_picture(tmp_path / "a.exr", rgba, Target("exr", "half", trim=0), light) == Box(20, 10, 31, 21)


def test_a_picture_without_an_object_stays_whole(tmp_path):
    assert write_picture(tmp_path / "a.png", np.zeros((*SIZE, 4), np.float32), Target(trim=0)) == Box(0, 0, 60, 40)


@pytest.mark.parametrize(
    ("format", "parts"), [("psd", False), ("ora", False), ("tiff", False), ("exr", False), ("exr", True)]
)
def test_layers_keep_their_place(tmp_path, format, parts):
    path = tmp_path / "a"
    depth = "half" if format == "exr" else "8"
    write_layers(path, layers(), Target(format, depth, trim=1, parts=parts))
    for made, layer in zip(read_layers(path, format), layers(), strict=True):
        assert made.size == SIZE and (made.alpha == layer.rgba[..., 3]).all()
        visible = layer.rgba[..., 3] > 0
        assert np.abs(made.rgb[visible] - layer.rgba[visible, :3]).max() < 3e-3
    write_layers(tmp_path / "whole", layers(), Target(format, depth, parts=parts))
    smaller = path.stat().st_size < (tmp_path / "whole").stat().st_size
    assert smaller is (format != "exr" or parts)  # groups of channels share a data window: the background's


@pytest.mark.slow
def test_the_command_tells_the_offset_in_its_records(run, omnialpha, picture):
    mask = np.zeros((64, 96), np.uint8)
    mask[20:30, 40:60] = 255
    PILImage.fromarray(mask).save("m.png")
    photo = picture(Path("a.png"), (96, 64))
    whole = run("matte", photo, "--trimap", "m.png", "-o", "whole")
    assert whole.code == 0
    for margin in (["--trim"], ["--trim", "2"], ["--trim=2"]):
        item, _ = map(json.loads, run("matte", *margin, photo, "--trimap", "m.png", "--json", "--overwrite").lines)
        more = 2 if margin[-1].endswith("2") else 0
        made = np.asarray(PILImage.open("matte/a.png"))
        assert item["offset"] == [40 - more, 20 - more] and made.shape == (10 + 2 * more, 20 + 2 * more, 4)
    assert item["status"] == "skipped"  # --trim=2 after --trim 2
    assert "--trim 2" in omnialpha("info", "matte/a.png").out


def test_layers_json_has_offsets_and_compose_heeds_them(run, picture):
    photo = picture(Path("a.png"))
    assert run("decompose", photo, "-o", "whole").code == run("decompose", photo, "--trim", "-o", "cut").code == 0
    for entry in json.loads(Path("cut/a/layers.json").read_text())["layers"]:
        left, top = entry["offset"]
        part, whole = (np.asarray(PILImage.open(Path(place, "a", entry["file"]))) for place in ("cut", "whole"))
        rows, columns = slice(top, top + part.shape[0]), slice(left, left + part.shape[1])
        assert (whole[rows, columns] == part).all() and whole[..., 3].sum() == part[..., 3].astype(int).sum()


def test_frames_that_build_on_one_another_stay_whole(run, picture):
    picture(Path("s.0001.png"))
    assert "leave --trim out" in run("matte", "s.####.png", "--steady", "--trim").err
