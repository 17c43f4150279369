"""A shot with overscan, and renders of many layers, through the whole tool."""

from pathlib import Path

import numpy as np
import OpenImageIO as oiio
import PIL.Image
import pytest
from picture_files import write_exr


@pytest.fixture
def run(omnialpha, tiny_weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: omnialpha(*arguments, "--model", tiny_weights, "--device", "cpu")


def overscan(frame: int) -> str:
    path = f"shot.{frame}.exr"
    write_exr(Path(path), ("RGB", np.random.default_rng(0).random((48, 64, 3), np.float32)), windows=(-8, -6, 48, 36))
    return path


def windows_of(path: str) -> tuple[int, ...]:
    spec = oiio.ImageInput.open(path).spec()
    return spec.x, spec.y, spec.width, spec.height, spec.full_x, spec.full_y, spec.full_width, spec.full_height


class TestOverscan:
    @pytest.mark.parametrize("command", ["matte", "remove", "decompose"])
    def test_results_have_the_windows_of_their_source(self, run, command):
        outcome = run(command, overscan(1001))
        assert windows_of(outcome.lines[0]) == windows_of("shot.1001.exr")
        assert "warning" not in outcome.err

    def test_png_gets_the_display_window_and_one_warning_a_run(self, run):
        for frame in (1001, 1002):
            overscan(frame)
        outcome = run("matte", "shot.####.exr", "--format", "png", "--depth", "16")
        assert [PIL.Image.open(line).size for line in outcome.lines] == [(48, 36)] * 2
        assert outcome.err.count("png has no data window") == 1

    def test_a_mask_of_the_display_window_is_laid_on_it(self, run):
        overscan(1001)
        mask = np.zeros((36, 48), np.uint8)
        mask[10:20, 10:30] = 255
        PIL.Image.fromarray(mask).save("mask.png")
        outcome = run("remove", "shot.1001.exr", "--mask", "mask.png")
        made, plate = (
            oiio.ImageInput.open(p).read_image(0, 0, 0, 3, "float") for p in (outcome.lines[0], "shot.1001.exr")
        )
        changed = np.argwhere((made != plate).any(-1))
        assert (changed.min(0) == (16, 18)).all() and (changed.max(0) == (25, 37)).all()

    def test_nothing_in_the_display_window_fails(self, run):
        write_exr(Path("a.exr"), ("RGB", np.ones((8, 8, 3), np.float32)), windows=(100, 100, 20, 20))
        outcome = run("matte", "a.exr")
        assert outcome.code == 1 and "no pixel in its display window" in outcome.err


def test_what_layer_was_taken_is_said_once(run):
    names = [f"{layer}.{c}" for layer in ("AO", "Combined") for c in "RGB"]
    for frame in (1, 2):
        write_exr(Path(f"s.{frame}.exr"), (names, np.random.default_rng(frame).random((32, 32, 6), np.float32)))
    outcome = run("matte", "s.#.exr")
    assert outcome.code == 0 and outcome.err.count("Combined is used, its channels") == 1


def test_previews_show_the_layer_that_was_chosen(run):
    names = [f"{layer}.{c}" for layer in ("diffuse", "specular") for c in "RGB"]
    write_exr(Path("a.exr"), (names, np.random.default_rng(0).random((32, 32, 6), np.float32)))
    outcome = run("matte", "a.exr", "--layer", "diffuse", "--preview")
    assert outcome.code == 0 and "a preview is missing" not in outcome.err
    assert Path("matte/.omnialpha/previews/a.exr.jpg").exists()
