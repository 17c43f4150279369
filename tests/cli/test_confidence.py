"""`confidence`: in every record and file of a result by a found object; `--min-confidence` lists the doubtful ones."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage
from sure_weights import look_at_colours, write_sure_weights


@pytest.fixture
def run(omnialpha, sure_weights, tmp_path, monkeypatch):
    """Runs a command on `clear.png` and `doubtful.png`, with a subject of full and of little more than half alpha."""
    monkeypatch.chdir(tmp_path)
    look_at_colours(monkeypatch)
    Path("in").mkdir()
    for name, red in {"clear": 255, "doubtful": 150}.items():
        pixels = np.zeros((64, 64, 3), np.uint8)
        pixels[:, 20:44, 0], pixels[..., 2] = red, 255
        PILImage.fromarray(pixels).save(f"in/{name}.png")
    return lambda *words, model=sure_weights: omnialpha(*words, "--model", model)


def records(outcome) -> tuple[dict[str, dict], dict]:
    *items, summary = map(json.loads, outcome.lines)
    return {Path(item["inputs"][0]).stem: item for item in items}, summary


@pytest.mark.parametrize("command", ["matte", "remove", "decompose"])
def test_the_record_and_the_file_have_it(run, omnialpha, command):
    items, _ = records(run(command, "in", "--json"))
    assert items["clear"]["confidence"] > 0.99
    assert items["doubtful"]["confidence"] == pytest.approx(150 / 255, abs=0.03)
    for item in items.values():
        told = json.loads(omnialpha("info", item["outputs"][0], "--json").out)
        assert told["confidence"] == item["confidence"] and told["untouched"]


def test_without_the_option_doubtful_results_are_done(run):
    outcome = run("matte", "in", "--json")
    assert outcome.code == 0 and records(outcome)[1]["doubtful"] == 0
    assert not Path("matte/doubtful.txt").exists()


class TestResultsBelowTheLeast:
    def test_stay_at_their_paths_are_listed_and_counted_and_the_exit_code_is_6(self, run):
        outcome = run("matte", "in", "--min-confidence", 0.8)
        assert outcome.code == 6
        assert sorted(outcome.lines) == ["matte/clear.png", "matte/doubtful.png"]
        assert Path("matte/doubtful.txt").read_text() == "matte/doubtful.png\n"
        assert "doubtful: matte/doubtful.png (confidence 0.5" in outcome.err and "1 doubtful" in outcome.err

    def test_are_counted_again_when_they_are_skipped(self, run):
        assert run("matte", "in").code == 0  # which has the same pixels, so nothing is made again
        outcome = run("matte", "in", "--min-confidence", 0.8, "--json")
        items, summary = records(outcome)
        assert outcome.code == summary["exit"] == 6
        assert (summary["skipped"], summary["doubtful"]) == (2, 1)
        assert items["doubtful"]["confidence"] < 0.8

    @pytest.mark.parametrize(("folder", "again"), [("out", "{here}/out"), ("{here}/out", "out"), (".", ".")])
    def test_are_listed_anew_however_the_folder_is_spelt(self, run, tmp_path, folder, again):
        folder, again = (place.format(here=tmp_path) for place in (folder, again))
        assert run("matte", "in", "--min-confidence", 0.8, "-o", folder).code == 6
        assert run("matte", "in", "--min-confidence", 0.8, "-o", again).code == 6
        assert Path(folder, "doubtful.txt").read_text() == f"{Path(again, 'doubtful.png')}\n"

    def test_are_known_by_their_files_where_the_journal_is_gone(self, run):
        run("matte", "in")
        shutil.rmtree("matte/.omnialpha")
        for _ in range(2):  # adopted into a new journal
            _, summary = records(run("matte", "in", "--min-confidence", 0.8, "--json"))
            assert (summary["skipped"], summary["doubtful"]) == (2, 1)

    def test_are_folders_where_layers_are(self, run):
        assert run("decompose", "in", "--min-confidence", 0.8).code == 6
        assert Path("decompose/doubtful.txt").read_text() == "decompose/doubtful\n"

    def test_are_no_longer_listed_with_a_lower_least(self, run):
        run("matte", "in", "--min-confidence", 0.8)
        assert run("matte", "in", "--min-confidence", 0.1).code == 0
        assert not Path("matte/doubtful.txt").exists()

    def test_a_failed_item_is_worse(self, run):
        Path("in/broken.png").write_bytes(b"no picture")
        assert run("matte", "in", "--min-confidence", 0.8).code == 1
        assert Path("matte/doubtful.txt").exists()

    def test_a_list_of_others_is_not_replaced(self, run):
        Path("matte").mkdir()
        Path("matte/doubtful.txt").write_text("my notes\n")
        outcome = run("matte", "in", "--min-confidence", 0.8)
        assert outcome.code == 2 and "matte/doubtful.txt exists" in outcome.err
        assert Path("matte/doubtful.txt").read_text() == "my notes\n"

    def test_come_first_on_the_page(self, run):
        run("matte", "in", "--preview-html", "page.html")
        names = re.findall(r"<b>(.*?)</b><span>.*?confidence (.*?)</span>", Path("page.html").read_text())
        assert [name for name, _ in names] == ["in/doubtful.png", "in/clear.png"] and names[0][1] < names[1][1]


class TestItIsNotKnown:
    def test_where_a_hint_tells_what_the_object_is(self, run):
        outcome = run("matte", "in", "--mask", "in/clear.png", "--min-confidence", 1, "--json")
        items, summary = records(outcome)
        assert outcome.code == 0 and summary["doubtful"] == 0
        assert all(item["confidence"] is None for item in items.values())
        assert "--min-confidence does nothing here" in outcome.err

    def test_of_weights_that_were_not_calibrated(self, run, tmp_path):
        other = write_sure_weights(tmp_path / "other", calibrated=False)
        items, _ = records(run("matte", "in", "--json", model=other))
        assert all(item["confidence"] is None for item in items.values())
