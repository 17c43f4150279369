"""`omnialpha matte` from the command line to the files: streams, exit codes, and running it again."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from documented import FIELDS
from PIL import Image as PILImage

import omnialpha_cli


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def photos(picture) -> list[Path]:
    return [picture(Path("photos") / f"{i}.jpg", seed=i) for i in range(3)]


@pytest.fixture
def matte(omnialpha, tiny_weights):
    return lambda *arguments, **more: omnialpha("matte", *arguments, "--model", tiny_weights, **more)


def records(outcome) -> list[dict]:
    return [json.loads(line) for line in outcome.lines]


class TestResults:
    def test_a_folder_of_photographs_becomes_rgba_of_the_same_size(self, matte, photos):
        outcome = matte("photos", "-o", "out")
        assert outcome.code == 0
        assert sorted(outcome.lines) == ["out/0.png", "out/1.png", "out/2.png"]
        for line in outcome.lines:
            assert PILImage.open(line).mode == "RGBA" and PILImage.open(line).size == (48, 32)

    def test_the_default_folder_is_named_after_the_command(self, matte, photos):
        assert matte(photos[0]).lines == ["matte/0.png"]

    @pytest.mark.slow
    def test_alpha_only_is_the_alpha_of_the_cut_out(self, matte, photos):
        matte("photos", "-o", "out")
        matte("photos", "-o", "alpha", "--alpha-only")
        alpha = np.asarray(PILImage.open("alpha/0.png"))
        assert (alpha == np.asarray(PILImage.open("out/0.png"))[..., 3]).all()

    @pytest.mark.slow
    def test_the_commands_result_is_that_of_python(self, matte, photos, tiny_weights):
        from omnialpha_cli import OmniAlpha

        matte("photos", "-o", "out", "--seed", "5", "--batch-size", "3")
        model = OmniAlpha.load(tiny_weights, device="cpu")
        for photo in photos:
            made = np.asarray(PILImage.open(f"out/{photo.stem}.png")).astype(int)
            assert np.abs(model.matte(photo, seed=5).astype(int) - made).max() <= 1

    @pytest.mark.parametrize("option", ["--seed=1", "--steps=3", "--canvas=128", "--guidance=3"])
    def test_settings_reach_the_model(self, matte, photos, option):
        def pixels(name, *options):
            assert matte(photos[0], "-o", name, *options).code == 0
            return np.asarray(PILImage.open(f"{name}/0.png"))

        assert (pixels("a", option) != pixels("b")).any()

    def test_names_come_from_a_list_on_standard_input(self, matte, photos):
        assert matte("--files-from", "-", "-o", "out", stdin=b"photos/1.jpg\n").lines == ["out/1.png"]
        names = b"photos/0.jpg\0photos/2.jpg\0"
        assert sorted(matte("--files-from", "-", "-0", "-o", "o2", stdin=names).lines) == ["o2/0.png", "o2/2.png"]

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
    @pytest.mark.parametrize("name", [b"new\nline.jpg", b"{stem}.jpg", b"with space.jpg"])
    def test_unusual_names_come_out_as_they_went_in(self, matte, photos, name):
        photos[0].rename(os.fsdecode(b"photos/" + name))
        outcome = matte("--files-from", "-", "-0", "-o", "out", stdin=b"photos/" + name)
        assert os.fsencode(outcome.out) == b"out/" + name[:-4] + b".png\n"
        assert Path(os.fsdecode(b"out/" + name[:-4] + b".png")).exists()


class TestFaults:
    def test_bad_files_are_failed_items_and_the_others_are_written(self, matte, photos):
        Path("photos/empty.png").write_bytes(b"")
        Path("photos/text.jpg").write_text("not a picture")
        Path("photos/cut.jpg").write_bytes(photos[0].read_bytes()[:200])
        outcome = matte("photos", "photos/gone.jpg", "-o", "out")
        assert outcome.code == 1
        assert sorted(outcome.lines) == ["out/0.png", "out/1.png", "out/2.png"]
        for name in ("empty.png", "text.jpg", "cut.jpg", "gone.jpg"):
            assert any(line.startswith("failed: ") and name in line for line in outcome.err.splitlines()), name
        assert outcome.err.splitlines()[-1].startswith("3 done, 4 failed in ")

    @pytest.mark.parametrize(
        ("arguments", "code", "message"),
        [
            ((), 2, "no inputs: give files"),
            (("*.jpg",), 3, "no file matches *.jpg"),
            (("--files-from", "gone.txt"), 2, "--files-from gone.txt: No such file"),
            (("photos", "--batch-size", "0"), 2, "--batch-size 0: give auto"),
            (("photos", "--name", "../{stem}"), 2, "outside the output folder"),
            (("photos", "--report", "no/such/folder"), 2, "--report no/such/folder: No such file or directory; make"),
            (("photos", "--device", "nowhere"), 5, "no device is called nowhere"),
            (("photos", "--device", "cuda:99"), 5, "cuda:99"),
        ],
    )
    def test_what_cannot_be_done_at_all_is_one_line_and_an_exit_code(self, matte, photos, arguments, code, message):
        outcome = matte(*arguments)
        assert (outcome.code, outcome.out) == (code, "")
        assert outcome.err.startswith("omnialpha: ") and message in outcome.err and outcome.err.count("\n") == 1

    def test_unknown_weights_are_exit_4(self, omnialpha, photos):
        outcome = omnialpha("matte", "photos", "--model", "unheard-of")
        assert outcome.code == 4 and "unheard-of" in outcome.err

    def test_weights_that_do_not_load_are_exit_4(self, omnialpha, photos, tiny_weights, tmp_path):
        (tmp_path / "w").mkdir()
        for file in tiny_weights.iterdir():
            kept = 1000 if file.suffix == ".safetensors" else None
            (tmp_path / "w" / file.name).write_bytes(file.read_bytes()[:kept])
        outcome = omnialpha("matte", "photos", "--model", "w")
        assert outcome.code == 4 and "do not load" in outcome.err

    def test_an_untrained_task_is_refused_with_the_trained_ones(self, omnialpha, photos, tiny_weights, tmp_path):
        (tmp_path / "w").mkdir()
        for file in tiny_weights.iterdir():
            (tmp_path / "w" / file.name).write_bytes(file.read_bytes())
        config = json.loads(Path("w/config.json").read_text())
        Path("w/config.json").write_text(json.dumps({**config, "tasks": ["generate.scene"]}))
        outcome = omnialpha("matte", "photos", "--model", "w")
        assert outcome.code == 2 and "trained on generate, not on matte.auto" in outcome.err
        assert "--untrained" in outcome.err
        assert omnialpha("matte", "photos", "--model", "w", "--untrained").code == 0

    @pytest.mark.parametrize("options", [["--fail-fast"], ["--max-failures", "1"]])
    def test_too_many_failures_stop_the_run(self, matte, photos, options):
        gone = [f"gone{i}.jpg" for i in range(3)]
        outcome = matte(*gone, "photos/0.jpg", "-o", "out", "--json", *options)
        summary = records(outcome)[-1]
        assert outcome.code == 1 and summary["failed"] >= 1
        assert summary["done"] + summary["failed"] + summary["unfinished"] == 4


class TestRecords:
    def test_json_has_a_record_an_item_and_a_summary(self, matte, photos):
        Path("photos/bad.jpg").write_bytes(b"")
        outcome = matte("photos", "-o", "out", "--json", "--seed", "9", "--report", "report.ndjson")
        *items, summary = records(outcome)
        assert {tuple(item["inputs"]) for item in items} == {(f"photos/{name}.jpg",) for name in ("0", "1", "2", "bad")}
        done = next(item for item in items if item["status"] == "done")
        assert done["schema"] == "omnialpha/1" and done["event"] == "item" and done["seed"] == 9
        assert done["task"] == "matte.auto" and done["seconds"] > 0 and done["error"] is None
        failed = next(item for item in items if item["status"] == "failed")
        assert failed["error"]["code"] == "unreadable" and "bad.jpg" in failed["error"]["message"]
        assert (summary["done"], summary["skipped"], summary["failed"], summary["exit"]) == (3, 0, 1, 1)
        assert Path("report.ndjson").read_text() == outcome.out

    @pytest.mark.parametrize("options", [[], ["--dry-run"]])
    def test_every_field_is_documented(self, matte, photos, options):
        for record in records(matte("photos", "-o", "out", "--json", *options)):
            assert record.keys() == {"schema", "event", *FIELDS[record["event"]]}

    def test_quiet_leaves_failures_only(self, matte, photos):
        assert matte("photos/0.jpg", "-o", "out", "-q").err == ""
        assert (
            matte("photos/0.jpg", "gone.jpg", "-o", "out", "-q").err
            == "failed: gone.jpg does not exist: check its name\n"
        )

    def test_verbose_says_where_and_how(self, matte, photos):
        told = matte("photos", "-o", "out", "-v").err
        assert "on cpu in float32" in told and "threads: " in told and "batches of " in told and "busy: read " in told

    def test_an_environment_variable_stands_for_an_option(self, matte, photos, monkeypatch):
        monkeypatch.setenv("OMNIALPHA_OUTPUT", "from-env")
        monkeypatch.setenv("OMNIALPHA_ALPHA_ONLY", "1")
        assert matte(photos[0]).lines == ["from-env/0.png"]
        assert PILImage.open("from-env/0.png").mode == "L"


class TestAgain:
    def test_what_is_done_is_skipped_and_still_listed(self, matte, photos):
        first = matte("photos", "-o", "out")
        again = matte("photos", "-o", "out", "--json")
        assert [record["status"] for record in records(again)[:-1]] == ["skipped"] * 3
        assert sorted(matte("photos", "-o", "out").lines) == sorted(first.lines)

    def test_only_what_is_missing_is_made(self, matte, photos):
        matte("photos", "-o", "out")
        before = Path("out/0.png").stat().st_mtime_ns
        Path("out/1.png").unlink()
        assert matte("photos", "-o", "out").err.splitlines()[-1].startswith("1 done, 2 skipped in ")
        assert Path("out/0.png").stat().st_mtime_ns == before

    @pytest.mark.slow
    def test_other_settings_are_refused_and_named(self, matte, photos):
        matte("photos", "-o", "out")
        outcome = matte("photos", "-o", "out", "--seed", "3")
        assert outcome.code == 2 and "out/0.png was made with seed 0 (now 3)" in outcome.err
        assert matte("photos", "-o", "out", "--seed", "3", "--overwrite").code == 0

    def test_the_weights_own_default_is_the_same_setting(self, matte, photos):
        matte("photos", "-o", "out")
        assert "3 skipped" in matte("photos", "-o", "out", "--steps", "1", "--batch-size", "2").err

    def test_a_foreign_file_is_not_touched(self, matte, photos):
        Path("out").mkdir()
        Path("out/1.png").write_text("mine")
        assert matte("photos", "-o", "out").code == 2
        assert Path("out/1.png").read_text() == "mine" and not Path("out/0.png").exists()

    def test_a_dry_run_tells_what_a_run_would_do_and_does_nothing(self, matte, photos):
        matte("photos/0.jpg", "-o", "out")
        before = sorted(Path("out").rglob("*"))
        outcome = matte("photos", "photos/gone.jpg", "-o", "out", "--dry-run", "--json")
        actions = {record["inputs"][0]: record["action"] for record in records(outcome)[:-1]}
        assert actions == {
            "photos/0.jpg": "skip", "photos/1.jpg": "make", "photos/2.jpg": "make", "photos/gone.jpg": "fail",
        }  # fmt: skip
        assert outcome.code == 1
        assert sorted(Path("out").rglob("*")) == before

    def test_a_dry_run_of_a_new_folder_does_not_make_it(self, matte, photos):
        assert matte("photos", "-o", "out", "--dry-run").lines == ["out/0.png", "out/1.png", "out/2.png"]
        assert not Path("out").exists()


PROGRAM = [sys.executable, "-m", "omnialpha_cli.cli.main"]
TREE = str(Path(omnialpha_cli.__file__).parents[1])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize(
    ("number", "code", "more"),
    [(signal.SIGINT, 130, []), (signal.SIGTERM, 143, []), (signal.SIGINT, 130, ["--devices", "cpu:2"])],
)
def test_a_signal_ends_the_run_after_the_batch_in_hand(picture, tiny_weights, number, code, more):
    for i in range(40):
        picture(Path("photos") / f"{i:02}.png", size=(400, 300), seed=i)
    command = [*PROGRAM, "matte", "photos", "-o", "out", "--model", str(tiny_weights), "--json"]
    command += ["--batch-size", "1", *more]
    environment = {**os.environ, "PYTHONPATH": TREE}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout and process.stderr
        first = json.loads(process.stdout.readline())
        process.send_signal(number)
        rest = [json.loads(line) for line in process.stdout]
        told = process.stderr.read()
    assert process.returncode == code
    *items, summary = [first, *rest]
    assert all(item["status"] == "done" and Path(item["outputs"][0]).exists() for item in items)
    assert summary["event"] == "summary" and summary["exit"] == code and summary["unfinished"] > 0
    assert "stopping; once more to stop at once" in told
    assert len(list(Path("out").glob("*.png"))) == len(items)
    assert not list(Path("out").glob(".*.png"))
