"""What a folder or a name gives: macOS's files, films, views of a shot, ranges of frames."""

from pathlib import Path

import pytest


@pytest.fixture
def plan(omnialpha, tiny_weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: omnialpha("matte", *arguments, "--model", tiny_weights, "--dry-run")


def test_what_macos_puts_beside_pictures_is_passed_over(plan, picture):
    picture(Path("i/a.png"))
    for other in ("i/._a.png", "i/__MACOSX/b.png", "i/.DS_Store"):
        Path(other).parent.mkdir(exist_ok=True)
        Path(other).write_bytes(b"\0\5\x16\7")
    for place in ("i", "i/**/*.png"):
        outcome = plan(place, "--recursive", "-o", "o")
        assert outcome.code == 0 and len(outcome.lines) == 1 and "warning" not in outcome.err


def test_a_walk_says_once_what_it_left_out(plan, picture):
    picture(Path("i/a.png"))
    for name in ("notes.txt", "b.txt", "take.mov"):
        Path("i", name).touch()
    outcome = plan("i")
    assert outcome.code == 0
    assert outcome.err.count("i: 1 .mov, 2 .txt (frames of a film: ffmpeg -i film.mov") == 1


def test_views_of_a_shot_stay_apart(plan, picture):
    for view in "LR":
        for frame in (1001, 1002):
            picture(Path(f"v/s.{frame}.{view}.png"))
    outcome = plan("v/s.####.L.png", "v/s.####.R.png", "-o", "o")
    assert sorted(outcome.lines) == [f"o/s_matte.{frame}.{view}.png" for frame in (1001, 1002) for view in "LR"]
    outcome = plan("v/s.####.L.png", "v/s.####.R.png", "-o", "o", "--name", "{stem}_{ext}")
    assert outcome.code == 0 and outcome.lines[0] == "o/s_png.1001.L.png"


@pytest.mark.parametrize("name", ["s/a.####.png 1001-1002", "s/a.@@@@.png", "s/a.$F4.png"])
def test_other_programs_ways_to_write_a_sequence(plan, picture, name):
    for frame in (1001, 1002):
        picture(Path(f"s/a.{frame}.png"))
    assert plan(name, "-o", "o").lines == ["o/a_matte.1001.png", "o/a_matte.1002.png"]


@pytest.mark.parametrize("name", ["s/a.<F>.png", "s/a.$FF.png", "s/a.[1001-1002].png", "s/a.1001-1002#.png"])
def test_ways_that_are_not_understood_are_answered_with_the_one_that_is(plan, picture, name):
    picture(Path("s/a.1001.png"))
    outcome = plan(name, "-o", "o")
    assert outcome.code == 3 and "write a sequence as s/a.####.png" in outcome.err


def test_paths_mirror_below_one_root_whatever_else_is_in_the_call(plan, picture):
    for name in ("p/x/a.png", "p/y/b.png", "p/y/c.png"):
        picture(Path(name))
    one = plan("p/x/a.png", "--root", "p")
    assert one.lines == ["matte/x/a.png"]
    all_kinds = plan("p/x", "p/y/b.png", "p/y/c*.png", "--root", "p")
    assert sorted(all_kinds.lines) == ["matte/x/a.png", "matte/y/b.png", "matte/y/c.png"]
    outside = plan("p/x", "--root", "p/y")
    assert outside.code == 2 and "p/x/a.png is not below --root p/y" in outside.err
