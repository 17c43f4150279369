"""`remove`, `decompose`, `generate` and `complete` from the command line to the files."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage


def pixels(path) -> np.ndarray:
    return np.asarray(PILImage.open(path))


def square(path: str, size=(96, 64)) -> Path:
    """A mask: white in the middle half of the width and height."""
    values = np.zeros((size[1], size[0]), np.uint8)
    values[size[1] // 4 : -size[1] // 4, size[0] // 4 : -size[0] // 4] = 255
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    PILImage.fromarray(values).save(path)
    return Path(path)


def records(outcome) -> list[dict]:
    return [json.loads(line) for line in outcome.lines]


class TestRemove:
    def test_outside_the_mask_the_photograph_is_untouched(self, run, picture):
        photo, mask = picture(Path("a.png"), (96, 64)), square("mask.png")
        outcome = run("remove", photo, "--mask", mask)
        assert (outcome.code, outcome.lines) == (0, ["remove/a.png"])
        made, before, inside = pixels("remove/a.png"), pixels(photo), pixels(mask) > 0
        assert (made[~inside] == before[~inside]).all() and (made[inside] != before[inside]).any()

    def test_grow_reaches_beyond_the_mask_and_no_further(self, run, picture):
        photo, mask = picture(Path("a.png"), (96, 64)), square("mask.png")
        assert run("remove", photo, "--mask", mask, "--grow", "3").code == 0
        inside, changed = pixels(mask) > 0, (pixels("remove/a.png")[..., :3] != pixels(photo)).any(-1)
        rows, columns = np.nonzero(inside)
        reach = np.zeros_like(inside)
        reach[rows.min() - 3 : rows.max() + 4, columns.min() - 3 : columns.max() + 4] = True
        assert not changed[~reach].any() and changed[reach & ~inside].any()

    @pytest.mark.parametrize("hint", [[], ["--text", "this"], ["--rough-mask", "m.png"], ["--trimap", "m.png"]])
    def test_every_hint_has_its_task(self, run, picture, hint):
        picture(Path("a.png"))
        square("m.png")
        outcome = run("remove", "a.png", *hint, "--json")
        expected = "remove." + (hint[0][2:] if hint else "auto")
        assert outcome.code == 0 and records(outcome)[0]["task"] == expected

    def test_its_own_alpha_is_ignored_with_a_warning(self, run, picture):
        picture(Path("a.png"), mode="RGBA")
        outcome = run("remove", "a.png")
        assert "warning: a.png: its alpha channel was ignored" in outcome.err
        assert (pixels("remove/a.png")[..., 3] == 255).all()


class TestDecompose:
    def test_more_layers_make_it_up_again_too(self, run, picture):
        photo = picture(Path("photos/a.png"))
        outcome = run("decompose", "photos", "-o", "out", "--layers", "4", "--untrained", "--json")
        item, _ = records(outcome)
        assert item["task"] == "decompose.auto/4"
        assert [Path(path).name for path in item["outputs"]] == [
            "00_background.png", "01_foreground.png", "02_foreground.png", "03_foreground.png",
        ]  # fmt: skip
        made, *foregrounds = (pixels(path).astype(float) for path in item["outputs"])
        again = made[..., :3]
        for layer in foregrounds:
            alpha = layer[..., 3:] / 255
            again = alpha * layer[..., :3] + (1 - alpha) * again
        assert np.abs(again - pixels(photo)).mean() < 1
        names = [layer["name"] for layer in json.loads(Path("out/a/layers.json").read_text())["layers"]]
        assert names == ["background", "foreground", "foreground", "foreground"]
        assert "1 skipped" in run("decompose", "photos", "-o", "out", "--layers", "4", "--untrained").err
        assert run("decompose", "photos", "-o", "out").code == 2  # another number of layers

    def test_a_photograph_becomes_a_folder_of_layers_that_make_it_up_again(self, run, picture):
        photo = picture(Path("photos/a.png"))
        outcome = run("decompose", "photos", "-o", "out")
        assert outcome.code == 0
        assert outcome.lines == ["out/a/00_background.png", "out/a/01_foreground.png"]
        background, foreground = (pixels(line).astype(float) for line in outcome.lines)
        alpha = foreground[..., 3:] / 255
        again = alpha * foreground[..., :3] + (1 - alpha) * background[..., :3]
        difference = np.abs(again - pixels(photo))
        assert difference.mean() < 1
        solid = (alpha[..., 0] == 0) | (alpha[..., 0] == 1)
        assert (difference[solid] == 0).all()
        assert (background[..., 3] == 255).all()

    def test_the_manifest_describes_the_layers_bottom_first(self, run, picture):
        picture(Path("a.png"), (96, 64))
        run("decompose", "a.png", "--seed", "4")
        manifest = json.loads(Path("decompose/a/layers.json").read_text())
        assert [layer["file"] for layer in manifest["layers"]] == ["00_background.png", "01_foreground.png"]
        assert [layer["name"] for layer in manifest["layers"]] == ["background", "foreground"]
        assert (manifest["width"], manifest["height"], manifest["source"], manifest["seed"]) == (96, 64, "a.png", 4)
        assert manifest["layers"][0]["offset"] == [0, 0] and manifest["layers"][0]["blend"] == "normal"
        assert manifest["task"] == "decompose.auto" and len(manifest["weights"]) == 64

    @pytest.mark.parametrize("lost", ["layers.json", "00_background.png", "01_foreground.png"])
    def test_it_is_one_item_done_only_with_all_its_files(self, run, picture, lost):
        picture(Path("a.png"))
        run("decompose", "a.png")
        whole = {path.name: path.read_bytes() for path in Path("decompose/a").iterdir()}
        assert "1 skipped" in run("decompose", "a.png").err
        Path("decompose/a", lost).unlink()
        assert run("decompose", "a.png").err.splitlines()[-1].startswith("1 done in ")
        assert {path.name: path.read_bytes() for path in Path("decompose/a").iterdir()} == whole

    def test_paths_mirror_and_the_name_is_that_of_the_folder(self, run, picture):
        picture(Path("p/deep/a.png"))
        outcome = run("decompose", "p", "-r", "-o", "out", "--name", "{stem}_layers")
        assert outcome.lines[0] == "out/deep/a_layers/00_background.png"

    def test_a_trimaps_known_regions_are_kept(self, run, picture):
        picture(Path("a.png"), (96, 64))
        values = np.full((64, 96), 128, np.uint8)
        values[:, :30], values[:, 60:] = 0, 255
        PILImage.fromarray(values).save("t.png")
        assert run("decompose", "a.png", "--trimap", "t.png").code == 0
        alpha = pixels("decompose/a/01_foreground.png")[..., 3]
        assert (alpha[:, :30] == 0).all() and (alpha[:, 60:] == 255).all()


class TestGenerate:
    def test_every_prompt_gets_its_seeds_in_a_row(self, run):
        outcome = run("generate", "matte", "this matte", "--count", "2", "--seed", "7")
        assert outcome.code == 0
        names = ["0000_7.png", "0000_8.png", "0001_7.png", "0001_8.png"]
        assert sorted(outcome.lines) == [f"generate/{name}" for name in names]
        pictures = [pixels(f"generate/{name}") for name in names]
        assert all(p.shape == (64, 64, 4) for p in pictures)
        assert all((a != b).any() for i, a in enumerate(pictures) for b in pictures[:i])

    def test_a_seed_is_the_same_picture_wherever_it_comes_from(self, run):
        run("generate", "matte", "--seed", "8", "-o", "one")
        run("generate", "this", "matte", "--seed", "7", "--count", "2", "-o", "many", "--batch-size", "4")
        difference = pixels("one/0000_8.png").astype(int) - pixels("many/0001_8.png")
        assert np.abs(difference).max() <= 1

    def test_prompts_come_from_a_file_or_standard_input_too(self, run):
        Path("prompts.txt").write_text("matte\n\n  this \n")
        told = records(run("generate", "matte this", "--from", "prompts.txt", "--json"))[:-1]
        assert {(item["text"], item["outputs"][0], item["seed"]) for item in told} == {
            ("matte this", "generate/0000_0.png", 0),
            ("matte", "generate/0001_0.png", 0),
            ("this", "generate/0002_0.png", 0),
        }
        assert run("generate", "--from", "-", "-o", "o2", stdin=b"matte").lines == ["o2/0000_0.png"]

    def test_a_scene_is_opaque(self, run):
        outcome = run("generate", "matte", "--scene", "--json")
        assert records(outcome)[0]["task"] == "generate.scene"
        assert (pixels("generate/0000_0.png")[..., 3] == 255).all()

    def test_size_is_width_by_height(self, run):
        run("generate", "matte", "--size", "100x48")
        assert pixels("generate/0000_0.png").shape == (48, 100, 4)

    def test_another_prompt_under_the_same_name_is_refused(self, run):
        run("generate", "matte")
        assert "1 skipped" in run("generate", "matte").err
        outcome = run("generate", "this")
        assert outcome.code == 2 and "was made with text matte (now this)" in outcome.err

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            ((), 2, "no prompts: give some, or --from"),
            (("--from", "gone.txt"), 2, "--from gone.txt: No such file"),
            (("--from", "-"), 3, "no prompt in -"),
            (("  ",), 2, "a prompt is empty"),
            (("x", "--size", "12"), 2, "--size 12: give WxH"),
            (("x", "--size", "0x64"), 2, "--size 0x64: give WxH"),
            (("x", "y", "--name", "{seed}"), 2, "two prompts would both be written to generate/0.png"),
            (("x", "--name", "{stem}"), 2, "--name {stem}: no field {stem}; there are {index}, {seed}"),
        ],
    )
    def test_what_cannot_be_made_is_one_line_and_an_exit_code(self, run, arguments, code, message):
        outcome = run("generate", *arguments)
        assert (outcome.code, outcome.out) == (code, "") and message in outcome.err


class TestComplete:
    @pytest.mark.parametrize(
        ("given", "want", "opaque"),
        [
            ("foreground", "background", True),
            ("foreground", "scene", True),
            ("background", "foreground", False),
            ("background", "scene", True),
        ],
    )
    def test_the_other_layer_comes_out_at_the_size_of_the_input(self, run, picture, given, want, opaque):
        picture(Path("a.png"), size=(200, 120), mode="RGBA" if given == "foreground" else "RGB")
        outcome = run("complete", "a.png", "--given", given, "--want", want, "--prompt", "matte", "--json")
        assert outcome.code == 0 and records(outcome)[0]["task"] == f"complete.{given}-{want}"
        made = pixels("complete/a.png")
        assert made.shape == (120, 200, 4) and (made[..., 3] == 255).all() == opaque

    def test_a_given_foregrounds_alpha_counts_even_where_it_is_constant(self, run, picture):
        picture(Path("a.png"))
        rgb = PILImage.open("a.png")
        for name, value in (("empty.png", 0), ("full.png", 255)):
            PILImage.merge("RGBA", (*rgb.split(), PILImage.new("L", rgb.size, value))).save(name)
        arguments = ("--given", "foreground", "--want", "scene", "--prompt", "matte")
        outcome = run("complete", "empty.png", "full.png", "a.png", *arguments)
        assert (pixels("complete/empty.png") != pixels("complete/full.png")).any()
        assert (pixels("complete/a.png") == pixels("complete/full.png")).all()
        assert outcome.err.count("warning:") == 1 and "a.png: it has no alpha channel" in outcome.err

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (("--want", "scene", "--prompt", "x"), "--given"),
            (("--given", "foreground", "--want", "foreground", "--prompt", "x"), "there is nothing to complete"),
            (("--given", "foreground", "--want", "scene", "--prompt", " "), "--prompt is empty"),
            (("--given", "foreground", "--want", "scene"), "--prompt"),
            (("--given", "scene", "--want", "scene", "--prompt", "x"), "--given"),
        ],
    )
    def test_wrong_usage_is_exit_2(self, run, picture, arguments, message):
        picture(Path("a.png"))
        outcome = run("complete", "a.png", *arguments)
        assert (outcome.code, outcome.out) == (2, "") and message in outcome.err


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("remove", "a.png"),
        ("decompose", "a.png", "--text", "x"),
        ("matte", "a.png", "--text", "x"),
        ("generate", "x"),
        ("complete", "a.png", "--given", "foreground", "--want", "scene", "--prompt", "x"),
    ],
)
def test_what_the_weights_do_not_know_is_refused_with_what_they_do(run, omnialpha, picture, tiny_weights, arguments):
    picture(Path("a.png"))
    Path("w").mkdir()
    for file in tiny_weights.iterdir():
        Path("w", file.name).write_bytes(file.read_bytes())
    config = json.loads(Path("w/config.json").read_text())
    Path("w/config.json").write_text(json.dumps({**config, "tasks": ["matte.auto"]}))
    outcome = omnialpha(*arguments, "--model", "w")
    known = "matte.auto" if arguments[0] == "matte" else "matte"
    assert outcome.code == 2 and f"were trained on {known}, not on " in outcome.err
    assert omnialpha(*arguments, "--model", "w", "--untrained").code == 0


@pytest.mark.parametrize("command", ["remove", "decompose"])
def test_results_do_not_depend_on_what_shares_the_batch(run, picture, command):
    for i in range(3):
        picture(Path(f"p/{i}.png"), seed=i)
        square(f"m/{i}.png")
    together = run(command, "p", "--mask", "m", "-o", "together", "--batch-size", "3")
    run(command, "p/1.png", "--mask", "m/1.png", "-o", "alone", "--batch-size", "1")
    for line in (Path(line).relative_to("together") for line in together.lines):
        if line.parts[0].startswith("1"):
            assert np.abs(pixels("together" / line).astype(int) - pixels("alone" / line)).max() <= 1
