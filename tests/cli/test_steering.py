"""Mattes that are steered: from one frame of a shot to the others, by what is kept out and in, near a mask."""

import json
from pathlib import Path

import numpy as np
import pytest
from picture_files import write_exr
from PIL import Image as PILImage

FRAMES = range(1001, 1005)


def write(path: str, values: np.ndarray) -> Path:
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    PILImage.fromarray((values * 255).round().astype(np.uint8)).save(place)
    return place


def box(top: int, bottom: int, left: int, right: int) -> np.ndarray:
    mask = np.zeros((64, 96))
    mask[top:bottom, left:right] = 1
    return mask


@pytest.fixture
def shot(run, picture):
    """Frames 1001 to 1004 of `s/shot.####.png`, all of the same."""
    for frame in FRAMES:
        picture(Path(f"s/shot.{frame}.png"))
    write("m/roto.1003.png", box(16, 48, 24, 72))


def items(outcome) -> list[dict]:
    return [json.loads(line) for line in outcome.lines][:-1]


def alpha(path: str) -> np.ndarray:
    return np.asarray(PILImage.open(path))[..., 3]


class TestMaskOfOneFrame:
    @pytest.mark.slow
    def test_it_starts_there_and_goes_on_both_ways(self, run, shot):
        told = items(run("matte", "s/shot.####.png", "--mask", "m/roto.1003.png", "--steady", "--json"))
        assert told[0]["inputs"][0] == "s/shot.1003.png"  # both ways go side by side from there
        assert {item["inputs"][0]: (item["task"], item["inputs"][1:]) for item in told} == {
            "s/shot.1003.png": ("matte.mask", ["m/roto.1003.png"]),
            "s/shot.1004.png": ("matte.rough-mask", ["matte/shot_matte.1003.png", "s/shot.1003.png"]),
            "s/shot.1002.png": ("matte.rough-mask", ["matte/shot_matte.1003.png", "s/shot.1003.png"]),
            "s/shot.1001.png": ("matte.rough-mask", ["matte/shot_matte.1002.png", "s/shot.1002.png",
                                                     "matte/shot_matte.1003.png", "s/shot.1003.png"]),
        }  # fmt: skip

    @pytest.mark.slow
    def test_it_is_said(self, run, shot):
        assert (
            "m/roto.1003.png is of one frame"
            in run("matte", "s/shot.####.png", "--mask", "m/roto.1003.png", "--steady").err
        )

    @pytest.mark.slow
    @pytest.mark.parametrize("name", ["m/roto.png", "m/roto.2000.png", "m/roto_v1003.png"])
    def test_any_other_mask_serves_every_frame(self, run, shot, name):
        Path("m/roto.1003.png").rename(name)
        told = items(run("matte", "s/shot.####.png", "--mask", name, "--steady", "--json"))
        assert [item["inputs"][:2] for item in told] == [[f"s/shot.{frame}.png", name] for frame in FRAMES]

    def test_without_steady_it_serves_every_frame_too(self, run, shot):
        told = items(run("matte", "s/shot.####.png", "--mask", "m/roto.1003.png", "--json"))
        assert all(item["inputs"][1] == "m/roto.1003.png" for item in told)

    @pytest.mark.slow
    def test_after_a_cut_the_matte_starts_afresh(self, run, shot, picture):
        write("s/shot.1004.png", np.indices((64, 96)).sum(0)[..., None].repeat(3, 2) // 8 % 2)
        outcome = run("matte", "s/shot.####.png", "--mask", "m/roto.1003.png", "--steady")
        assert "s/shot.1004.png: little of the frame before is in it, so its matte starts afresh" in outcome.err
        assert outcome.code == 0

    @pytest.mark.slow
    def test_it_goes_on_where_it_stopped(self, run, shot):
        command = ("matte", "s/shot.####.png", "--mask", "m/roto.1003.png", "--steady")
        assert "4 done" in run(*command).err
        assert "4 skipped" in run(*command).err
        Path("matte/shot_matte.1002.png").unlink()
        assert "2 done, 2 skipped" in run(*command).err
        write("m/roto.1003.png", box(10, 50, 20, 80))
        assert "4 done" in run(*command).err

    def test_without_the_mask_no_frame_can_be_made(self, run, shot):
        Path("m/roto.1003.png").write_bytes(b"no picture")
        outcome = run("matte", "s/shot.####.png", "--mask", "m/roto.1003.png", "--steady")
        assert outcome.code == 1 and "4 failed" in outcome.err
        assert "s/shot.1004.png: the frame that it starts by, s/shot.1003.png, was not made" in outcome.err

    def test_one_bad_frame_is_one_failed_item(self, run, shot):
        Path("s/shot.1002.png").write_bytes(b"no picture")
        outcome = run("matte", "s/shot.####.png", "--mask", "m/roto.1003.png", "--steady", "--json")
        told = {item["inputs"][0]: item for item in items(outcome)}
        assert told["s/shot.1002.png"]["status"] == "failed"
        assert told["s/shot.1001.png"]["inputs"][1:] == ["matte/shot_matte.1003.png", "s/shot.1003.png"]

    def test_shares_are_whole_sequences(self, run, shot):
        command = ("matte", "s/shot.####.png", "--mask", "m/roto.1003.png", "--steady", "--dry-run")
        shares = [run(*command, "--shard", f"{i}/2").lines for i in range(2)]
        assert sorted(map(len, shares)) == [0, 4]


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--mask", "--trimap", "--rough-mask", "--background"])
def test_a_sequence_of_hints_gives_each_frame_its_own(run, shot, option):
    for frame in FRAMES:
        write(f"h/hint.{frame}.png", box(16, 48, 24, 72))
    told = items(run("matte", "s/shot.####.png", option, "h/hint.####.png", "--steady", "--json"))
    assert [item["inputs"][:2] for item in told] == [[f"s/shot.{n}.png", f"h/hint.{n}.png"] for n in FRAMES]
    assert told[2]["inputs"][2:] == ["matte/shot_matte.1002.png", "s/shot.1002.png"]


class TestBounds:
    def test_nothing_is_left_of_what_is_held_out_and_all_of_the_core(self, run, picture):
        picture(Path("a.png"), (96, 64))
        write("out.png", box(0, 64, 0, 30))
        write("core.png", box(20, 40, 20, 60))
        assert run("matte", "a.png", "--hold-out", "out.png", "--core", "core.png").code == 0
        made = alpha("matte/a.png")
        assert not made[:, :30].any() and (made[20:40, 30:60] == 255).all()

    def test_a_soft_hold_out_leaves_the_rest(self, run, picture):
        picture(Path("a.png"), (96, 64))
        write("core.png", np.ones((64, 96)))
        ramp = np.linspace(0, 1, 96)[None].repeat(64, 0)
        write("out.png", ramp)
        run("matte", "a.png", "--hold-out", "out.png", "--core", "core.png")
        np.testing.assert_allclose(alpha("matte/a.png") / 255, 1 - ramp, atol=0.01)

    def test_they_are_found_as_hints_are(self, run, picture):
        for name in "ab":
            picture(Path(f"in/{name}.png"))
            write(f"in/{name}_core.png", box(0, 64, 0, 96))
        told = items(run("matte", "in", "--core", "in/{stem}_core.png", "--json"))
        assert sorted(item["inputs"] for item in told) == [[f"in/{n}.png", f"in/{n}_core.png"] for n in "ab"]
        assert (alpha("matte/b.png") == 255).all()
        outcome = run("matte", "in/a.png", "--core", "gone.png")
        assert outcome.code == 2 and "--core gone.png does not exist" in outcome.err

    def test_a_black_one_with_another_channel_is_told(self, run, picture):
        picture(Path("a.png"))
        samples = np.zeros((64, 96, 4), np.float32)
        samples[..., 3] = 1
        write_exr(Path("roto.exr"), (["R", "G", "B", "roto.A"], samples))
        for option in ("--hold-out", "--core"):
            outcome = run("matte", "a.png", option, "roto.exr", "-o", option[2:])
            assert f"roto.exr is black, so {option} changed nothing; it has other channels, roto.A" in outcome.err
        chosen = run("matte", "a.png", "--core", "roto.exr", "--hint-layer", "roto.A", "-o", "chosen")
        assert "warning" not in chosen.err and (alpha("chosen/a.png") == 255).all()

    def test_other_mattes_make_a_result_again_and_another_bound_is_another_setting(self, run, picture):
        picture(Path("a.png"))
        write("one.png", box(0, 20, 0, 20))
        assert "1 done" in run("matte", "a.png", "--core", "one.png").err
        assert "1 skipped" in run("matte", "a.png", "--core", "one.png").err
        outcome = run("matte", "a.png", "--hold-out", "one.png")
        assert outcome.code == 2 and "was made with bounds core (now hold-out)" in outcome.err
        write("one.png", box(0, 20, 0, 30))
        assert "1 done" in run("matte", "a.png", "--core", "one.png").err


class TestMaskSlack:
    def distance(self, made: np.ndarray, mask: np.ndarray) -> float:
        """How far from a mask the farthest pixel is that is not transparent."""
        inside = np.argwhere(mask)
        return max((np.hypot(*(inside - place).T).min() for place in np.argwhere(made)), default=0.0)

    @pytest.mark.parametrize(("options", "most"), [(("--mask-slack", "9"), 9), ((), 2), (("--mask-slack", "0"), 0)])
    def test_nothing_is_further_out_of_a_mask(self, run, picture, options, most):
        picture(Path("a.png"), (96, 64))
        mask = box(24, 40, 40, 56)
        write("m.png", mask)
        run("matte", "a.png", "--mask", "m.png", *options)
        assert self.distance(alpha("matte/a.png"), mask) <= most

    def test_a_rough_mask_may_be_far_off_unless_it_is_said(self, run, picture):
        picture(Path("a.png"), (96, 64))
        mask = box(24, 40, 40, 56)
        write("m.png", mask)
        run("matte", "a.png", "--rough-mask", "m.png", "-o", "far")
        run("matte", "a.png", "--rough-mask", "m.png", "--mask-slack", "3", "-o", "near")
        assert self.distance(alpha("far/a.png"), mask) > 3 >= self.distance(alpha("near/a.png"), mask)
