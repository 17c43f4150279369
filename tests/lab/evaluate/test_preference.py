"""The blind page and the sum of its choices."""

import base64
import json
import re

import numpy as np
import pytest
from greys import write_grey

from omnialpha_cli.lab.evaluate.preference import read_choices, trials, write_trials
from omnialpha_cli.lab.evaluate.statistics import wilson
from omnialpha_cli.media.write import write_png
from omnialpha_cli.status import ItemError, UsageError

NAMES = [f"p{i}" for i in range(12)]


def write_folders(parent):
    """A is black, B is white."""
    for folder, grey in (("a", 0), ("b", 1)):
        for name in NAMES:
            write_png(parent / folder / f"{name}.png", np.full((4, 6, 4), (grey, grey, grey, 1), np.float32))
    return parent / "a", parent / "b"


@pytest.fixture
def folders(tmp_path):
    return write_folders(tmp_path)


def data_of(page):
    text = page.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', text, re.DOTALL)[1])


def choices(page, choose):
    """What the page saves if `choose(token)` is what the person does."""
    data = data_of(page)
    made = [{"token": t["token"], "choice": choose(json.loads(base64.b64decode(t["token"])))} for t in data["trials"]]
    path = page.with_suffix(".json")
    path.write_text(json.dumps({"schema": "omnialpha-choices/1", "about": data["about"], "choices": made}))
    return path


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    write_trials(folder / "page.html", list(trials(*write_folders(folder), None, None, 0)), "before", "after")
    return folder / "page.html"


@pytest.mark.slow
def test_order_and_sides_are_drawn_by_the_seed(folders):
    def drawn(seed):
        return [(t.name, t.swapped) for t in trials(*folders, None, None, seed)]

    first = drawn(0)
    assert first == drawn(0) != drawn(1)
    assert sorted(name for name, _ in first) == sorted(NAMES)
    assert {swapped for _, swapped in first} == {True, False}


def test_swapped_pictures_stand_on_the_other_side(folders):
    found = list(trials(*folders, None, 6, 0))
    assert len(found) == 6
    assert len({t.right if t.swapped else t.left for t in found}) == 1  # A, whatever its side


@pytest.mark.slow
def test_the_page_tells_nothing_in_the_open(page):
    text = page.read_text(encoding="utf-8")
    assert "before" not in text.replace("beforeunload", "").replace("or before.", "")
    assert "after" not in text
    assert "swapped" not in text
    assert "http" not in text


def test_choices_are_added_up_whatever_the_side(page):
    b = choices(page, lambda t: "left" if t["swapped"] else "right")
    found = read_choices(b)
    assert (found.a, found.b, found.wins_a, found.wins_b, found.ties) == ("before", "after", 0, 12, 0)
    assert found.share == wilson(12, 12)


def test_a_tie_is_half_a_win(page):
    found = read_choices(choices(page, lambda t: "tie"))
    assert (found.ties, found.share.estimate, found.left) == (12, 0.5, 0)


def test_who_always_takes_the_left_is_seen(page):
    found = read_choices(choices(page, lambda t: "left"))
    assert found.left == 12 == found.wins_a + found.wins_b
    assert found.wins_a and found.wins_b


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "no JSON"),
        ("{}", "it lacks 'about'"),
        ('{"schema": "x", "about": "e30=", "choices": []}', "another version"),
        ("[1]", "list"),
    ],
)
def test_other_files_are_refused_by_name_with_the_reason(tmp_path, content, says):
    path = tmp_path / "other.json"
    path.write_text(content)
    with pytest.raises(UsageError, match=rf"--summary .*other\.json is not a file of choices .*{says}"):
        read_choices(path)


def test_a_file_of_choices_that_is_not_there(tmp_path):
    with pytest.raises(UsageError, match=r"nope\.json cannot be read: No such file or directory$"):
        read_choices(tmp_path / "nope.json")


def test_folders_without_a_common_name_are_refused(folders, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="no picture of the same name"):
        next(trials(folders[0], tmp_path / "empty", None, None, 0))


@pytest.mark.slow
def test_results_named_otherwise_are_matched_by_a_list(folders):
    for path in list(folders[1].iterdir()):
        path.rename(path.with_name(f"output_{path.name}"))
    names = {f"output_{name}": name for name in NAMES}
    assert {t.name for t in trials(*folders, None, None, 0, names)} == set(NAMES)


@pytest.mark.slow
def test_a_matte_alone_is_shown_as_the_cut_out_that_it_makes(folders, tmp_path):
    """Nobody could be blind to which tool it is otherwise."""
    alpha = np.zeros((4, 6), np.float32)
    alpha[:2] = 1
    source = np.full((4, 6, 3), (0.8, 0.4, 0.2), np.float32)
    write_png(tmp_path / "source/p.png", np.dstack((source, np.ones_like(alpha))))
    write_png(folders[0] / "p.png", np.dstack((source, alpha)))
    write_grey(folders[1] / "p.png", alpha)
    (trial,) = [t for t in trials(*folders, tmp_path / "source", None, 0) if t.name == "p"]
    assert trial.left == trial.right
    (alone,) = [t for t in trials(*folders, None, None, 0) if t.name == "p"]
    assert alone.left != alone.right


def test_a_damaged_picture_is_one_failure(folders):
    (folders[0] / "p3.png").write_bytes(b"")
    found = list(trials(*folders, None, None, 0))
    assert sum(isinstance(t, ItemError) for t in found) == 1
    assert len(found) == 12
