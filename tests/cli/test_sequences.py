"""Sequences by pattern, and shares of a plan."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage


@pytest.fixture
def shot(run, picture):
    """Frames 1001, 1002, 1004 and 1005 of `s/shot.####.png`."""
    for frame in (1001, 1002, 1004, 1005):
        picture(Path(f"s/shot.{frame}.png"), seed=frame)


def items(outcome) -> list[dict]:
    return [json.loads(line) for line in outcome.lines][:-1]


class TestPatterns:
    @pytest.mark.parametrize("pattern", ["s/shot.####.png", "s/shot.%04d.png"])
    def test_the_frames_that_are_there_and_a_warning_about_missing_frames(self, run, shot, pattern):
        outcome = run("matte", pattern)
        assert outcome.code == 0
        assert sorted(outcome.lines) == [f"matte/shot_matte.{n}.png" for n in (1001, 1002, 1004, 1005)]
        assert f"warning: {pattern}: frames 1003 are missing" in outcome.err

    def test_a_missing_frame_of_the_frames_asked_for_is_a_failed_item(self, run, shot):
        outcome = run("matte", "s/shot.####.png", "--frames", "1001-1005x2,1007", "--json")
        assert outcome.code == 1
        assert {item["outputs"][0][-8:-4]: item["status"] for item in items(outcome)} == {
            "1001": "done", "1003": "failed", "1005": "done", "1007": "failed",
        }  # fmt: skip
        assert "failed: s/shot.1003.png does not exist" in outcome.err and "are missing" not in outcome.err

    def test_a_dry_run_shows_missing_frames(self, run, shot):
        outcome = run("matte", "s/shot.####.png", "--frames", "1003-1004", "--dry-run")
        assert outcome.code == 1 and outcome.lines == ["matte/shot_matte.1004.png"]
        assert "would fail: s/shot.1003.png does not exist" in outcome.err

    def test_files_with_numbers_are_stills_without_a_pattern(self, run, shot):
        assert run("matte", "s", "--dry-run").lines[0] == "matte/shot.1001.png"

    def test_unpadded_numbers_and_other_digits(self, run, picture):
        for name in ("f_8.png", "f_10.png", "f_0010.png"):
            picture(Path(name))
        assert run("matte", "f_#.png", "--dry-run").lines == ["matte/f_matte.8.png", "matte/f_matte.10.png"]
        assert run("matte", "f_%04d.png", "--dry-run").lines == ["matte/f_matte.0010.png"]

    def test_frames_with_nothing_but_a_number_are_named_after_their_folder(self, run, picture):
        picture(Path("take2/0001.png"))
        assert run("matte", "take2/####.png", "--dry-run").lines == ["matte/take2_matte.0001.png"]

    @pytest.mark.parametrize(
        "before", ["my take#2/p.", "s%d/q.", "[x]/y.", "d/a@b.", "d/a1", "d/v01_001.", "d/10-20_", "d/{}"]
    )
    def test_unusual_names_around_the_number(self, run, picture, before):
        for frame in ("0001", "0003", "12345"):
            picture(Path(f"{before}{frame}.png"))
        outcome = run("matte", f"{before}####.png", "--dry-run", "--json")
        frames = [f"{before}{frame}.png" for frame in ("0001", "0003", "12345")]
        assert [item["inputs"][0] for item in items(outcome)] == frames
        assert "frames 2,4-12344 are missing" in outcome.err

    def test_a_file_whose_name_looks_like_a_pattern_is_a_file(self, run, picture):
        picture(Path("take#2.png"))
        assert run("matte", "take#2.png", "--dry-run").lines == ["matte/take#2.png"]

    def test_two_sequences_mirror_below_their_common_parent(self, run, picture):
        for name in ("a", "b"):
            picture(Path(f"s/{name}/p.01.png"))
        outcome = run("matte", "s/a/p.##.png", "s/b/p.##.png", "--dry-run")
        assert outcome.lines == ["matte/a/p_matte.01.png", "matte/b/p_matte.01.png"]

    def test_a_name_of_ones_own_keeps_the_frame_number_last(self, run, shot):
        outcome = run("matte", "s/shot.####.png", "--frames", "1001", "--name", "{stem}_key", "--dry-run")
        assert outcome.lines == ["matte/shot_key.1001.png"]
        outcome = run("matte", "s/shot.####.png", "--frames", "1001", "--name", "{frame}/{stem}", "--dry-run")
        assert outcome.lines == ["matte/1001/shot.png"]

    def test_layers_of_a_frame_are_in_the_frames_folder(self, run, shot):
        outcome = run("decompose", "s/shot.####.png", "--frames", "1002")
        assert outcome.lines[1] == "decompose/shot_decompose.1002/01_foreground.png"

    def test_the_same_seed_serves_every_frame(self, run, picture):
        for frame in (1, 2):
            picture(Path(f"p.{frame}.png"), seed=0)
        run("matte", "p.#.png", "--seed", "3", "--batch-size", "2")
        one, two = (np.asarray(PILImage.open(f"matte/p_matte.{n}.png")).astype(int) for n in (1, 2))
        assert np.abs(one - two).max() <= 1

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            (("s/none.####.png",), 3, "no frame of s/none.####.png is there"),
            (("s/shot.####.png", "--frames", "x"), 2, "--frames x: give numbers and ranges"),
            (("s", "--frames", "1001"), 2, "--frames needs a sequence among the inputs"),
            (("s/none.####.png", "--frames", "1-2"), 3, "s/none.0001.png does not exist"),
        ],
    )
    def test_what_is_not_there(self, run, shot, arguments, code, message):
        outcome = run("matte", *arguments)
        assert outcome.code == code and message in outcome.err


class TestHintsOfSequences:
    @pytest.fixture
    def masks(self, shot):
        for frame in (1001, 1002, 1005):
            Path("m").mkdir(exist_ok=True)
            PILImage.new("L", (96, 64), frame % 256).save(f"m/shot.{frame}.png")

    @pytest.mark.parametrize("place", ["m", "m/{stem}.{frame}.png"])
    def test_every_frame_has_its_own(self, run, masks, place):
        outcome = run("matte", "s/shot.####.png", "--mask", place, "--dry-run", "--json")
        told = {item["inputs"][0]: item for item in items(outcome)}
        assert told["s/shot.1005.png"]["inputs"][1] == "m/shot.1005.png"
        assert told["s/shot.1004.png"]["error"]["code"] == "hint"

    @pytest.mark.slow
    def test_one_file_may_serve_sequences(self, run, masks):
        assert len(run("matte", "s/shot.####.png", "--mask", "m/shot.1001.png").lines) == 4
        shots = "s/shot.####.png", "m/shot.####.png"
        assert len(run("matte", *shots, "--mask", "m/shot.1001.png", "--root", ".", "--dry-run").lines) == 7


class TestShards:
    @pytest.mark.slow
    def test_the_shares_together_are_the_whole(self, run, picture):
        for i in range(7):
            picture(Path(f"p/{i}.png"), seed=i)
        whole = run("matte", "p", "-o", "whole", "--batch-size", "1")
        shares = [run("matte", "p", "-o", "out", "--batch-size", "1", "--shard", f"{i}/3") for i in range(3)]
        made = [line for share in shares for line in share.lines]
        assert sorted(made) == [line.replace("whole", "out") for line in sorted(whole.lines)]
        for line in made:
            assert Path(line).read_bytes() == Path(line.replace("out", "whole")).read_bytes()
        assert "7 skipped" in run("matte", "p", "-o", "out").err  # journals of all shares count

    def test_a_share_does_not_depend_on_where_the_run_starts(self, run, picture, monkeypatch, tmp_path):
        for i in range(6):
            picture(Path(f"p/{i}.png"))
        here = run("matte", "p", "-o", "out", "--shard", "1/2", "--dry-run").lines
        monkeypatch.chdir(tmp_path / "p")
        there = run("matte", ".", "-o", "../out", "--shard", "1/2", "--dry-run").lines
        assert here == [line.removeprefix("../") for line in there]

    def test_an_empty_share_is_all_done(self, run, picture):
        picture(Path("a.png"))
        codes = [run("matte", "a.png", "-o", f"{i}", "--shard", f"{i}/2").code for i in range(2)]
        assert codes == [0, 0] and len(list(Path().glob("[01]/a.png"))) == 1

    def test_a_clash_is_found_in_every_share(self, run, picture):
        picture(Path("p/a.png"))
        picture(Path("p/a.jpg"))
        assert [run("matte", "p", "--shard", f"{i}/2").code for i in range(2)] == [2, 2]

    @pytest.mark.parametrize("text", ["2/2", "1", "a/b", "-1/2", "0/0", ""])
    def test_a_wrong_share_is_exit_2(self, run, picture, text):
        picture(Path("a.png"))
        assert f"--shard {text}: give i/n" in run("matte", "a.png", "--shard", text).err

    def test_slurm_tells_the_share(self, run, picture, monkeypatch):
        for i in range(6):
            picture(Path(f"p/{i}.png"))
        for task, share in (("10", "0/4"), ("13", "1/4"), ("19", "3/4")):
            for name, value in zip(("ID", "MIN", "MAX", "STEP"), (task, "10", "19", "3"), strict=True):
                monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
            assert run("matte", "p", "--shard", "slurm", "--dry-run").lines == (
                run("matte", "p", "--shard", share, "--dry-run").lines
            )

    @pytest.mark.parametrize(
        ("task", "message"),
        [(None, "SLURM_ARRAY_TASK_ID is not set"), ("11", "do not make up an array"), ("x", "do not make up")],
    )
    def test_slurm_that_tells_nothing_is_exit_2(self, run, picture, monkeypatch, task, message):
        picture(Path("a.png"))
        if task:
            for name, value in zip(("ID", "MIN", "MAX", "STEP"), (task, "10", "19", "3"), strict=True):
                monkeypatch.setenv(f"SLURM_ARRAY_TASK_{name}", value)
        outcome = run("matte", "a.png", "--shard", "slurm")
        assert outcome.code == 2 and message in outcome.err


class TestSteady:
    def test_every_frame_is_given_the_matte_of_the_one_before(self, run, shot):
        told = items(run("matte", "s/shot.####.png", "--steady", "--json"))
        assert [(item["task"], item["inputs"]) for item in told] == [
            ("matte.auto", ["s/shot.1001.png"]),
            ("matte.auto", ["s/shot.1002.png", "matte/shot_matte.1001.png", "s/shot.1001.png"]),
            ("matte.auto", ["s/shot.1004.png", "matte/shot_matte.1002.png", "s/shot.1002.png"]),
            ("matte.auto", ["s/shot.1005.png", "matte/shot_matte.1004.png", "s/shot.1004.png"]),
        ]

    @pytest.mark.slow
    def test_it_goes_on_where_it_stopped_and_a_changed_frame_makes_all_later_ones_again(self, run, shot, picture):
        assert "4 done" in run("matte", "s/shot.####.png", "--steady").err
        before = {path: path.read_bytes() for path in Path("matte").glob("*.png")}
        assert "4 skipped" in run("matte", "s/shot.####.png", "--steady").err
        Path("matte/shot_matte.1004.png").unlink()
        assert "2 done, 2 skipped" in run("matte", "s/shot.####.png", "--steady").err
        assert before == {path: path.read_bytes() for path in Path("matte").glob("*.png")}
        picture(Path("s/shot.1002.png"), seed=99)
        assert "3 done, 1 skipped" in run("matte", "s/shot.####.png", "--steady").err

    def test_after_a_bad_frame_it_starts_afresh(self, run, shot):
        Path("s/shot.1002.png").write_bytes(b"no picture")
        told = {item["inputs"][0]: item for item in items(run("matte", "s/shot.####.png", "--steady", "--json"))}
        assert told["s/shot.1002.png"]["status"] == "failed"
        assert told["s/shot.1004.png"]["inputs"] == ["s/shot.1004.png"]
        assert told["s/shot.1005.png"]["inputs"][1] == "matte/shot_matte.1004.png"

    @pytest.mark.slow
    def test_what_was_made_without_it_is_not_mixed_in(self, run, shot):
        run("matte", "s/shot.####.png")
        outcome = run("matte", "s/shot.####.png", "--steady")
        assert outcome.code == 2 and "was made with steady False (now True)" in outcome.err
        assert "4 done" in run("matte", "s/shot.####.png", "--steady", "--overwrite").err

    def test_shares_are_whole_sequences(self, run, picture):
        for name in "abcdef":
            for frame in range(1, 4):
                picture(Path(f"s/{name}.{frame:04}.png"))
        patterns = [f"s/{name}.####.png" for name in "abcdef"]
        shares = [run("matte", *patterns, "--steady", "--shard", f"{i}/3", "--dry-run").lines for i in range(3)]
        assert sorted(line for share in shares for line in share) == sorted(
            run("matte", *patterns, "--steady", "--dry-run").lines
        )
        owners = [{Path(line).name.split("_")[0] for line in share} for share in shares]
        assert sum(map(len, owners)) == 6

    @pytest.mark.slow  # starts two processes
    def test_workers_share_sequences_in_order(self, run, shot):
        alone = run("matte", "s/shot.####.png", "--steady", "-o", "alone")
        shared = run("matte", "s/shot.####.png", "--steady", "-o", "shared", "--devices", "cpu:2")
        assert [line.replace("shared", "alone") for line in shared.lines] == alone.lines
        for line in shared.lines:
            assert Path(line).read_bytes() == Path(line.replace("shared", "alone")).read_bytes()

    def test_without_a_sequence_it_is_exit_2(self, run, shot):
        outcome = run("matte", "s/shot.1001.png", "--steady")
        assert outcome.code == 2 and "--steady needs a sequence" in outcome.err
