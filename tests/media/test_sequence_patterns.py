"""How programs write the place of a frame number."""

from pathlib import Path

import pytest

from omnialpha_cli.media.sequence import find_frames, is_pattern, spelt, without_range


@pytest.mark.parametrize(
    "pattern", ["s.####.png", "s.%04d.png", "s.@@@@.png", "s.$F4.png", "s.<UDIM>.png", "s.<udim>.png"]
)
def test_four_digits(tmp_path, pattern):
    for number in (1001, 1002):
        (tmp_path / f"s.{number}.png").touch()
    frames, holes = find_frames(str(tmp_path / pattern))
    assert [frame.number for frame in frames] == ["1001", "1002"] and not holes
    assert spelt(pattern, 7) == Path("s.0007.png")


@pytest.mark.parametrize("pattern", ["s.#.png", "s.%d.png", "s.$F.png", "s.@.png"])
def test_as_many_digits_as_it_takes(pattern):
    assert spelt(pattern, 7) == Path("s.7.png")


@pytest.mark.parametrize("name", ["photo@2x.png", "a.png", "price $5.png", "s.##.##.png"])
def test_no_pattern(name):
    assert not is_pattern(name)


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("s.####.exr 1001-1003", ("s.####.exr", "1001-1003")),
        ("s.####.exr 1,5-9x2", ("s.####.exr", "1,5-9x2")),
        ("s.####.exr", ("s.####.exr", None)),
        ("photo 12.jpg 3", ("photo 12.jpg 3", None)),
    ],
)
def test_nuke_writes_the_frames_behind_it(name, split):
    assert without_range(name) == split


def test_what_follows_the_number_is_kept(tmp_path):
    (tmp_path / "s.1001.L.png").touch()
    ((frame,), _) = find_frames(str(tmp_path / "s.####.L.png"))
    assert (frame.stem, frame.number, frame.suffix) == ("s", "1001", ".L")
