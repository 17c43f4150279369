"""`--preview` and `--preview-html` from the command line: where they are, what they show, and doing it again."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
from PIL import Image as PILImage

from omnialpha_cli.cli import previews
from omnialpha_cli.inputs import find_inputs
from omnialpha_cli.lab.evaluate.folders import find_files

COMMANDS = {
    "matte": ["photos"],
    "remove": ["photos"],
    "decompose": ["photos"],
    "generate": ["a red cat"],
    "complete": ["photos", "--given", "background", "--want", "foreground", "--prompt", "a cat"],
}


@pytest.fixture
def photos(picture, tmp_path) -> list[Path]:
    return [picture(tmp_path / "photos" / f"{i}.jpg", size=(96, 64), seed=i) for i in range(2)]


def sheets(output: str) -> list[str]:
    folder = Path(output, ".omnialpha", "previews")
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def pictures(page: str) -> list[dict]:
    """The blocks of pictures of a page."""
    text = Path(page).read_text(encoding="utf-8")
    blocks = re.findall(r'<script type="application/json" id="p\d+">(.*?)</script>', text)
    return [json.loads(block) for block in blocks]


def rows(page: str) -> list[tuple[str, str, str]]:
    """Status, name and note of every item of a page, in order, still escaped."""
    text = Path(page).read_text(encoding="utf-8")
    return re.findall(r"<i>(.*?)</i><b>(.*?)</b><span>(.*?)</span></button>", text, re.DOTALL)


class TestSheets:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_that_makes_pictures_draws_one_a_result(self, run, photos, command):
        outcome = run(command, *COMMANDS[command], "-o", "out", "--preview", "--json")
        items = [json.loads(line) for line in outcome.lines][:-1]
        assert outcome.code == 0 and len(sheets("out")) == len(items)
        for name in sheets("out"):
            with PILImage.open(Path("out/.omnialpha/previews", name)) as image:
                assert image.format == "JPEG" and max(image.size) <= 5 * 520 + 8

    def test_they_lie_beside_the_journal_by_the_names_of_the_results(self, run, picture):
        picture(Path("photos/a/x.jpg"))
        outcome = run("matte", "photos", "-r", "-o", "out", "--preview")
        assert sheets("out") == ["a/x.png.jpg"]
        assert outcome.lines == ["out/a/x.png"] and "previews in out/.omnialpha/previews" in outcome.err

    def test_a_folder_of_layers_has_one(self, run, photos):
        run("decompose", photos[0], "-o", "out", "--preview")
        assert sheets("out") == ["0.jpg"]

    @pytest.mark.parametrize("format", ["png", "tiff", "tiff-pages", "exr", "ora", "psd", "webp"])
    @pytest.mark.parametrize("command", ["matte", "decompose"])
    def test_they_are_drawn_for_every_format(self, run, photos, command, format):
        outcome = run(command, photos[0], "-o", "out", "--format", format, "--preview", "--preview-html", "p.html")
        assert outcome.code == 0 and "missing" not in outcome.err
        assert len(sheets("out")) == 1
        titles = [view["title"] for view in pictures("p.html")[0]["views"]]
        assert titles == {"matte": ["foreground"], "decompose": ["composite", "background", "foreground"]}[command]

    def test_the_alpha_alone_is_shown_beside_its_source(self, run, photos):
        run("matte", photos[0], "-o", "out", "--alpha-only", "--preview")
        with PILImage.open("out/.omnialpha/previews/0.png.jpg") as image:
            assert image.size == (2 * 96 + 3 * 8, 64 + 2 * 8)

    def test_they_are_no_inputs(self, run, photos):
        run("matte", "photos", "-o", "out", "--preview")
        for name in ("out", "out/**/*", "out/*"):
            found = find_inputs([name], output=Path("elsewhere"), recursive=True)
            assert [source.path.name for source in found.sources] == ["0.png", "1.png"]
        assert sorted(name for name, _ in find_files(Path("out"), ("",))) == ["0", "1"]

    def test_a_dry_run_draws_nothing(self, run, photos):
        assert run("matte", "photos", "-o", "out", "--preview", "--preview-html", "p.html", "--dry-run").code == 0
        assert not Path("out").exists() and not Path("p.html").exists()

    @pytest.mark.parametrize("devices", [[], pytest.param(["--devices", "cpu:1"], marks=pytest.mark.slow)])
    def test_other_processes_results_have_them_too(self, run, photos, devices):
        assert run("matte", "photos", "-o", "out", "--preview", *devices).code == 0
        assert sheets("out") == ["0.png.jpg", "1.png.jpg"]

    def test_one_that_cannot_be_written_is_a_warning(self, run, photos):
        Path("out/.omnialpha").mkdir(parents=True)
        Path("out/.omnialpha/previews").write_bytes(b"")
        outcome = run("matte", "photos", "-o", "out", "--preview")
        assert outcome.code == 0 and len(outcome.lines) == 2
        assert outcome.err.count("warning: a preview is missing: ") == 1 and "(and 1 more)" in outcome.err


class TestAgain:
    def test_what_is_done_gets_the_sheet_it_has_not(self, run, photos):
        run("matte", "photos", "-o", "out")
        assert sheets("out") == []
        outcome = run("matte", "photos", "-o", "out", "--preview", "--json")
        assert [json.loads(line)["status"] for line in outcome.lines[:2]] == ["skipped", "skipped"]
        assert sheets("out") == ["0.png.jpg", "1.png.jpg"]

    def test_a_sheet_that_is_there_stays(self, run, photos):
        run("matte", "photos", "-o", "out", "--preview")
        sheet = Path("out/.omnialpha/previews/0.png.jpg")
        before = sheet.stat().st_mtime_ns
        run("matte", "photos", "-o", "out", "--preview")
        assert sheet.stat().st_mtime_ns == before

    @pytest.mark.slow
    def test_a_result_made_again_has_no_old_sheet(self, run, photos):
        run("matte", "photos", "-o", "out", "--preview")
        run("matte", "photos", "-o", "out", "--seed", "1", "--overwrite")
        assert sheets("out") == []

    def test_a_result_made_again_has_a_new_sheet(self, run, photos):
        run("remove", "photos", "-o", "out", "--preview")
        before = Path("out/.omnialpha/previews/0.png.jpg").read_bytes()
        run("remove", "photos", "-o", "out", "--preview", "--steps", "3", "--overwrite")
        assert Path("out/.omnialpha/previews/0.png.jpg").read_bytes() != before

    def test_a_sheet_older_than_its_result_is_drawn_again(self, run, photos):
        run("matte", "photos", "-o", "out", "--preview")
        sheet = Path("out/.omnialpha/previews/0.png.jpg")
        sheet.write_bytes(b"old")
        os.utime(sheet, (0, 0))
        run("matte", "photos", "-o", "out", "--preview")
        assert PILImage.open(sheet).format == "JPEG"

    def test_a_stopped_run_leaves_them_to_the_next(self, run, photos, monkeypatch):
        add, signals = previews.Previews.add, [signal.SIGINT]

        def stopped(self, result):
            if signals:
                os.kill(os.getpid(), signals.pop())
            add(self, result)

        with monkeypatch.context() as patch:
            patch.setattr(previews.Previews, "add", stopped)
            outcome = run("matte", "photos", "-o", "out", "--preview", "--preview-html", "p.html")
        assert outcome.code == 130 and sheets("out") == [] and pictures("p.html") == []
        assert {status for status, *_ in rows("p.html")} == {"done"}
        run("matte", "photos", "-o", "out", "--preview")
        assert sheets("out") == ["0.png.jpg", "1.png.jpg"]


class TestPage:
    def test_it_has_every_item_failures_first(self, run, photos):
        run("matte", photos[0], "-o", "out")
        Path("photos/2.jpg").write_bytes(b"no picture")
        outcome = run("matte", "photos", "-o", "out", "--preview-html", "p.html")
        assert outcome.code == 1
        assert [row[:2] for row in rows("p.html")] == [
            ("failed", "photos/2.jpg"), ("done", "photos/1.jpg"), ("skipped", "photos/0.jpg"),
        ]  # fmt: skip
        assert "photos/2.jpg is not an image" in rows("p.html")[0][2] and rows("p.html")[1][2] == "out/1.png"
        assert len(pictures("p.html")) == 2 and sheets("out") == []

    def test_it_has_the_pictures_themselves(self, run, photos):
        run("matte", photos[0], "-o", "out", "--preview-html", "p.html")
        (block,) = pictures("p.html")
        assert (block["width"], block["height"]) == (96, 64)
        assert block["before"].startswith("data:image/jpeg;base64,")
        assert re.match(r"data:image/(webp|jpeg);base64,", block["views"][0]["image"])
        assert "//" not in re.sub(r"base64,[\w+/=]+", "", Path("p.html").read_text())  # no address

    def test_words_have_no_before(self, run):
        run("generate", 'a <b> "cat"\nof glass', "-o", "out", "--preview-html", "p.html")
        assert pictures("p.html")[0]["before"] is None
        assert rows("p.html")[0][1] == "a &lt;b&gt; &quot;cat&quot;\\nof glass"

    @pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
    @pytest.mark.parametrize("name", [b"<script>alert(1)<\\script>.jpg", b"new\nline.jpg", b"\xff.jpg", b"'\"&.jpg"])
    def test_names_are_text(self, run, photos, name):
        photos[0].rename(os.fsdecode(b"photos/" + name))
        assert run("matte", "photos", "-o", "out", "--preview", "--preview-html", "p.html").code == 0
        shown = {row[1] for row in rows("p.html")}
        assert len(shown) == 2 and all("<" not in text and "\n" not in text and '"' not in text for text in shown)
        assert len(sheets("out")) == 2

    def test_only_the_first_have_pictures_and_the_page_says_so(self, run, photos, monkeypatch):
        monkeypatch.setattr(previews, "PICTURED", 1)
        run("matte", "photos", "-o", "out", "--preview-html", "p.html")
        assert len(pictures("p.html")) == 1 and len(rows("p.html")) == 2
        assert "2 done, with the pictures of 1" in Path("p.html").read_text()

    def test_it_can_lie_in_the_output_folder(self, run, photos):
        assert run("matte", "photos", "-o", "out", "--preview-html", "out/index.html").code == 0
        assert sorted(path.name for path in Path("out").iterdir()) == [".omnialpha", "0.png", "1.png", "index.html"]

    @pytest.mark.parametrize("name", ["photos/0.jpg", "page", "folder.html"])
    def test_a_name_that_is_no_pages_is_refused(self, run, photos, name):
        Path("folder.html").mkdir()
        outcome = run("matte", "photos", "-o", "out", "--preview-html", name)
        assert outcome.code == 2 and f"--preview-html {name}" in outcome.err and not Path("out").exists()
        assert PILImage.open("photos/0.jpg").size == (96, 64)

    def test_a_place_that_cannot_be_written_is_refused_before_work(self, run, photos):
        Path("file").write_bytes(b"")
        outcome = run("matte", "photos", "-o", "out", "--preview-html", "file/p.html")
        assert outcome.code == 2 and "file/p.html" in outcome.err and not Path("out").exists()

    def test_a_page_of_a_run_that_makes_nothing_more(self, run, photos):
        run("matte", "photos", "-o", "out")
        run("matte", "photos", "-o", "out", "--preview-html", "p.html")
        assert [status for status, *_ in rows("p.html")] == ["skipped", "skipped"] and len(pictures("p.html")) == 2


def test_pixels_and_settings_do_not_know_of_previews(run, photos):
    run("matte", "photos", "-o", "a")
    run("matte", "photos", "-o", "b", "--preview", "--preview-html", "p.html")
    for name in ("0.png", "1.png"):
        assert Path("a", name).read_bytes() == Path("b", name).read_bytes()
    lines = [Path(folder, ".omnialpha/0-of-1.jsonl").read_text().splitlines() for folder in "ab"]
    settings = [json.loads(first)["settings"] for first, *_ in lines]
    assert settings[0] == settings[1]
