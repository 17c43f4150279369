"""A run whose journal was not copied along adopts its own untouched files; `info` tells what made them."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image as PILImage

from omnialpha_cli.cli.about import command_of
from omnialpha_cli.media import provenance


@pytest.fixture
def made(run, picture, tmp_path):
    """Two results of a folder, and their journal lost; gives the command that made them."""
    for name in "ab":
        picture(tmp_path / "in" / f"{name}.png", seed=ord(name))

    def again(*more, command="matte"):
        return run(command, "in", "-o", f"out_{command}", "--json", *more)

    for command in ("matte", "decompose"):
        assert again(command=command).code == 0
        shutil.rmtree(tmp_path / f"out_{command}" / ".omnialpha")
    return again


def statuses(outcome) -> list[str]:
    return [record["status"] for record in map(json.loads, outcome.lines) if record["event"] == "item"]


@pytest.mark.parametrize("command", ["matte", "decompose"])
def test_untouched_files_are_adopted_and_journalled(made, tmp_path, command):
    outcome = made(command=command)
    assert (outcome.code, statuses(outcome)) == (0, ["skipped"] * 2), outcome.err
    journal = (tmp_path / f"out_{command}" / ".omnialpha" / "0-of-1.jsonl").read_text()
    assert journal.count('"done"') == 2
    assert statuses(made(command=command)) == ["skipped"] * 2


def test_an_edited_file_stays_somebodys_work(made, tmp_path):
    path = tmp_path / "out_matte" / "a.png"
    pixels = np.array(opened := PILImage.open(path))
    pixels[0, 0] = 0
    from PIL.PngImagePlugin import PngInfo

    told = PngInfo()
    for name, value in opened.text.items():
        told.add_itxt(name, value)
    PILImage.fromarray(pixels).save(path, pnginfo=told)
    outcome = made()
    assert outcome.code == 2
    assert "a.png exists, and was changed since" in outcome.err


def test_other_settings_are_named(made):
    outcome = made("--seed", 5)
    assert outcome.code == 2
    assert "was made with seed 0 (now 5)" in outcome.err


def test_a_changed_input_is_made_again(made, picture, tmp_path):
    picture(tmp_path / "in" / "a.png", seed=1)
    outcome = made()
    assert sorted(statuses(outcome)) == ["done", "skipped"], outcome.err


def test_info(made, omnialpha, tmp_path):
    outcome = omnialpha("info", "out_matte/a.png", "out_decompose/a/layers.json", "--json")
    assert outcome.code == 0
    matte, layers = map(json.loads, outcome.lines)
    assert matte["task"] == "matte.auto"
    assert matte["untouched"]
    assert matte["command"].startswith("omnialpha matte INPUT --seed 0 --steps 1")
    assert layers["task"] == "decompose.auto"
    assert str(tmp_path) not in outcome.out
    told = omnialpha("info", "out_matte/a.png").out
    assert "task: matte.auto" in told and "place" not in told  # it was not trimmed
    assert omnialpha("info", "in/a.png").code == 1
    assert omnialpha("info", "gone.png").code == 3


@pytest.mark.slow  # starts two processes
def test_the_same_bytes_whatever_the_batch_or_the_workers(run, picture, tmp_path):
    for name in "abcd":
        picture(tmp_path / "in" / f"{name}.png", seed=ord(name))
    contents = []
    for i, more in enumerate([["--batch-size", 1], ["--batch-size", 4], ["--devices", "cpu:2"]]):
        assert run("matte", "in", "-o", f"o{i}", "--format", "exr", *more).code == 0
        contents.append([path.read_bytes() for path in sorted((tmp_path / f"o{i}").glob("*.exr"))])
    assert len(contents[0]) == 4
    assert contents[0] == contents[1] == contents[2]


def test_the_command_that_makes_it_again():
    settings = {"seed": 7, "steps": 2, "text": "a »red« <cat> & it's", "refine": "none", "grow": 0, "canvas": 64}
    made = provenance.record("matte.text", settings, "ab" * 32, ["01" * 32, "23" * 32], {})
    assert command_of(made) == (
        "omnialpha matte INPUT --text 'a »red« <cat> & it'\\''s' --seed 7 --steps 2 --canvas 64 --refine none"
    )
    settings = {"seed": 0, "text": "a cat", "width": 64, "height": 32, "guidance": 1.5}
    assert command_of(provenance.record("generate.scene", settings, "w", [], {})) == (
        "omnialpha generate 'a cat' --scene --size 64x32 --seed 0 --guidance 1.5"
    )
    assert "complete INPUT --given background --want scene --prompt 'a cat'" in command_of(
        provenance.record("complete.background-scene", settings, "w", ["x"], {})
    )
