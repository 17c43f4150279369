"""Options that name a file to be written: whatever stands there and is not their own stays as it is."""

import json
import os
from pathlib import Path

import pytest
from PIL import Image as PILImage


@pytest.fixture
def photos(picture, tmp_path):
    return [picture(tmp_path / "photos" / f"{i}.jpg", seed=i) for i in range(2)]


def contents() -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in Path().rglob("*") if path.is_file()}


@pytest.fixture
def refused(run, photos):
    """Runs a command that has to refuse the last argument, and to leave every file as it was."""

    def check(*arguments: object, because: str, command: str = "matte") -> None:
        for more in ((), ("--dry-run",), ("--overwrite",)):
            before = contents()
            outcome = run(command, *arguments, *more)
            assert outcome.code == 2, (arguments, outcome.err)
            assert because in outcome.err and str(arguments[-1]) in outcome.err and outcome.err.count("\n") == 1
            assert contents() == before

    return check


class TestRefused:
    def test_an_input_by_any_name(self, refused, photos):
        Path("link.ndjson").symlink_to("photos/0.jpg")
        Path("folder").symlink_to("photos")
        Path("hard.ndjson").hardlink_to("photos/0.jpg")
        for name in ("photos/0.jpg", photos[0], "photos/../photos/0.jpg", "link.ndjson", "folder/0.jpg", "hard.ndjson"):
            refused("photos", "-o", "out", "--report", name, because="would overwrite the input")

    def test_an_empty_input(self, refused):
        Path("photos/empty.jpg").write_bytes(b"")
        refused("photos", "-o", "out", "--report", "photos/empty.jpg", because="would overwrite the input")

    def test_a_page_that_would_replace_a_link_to_an_input(self, refused):
        Path("page.html").symlink_to("photos/0.jpg")
        refused("photos", "-o", "out", "--preview-html", "page.html", because="would overwrite the input")

    @pytest.mark.parametrize(("command", "option"), [("matte", "--trimap"), ("remove", "--mask")])
    def test_a_hint(self, refused, picture, command, option):
        picture(Path("hints/0.png"))
        Path("same.ndjson").hardlink_to("hints/0.png")
        arguments = ("photos/0.jpg", option, "hints", "-o", "out", "--report")
        refused(*arguments, "hints/0.png", because="would overwrite the input", command=command)
        refused(*arguments, "same.ndjson", because="would overwrite the input", command=command)

    def test_the_list_of_names(self, refused):
        Path("list.txt").write_text("photos/0.jpg\n")
        refused("--files-from", "list.txt", "-o", "out", "--report", "list.txt", because="would overwrite the input")

    def test_the_list_of_prompts(self, refused):
        Path("words.html").write_text("a feather\n")
        arguments = ("--from", "words.html", "-o", "out", "--preview-html", "words.html")
        refused(*arguments, because="would overwrite the input", command="generate")

    @pytest.mark.parametrize("name", ["out/0.png", "out/0.PNG", "out/../out/0.png", "out/0.png/report", "out"])
    def test_a_result_that_is_not_there_yet(self, refused, name):
        refused("photos", "-o", "out", "--report", name, because="is in the way of the result out/")

    def test_a_result_that_is_there(self, refused, run):
        assert run("matte", "photos", "-o", "out").code == 0
        Path("other").symlink_to("out")
        Path("hard").hardlink_to("out/1.png")
        for name in ("out/0.png", "other/0.png", "hard"):
            refused("photos", "-o", "out", "--report", name, because="is in the way of the result out/")

    def test_a_layer_and_its_manifest(self, refused):
        for name in ("out/0/00_background.png", "out/0/layers.json", "out/0"):
            refused("photos", "-o", "out", "--report", name, because="in the way of the result", command="decompose")

    def test_a_share_of_another_machine(self, refused):
        for share in ("0/2", "1/2"):
            for name in ("photos/0.jpg", "photos/1.jpg"):
                refused("photos", "-o", "out", "--shard", share, "--report", name, because="would overwrite the input")

    def test_the_state_of_runs(self, refused, run):
        assert run("matte", "photos", "-o", "out").code == 0
        for name in ("out/.omnialpha/0-of-1.jsonl", "out/.omnialpha/new"):
            refused("photos", "-o", "out", "--report", name, because="holds the state of runs")

    def test_one_file_for_both(self, refused):
        refused("photos", "-o", "out", "--report", "a.html", "--preview-html", "a.html", because="is named twice")

    @pytest.mark.parametrize(
        "content",
        [
            b"notes",
            b"\0\1",
            b"\n",
            b'{"schema": "omnialpha/1", "event": "eval.matting.item"}\n',
            b'{"schema": "other/1", "event": "item"}\n',
        ],
    )
    def test_a_report_over_what_is_none(self, refused, content):
        Path("mine").write_bytes(content)
        Path("link").symlink_to("mine")
        for name in ("mine", "link"):
            refused("photos", "-o", "out", "--report", name, because="exists, and is no report")

    def test_a_page_over_what_is_none(self, refused):
        Path("mine.html").write_text("<!doctype html><title>My notes on omnialpha</title>")
        refused("photos", "-o", "out", "--preview-html", "mine.html", because="exists, and is no page")

    def test_the_weights(self, refused, tiny_weights):
        refused("photos", "-o", "out", "--report", tiny_weights / "config.json", because="exists, and is no report")


class TestPermitted:
    def test_their_own_of_an_earlier_run(self, run, photos):
        for more in ((), (), ("--dry-run",), (), ("--overwrite", "--seed", "1")):
            outcome = run("matte", "photos", "-o", "out", "--report", "r", "--preview-html", "p.html", *more)
            assert outcome.code == 0, outcome.err
            assert json.loads(Path("r").read_text().splitlines()[-1])["event"] == "summary"

    def test_an_empty_file_a_new_one_and_a_device(self, run, photos):
        Path("empty").touch()
        Path("empty.html").touch()
        for name in ("empty", "new", "out-report", os.devnull):
            assert run("matte", "photos", "-o", "out", "--report", name, "--preview-html", "empty.html").code == 0

    def test_a_report_that_was_cut_off(self, run, photos):
        run("matte", "photos", "-o", "out", "--report", "r")
        Path("r").write_bytes(Path("r").read_bytes()[:60])
        assert run("matte", "photos", "-o", "out", "--report", "r").code == 0

    def test_beside_results_and_among_layers(self, run, photos):
        assert run("decompose", "photos", "-o", "out").code == 0
        assert run("decompose", "photos", "-o", "out", "--report", "out/report").code == 0
        assert run("decompose", "photos", "-o", "out", "--report", "out/0/report").code == 0


@pytest.mark.slow
def test_pages_and_sheets_of_eval(omnialpha, picture, tmp_path):
    for folder in ("made", "true"):
        picture(tmp_path / folder / "a.png")
    arguments = ("eval", "matting", "--predictions", tmp_path / "made", "--truth", tmp_path / "true")
    compared = ("eval", "compare", tmp_path / "made", tmp_path / "made", "--truth", tmp_path / "true")
    asked = ("eval", "preference", tmp_path / "made", tmp_path / "true")
    written = [(arguments, "--report", "r.html"), (arguments, "--worst", "w.png"), (compared, "--report", "c.html"),
               (asked, "--page", "p.html")]  # fmt: skip
    for command, option, name in written:
        path = tmp_path / name
        for _ in range(2):
            assert omnialpha(*command, option, path).code == 0
            assert path.stat().st_size
    for command, option, _ in written:
        for name in ("true/a.png", "r.html" if option == "--page" else "p.html"):
            before = (tmp_path / name).read_bytes()
            outcome = omnialpha(*command, option, tmp_path / name)
            assert outcome.code == 2 and (option == "--worst" or "exists, and is no" in outcome.err)
            assert (tmp_path / name).read_bytes() == before


def test_the_sheet_of_triplets(omnialpha, tmp_path, monkeypatch):
    monkeypatch.setattr("omnialpha_cli.lab.data.sheet.Shards", lambda path: [])
    mine = tmp_path / "mine.jpg"
    PILImage.new("RGB", (8, 8)).save(mine)
    before = mine.read_bytes()
    outcome = omnialpha("data", "show", tmp_path, "-o", mine)
    assert outcome.code == 2 and "exists, and is no sheet" in outcome.err and mine.read_bytes() == before
