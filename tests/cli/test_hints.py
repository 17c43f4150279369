"""Hints on the command line: where they are found, what they say, and running again when they change."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage


def pixels(path) -> np.ndarray:
    return np.asarray(PILImage.open(path))


def halves(path: str, size=(96, 64), left=0, right=255, mode="L") -> Path:
    """A picture with two values, side by side."""
    values = np.full((size[1], size[0]), left, np.uint8)
    values[:, size[0] // 2 :] = right
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    PILImage.fromarray(values).convert(mode).save(path)
    return Path(path)


def items(outcome) -> list[dict]:
    return [json.loads(line) for line in outcome.lines][:-1]


class TestPlaces:
    def test_one_file_for_one_picture(self, run, picture):
        picture(Path("a.jpg"))
        halves("m.png")
        (item,) = items(run("matte", "a.jpg", "--mask", "m.png", "--json"))
        assert (item["task"], item["inputs"]) == ("matte.mask", ["a.jpg", "m.png"])

    def test_one_file_serves_all_pictures_of_its_proportions(self, run, picture):
        for name, size in {"a": (96, 64), "b": (192, 128), "c": (64, 96)}.items():
            picture(Path(f"p/{name}.jpg"), size=size)
        halves("m.png")
        outcome = run("remove", "p", "--mask", "m.png", "--json")
        assert outcome.code == 1
        told = {item["inputs"][0]: item for item in items(outcome)}
        assert {name: item["inputs"][1] for name, item in told.items()} == dict.fromkeys(told, "m.png")
        assert [told[f"p/{name}.jpg"]["status"] for name in "abc"] == ["done", "done", "failed"]
        assert "m.png is 96×64, p/c.jpg is 64×96" in told["p/c.jpg"]["error"]["message"]
        for name in "ab":  # black in the mask is the picture itself
            clean, photo = pixels(f"remove/{name}.png"), pixels(f"p/{name}.jpg")
            assert (clean[:, : photo.shape[1] // 4, :3] == photo[:, : photo.shape[1] // 4]).all()

    def test_a_folder_mirrors_the_inputs_by_stem(self, run, picture):
        for name in ("a", "deep/a"):
            picture(Path(f"p/{name}.jpg"))
            halves(f"m/{name}.tif")
        told = items(run("matte", "p", "-r", "--rough-mask", "m", "--json"))
        assert sorted(item["inputs"] for item in told) == [["p/a.jpg", "m/a.tif"], ["p/deep/a.jpg", "m/deep/a.tif"]]

    def test_a_template_has_the_inputs_fields(self, run, picture):
        picture(Path("p/x/a.jpg"))
        halves("masks/x/a.jpg.m.png")
        (item,) = items(run("matte", "p", "-r", "--trimap", "masks/{parent}/{name}.m.png", "--json"))
        assert item["inputs"] == ["p/x/a.jpg", "masks/x/a.jpg.m.png"]

    def test_none_or_two_matches_fail_the_item_at_plan_time(self, run, picture):
        for name in "abc":
            picture(Path(f"p/{name}.jpg"))
        halves("m/a.png")
        halves("m/c.png")
        halves("m/c.tif")
        for options in (["--dry-run"], []):
            outcome = run("matte", "p", "--mask", "m", "--json", *options)
            assert outcome.code == 1
            faults = {item["inputs"][0]: item["error"] for item in items(outcome)}
            assert faults["p/a.jpg"] is None
            assert faults["p/b.jpg"] == {"code": "hint", "message": "p/b.jpg: no picture b in m (--mask m)"}
            assert faults["p/c.jpg"]["message"] == "p/c.jpg: 2 hints in m: c.png, c.tif; leave one"

    def test_a_template_that_leads_nowhere_fails_the_item(self, run, picture):
        picture(Path("p/a.jpg"))
        outcome = run("matte", "p", "--mask", "m/{stem}.png")
        assert outcome.code == 1 and "p/a.jpg: its hint m/a.png does not exist (--mask m/{stem}.png)" in outcome.err

    def test_a_sequence_has_one_for_each_frame_however_its_number_is_spelt(self, run, picture):
        for frame in (8, 9, 10):
            picture(Path(f"s/shot.{frame:04}.png"))
            halves(f"roto/roto_{frame}.png")
        Path("roto/roto_10.png").unlink()
        told = items(run("matte", "s/shot.####.png", "--mask", "roto/roto_%d.png", "--json"))
        hints = {item["inputs"][0]: item["inputs"][1] for item in told if item["status"] == "done"}
        assert hints == {f"s/shot.000{frame}.png": f"roto/roto_{frame}.png" for frame in (8, 9)}
        (failed,) = (item["error"]["message"] for item in told if item["status"] == "failed")
        assert failed == "s/shot.0010.png: its hint roto/roto_10.png does not exist (--mask roto/roto_%d.png)"

    def test_a_sequence_of_them_is_for_a_sequence(self, run, picture):
        picture(Path("a.jpg"))
        outcome = run("matte", "a.jpg", "--mask", "roto.####.png")
        assert outcome.code == 1 and "a.jpg is no frame of a sequence (--mask roto.####.png)" in outcome.err

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--mask", "gone.png"), "--mask gone.png does not exist"),
            (("--mask", "m.png", "--text", "x"), "--text and --mask exclude each other"),
            (("--trimap", "m.png", "--rough-mask", "m.png"), "--trimap and --rough-mask exclude each other"),
            (("--text", " "), "--text is empty"),
            (("--mask", "m/{nothing}.png"), "--mask m/{nothing}.png: no field {nothing}"),
            (("--mask", "m/{stem.png"), "--mask m/{stem.png: "),
            (("--mask", "p"), "--mask p is the folder of the inputs"),
        ],
    )
    def test_wrong_usage_is_exit_2(self, run, picture, arguments, message):
        picture(Path("p/a.jpg"))
        halves("m.png")
        outcome = run("matte", "p", *arguments)
        assert (outcome.code, outcome.out) == (2, "") and message in outcome.err


class TestCleanPlates:
    @pytest.mark.slow
    def test_one_serves_a_sequence_and_a_folder_has_one_for_each(self, run, picture):
        for frame in range(3):
            picture(Path(f"s/shot.{frame:04}.png"), seed=frame)
            picture(Path(f"plates/shot.{frame:04}.jpg"), seed=frame)
        told = items(run("matte", "s/shot.####.png", "--background", "plates/shot.0000.jpg", "--json"))
        assert {(item["task"], item["inputs"][1]) for item in told} == {("matte.background", "plates/shot.0000.jpg")}
        told = items(run("matte", "s", "--background", "plates", "--json", "-o", "out"))
        assert sorted(item["inputs"][1] for item in told) == [f"plates/shot.{frame:04}.jpg" for frame in range(3)]

    def test_another_shape_fails_the_item(self, run, picture):
        picture(Path("a.jpg"))
        picture(Path("b.jpg"), size=(64, 96))
        outcome = run("matte", "a.jpg", "--background", "b.jpg")
        assert outcome.code == 1 and "a hint has to have its picture's proportions" in outcome.err

    @pytest.mark.parametrize("command", ["remove", "decompose"])
    def test_they_are_for_mattes_alone(self, run, picture, command):
        picture(Path("a.jpg"))
        assert run(command, "a.jpg", "--background", "a.jpg").code == 2


class TestWalking:
    def test_hints_beside_the_pictures_are_no_inputs(self, run, picture):
        for name in "ab":
            picture(Path(f"p/{name}.jpg"))
            halves(f"p/{name}_mask.png")
        outcome = run("matte", "p", "--mask", "p/{stem}_mask.png", "-o", "out")
        assert (outcome.code, sorted(outcome.lines)) == (0, ["out/a.png", "out/b.png"])

    def test_a_folder_of_hints_among_the_inputs_is_left_out_as_a_whole(self, run, picture):
        picture(Path("p/a.jpg"))
        halves("p/masks/a.png")
        halves("p/masks/of_something_else.png")
        outcome = run("matte", "p", "-r", "--mask", "p/masks", "-o", "out")
        assert (outcome.code, outcome.lines) == (0, ["out/a.png"])

    def test_a_hint_that_a_glob_finds_is_left_out_and_a_named_one_is_not(self, run, picture):
        picture(Path("a.png"))
        halves("m.png")
        assert run("matte", "*.png", "--mask", "m.png", "--dry-run").lines == ["matte/a.png"]
        outcome = run("matte", "a.png", "m.png", "--mask", "{name}", "--dry-run")
        assert outcome.lines == ["matte/a.png", "matte/m.png"]  # each its own mask


class TestValues:
    def test_a_trimaps_known_regions_are_kept_exactly(self, run, picture):
        picture(Path("a.jpg"), (96, 64))
        values = np.full((64, 96), 128, np.uint8)
        values[:20], values[44:] = 255, 0
        PILImage.fromarray(values).save("t.png")
        run("matte", "a.jpg", "--trimap", "t.png")
        made, before = pixels("matte/a.png"), pixels("a.jpg")
        assert (made[:20, :, 3] == 255).all() and (made[44:, :, 3] == 0).all()
        assert (made[:20, :, :3] == before[:20]).all()

    @pytest.mark.parametrize("depth", ["8", "16", "colour", "alpha"])
    def test_a_hint_says_the_same_in_every_form(self, run, picture, depth):
        picture(Path("a.jpg"))
        grey = halves("t.png", left=64, right=255)
        values = pixels(grey)
        forms = {
            "8": values,
            "16": values.astype(np.uint16) * 257,
            "colour": np.dstack([values] * 3),
            "alpha": np.dstack([255 - values, values // 2, values // 3, values]),  # its colours are another thing
        }
        PILImage.fromarray(forms[depth]).save("other.png")
        run("matte", "a.jpg", "--trimap", "t.png", "-o", "one")
        assert run("matte", "a.jpg", "--trimap", "other.png", "-o", "two").code == 0
        assert np.abs(pixels("one/a.png").astype(int) - pixels("two/a.png")).max() <= 1

    def test_constant_alpha_says_nothing_and_the_luminance_counts(self, run, picture):
        picture(Path("a.jpg"), (96, 64))
        halves("t.png", mode="RGBA")
        run("matte", "a.jpg", "--trimap", "t.png")
        alpha = pixels("matte/a.png")[..., 3]
        assert (alpha[:, :48] == 0).all() and (alpha[:, 48:] == 255).all()

    def test_a_hint_of_another_size_is_scaled(self, run, picture):
        picture(Path("a.jpg"), size=(192, 128))
        halves("t.png", size=(96, 64))
        run("matte", "a.jpg", "--trimap", "t.png")
        alpha = pixels("matte/a.png")[..., 3]
        assert (alpha[:, :94] == 0).all() and (alpha[:, 98:] == 255).all()

    def test_a_hint_of_another_shape_fails_the_item(self, run, picture):
        picture(Path("a.jpg"), size=(192, 128))
        halves("m.png", size=(64, 96))
        outcome = run("matte", "a.jpg", "--mask", "m.png")
        assert outcome.code == 1
        assert "m.png is 64×96, a.jpg is 192×128: a hint has to have its picture's proportions" in outcome.err

    def test_a_clean_plate_reaches_the_matte(self, run, picture):
        picture(Path("a.jpg"))
        with_object = np.asarray(PILImage.open("a.jpg"))
        for name, rows in (("1", slice(5, 25)), ("2", slice(40, 60))):
            clean = with_object.copy()
            clean[rows] = 255 - clean[rows]
            PILImage.fromarray(clean).save(f"{name}.png")
            run("matte", "a.jpg", "--background", f"{name}.png", "-o", name)
        assert (pixels("1/a.png") != pixels("2/a.png")).any()

    @pytest.mark.slow
    @pytest.mark.parametrize("option", ["--text", "--trimap", "--mask", "--rough-mask"])
    def test_what_is_said_reaches_the_model(self, run, picture, option):
        picture(Path("a.jpg"))
        halves("1.png", left=100, right=200)
        halves("2.png", left=200, right=100)
        one, two = ("matte", "this") if option == "--text" else ("1.png", "2.png")
        run("matte", "a.jpg", option, one, "-o", "one")
        run("matte", "a.jpg", option, two, "-o", "two")
        assert (pixels("one/a.png") != pixels("two/a.png")).any()


class TestRemoval:
    def test_a_mask_of_all_or_of_nothing_is_reported(self, run, picture):
        picture(Path("a.png"))
        halves("m.png", left=255)
        outcome = run("remove", "a.png", "--mask", "m.png", "-o", "white")
        assert outcome.code == 0 and "m.png is nowhere black: all was removed. White is the object" in outcome.err
        halves("m.png", right=0)
        outcome = run("remove", "a.png", "--mask", "m.png", "-o", "black")
        assert outcome.code == 0 and "m.png is black: nothing was removed. White is the object" in outcome.err
        assert (pixels("black/a.png")[..., :3] == pixels("a.png")).all()


class TestAgain:
    def test_a_changed_hint_is_made_again_and_the_others_are_not(self, run, picture):
        for name in "ab":
            picture(Path(f"p/{name}.jpg"))
            halves(f"m/{name}.png")
        run("matte", "p", "--mask", "m")
        assert "2 skipped" in run("matte", "p", "--mask", "m").err
        halves("m/a.png", right=250)
        outcome = run("matte", "p", "--mask", "m", "--json")
        assert {item["inputs"][0]: item["status"] for item in items(outcome)} == {
            "p/a.jpg": "done",
            "p/b.jpg": "skipped",
        }

    def test_a_renamed_hint_with_the_same_bytes_is_the_same(self, run, picture):
        picture(Path("a.jpg"))
        halves("m.png").rename("n.png")
        run("matte", "a.jpg", "--mask", "n.png")
        Path("n.png").rename("o.png")
        assert "1 skipped" in run("matte", "a.jpg", "--mask", "o.png").err

    def test_another_text_is_another_setting(self, run, picture):
        picture(Path("a.jpg"))
        run("matte", "a.jpg", "--text", "this")
        outcome = run("matte", "a.jpg", "--text", "matte")
        assert outcome.code == 2 and "was made with text this (now matte)" in outcome.err

    def test_an_output_never_falls_on_a_hint(self, run, picture):
        picture(Path("a.jpg"))
        halves("out/a.png")
        outcome = run("matte", "a.jpg", "--mask", "out/a.png", "-o", "out")
        assert outcome.code == 2 and "would overwrite the input out/a.png" in outcome.err
