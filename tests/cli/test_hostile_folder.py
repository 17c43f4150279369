"""A folder of hostile files, with good ones among them, through the command: every one has its record."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hostile import write_corpus
from hostile.bases import good_files

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parent.parent.parent
PROGRAM = "from omnialpha_cli.cli.main import main; main()"
MEMORY, SECONDS = 16 << 30, 120  # of addresses, and of one core for all
MESSAGES = ("unreadable", "unsupported", "too-small", "too-large", "missing", "empty")


def limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))


def run_over(folder: Path, weights: Path) -> None:
    """Write the files, run the command over them, and leave what it said, and which files were which."""
    (folder / "in").mkdir()
    hostile = write_corpus(folder / "in")
    good = []
    for i, (name, content) in enumerate(good_files().items()):
        # among the others by their names; the stem has the suffix, because only it tells some of them apart
        path = folder / "in" / f"{'abdegjmnpstvwz'[i % 14]}-good-{i}.{name.rpartition('.')[2]}"
        path.write_bytes(content)
        good.append(path)
    command = [sys.executable, "-c", PROGRAM, "matte", "in", "-o", "out", "--model", weights, "--device", "cpu",
               "--json", "--max-pixels", "30", "--compression", "none"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=folder, env=environment, preexec_fn=limit, capture_output=True, check=False)
    # a walk takes neither the folder nor what has no picture's name
    walked = [p.name for p in hostile if p.name not in ("a-folder.png", "link-to-a-folder.png")]
    left = {"hostile": walked, "good": [p.name for p in good], "code": done.returncode,
            "out": done.stdout.decode(), "err": done.stderr.decode(errors="replace")}  # fmt: skip
    (folder / "left.json").write_text(json.dumps(left))


@pytest.fixture(scope="module")
def run(once, tiny_weights):
    """Names of the hostile and of the good files, the records by name, the exit code and standard error."""
    folder = once("hostile-folder", lambda folder: run_over(folder, tiny_weights))
    left = json.loads((folder / "left.json").read_text())
    records = [json.loads(line) for line in left["out"].splitlines()]
    items = {Path(record["inputs"][0]).name: record for record in records if record["event"] == "item"}
    return left["hostile"], [folder / "in" / name for name in left["good"]], items, left["code"], left["err"]


def test_the_run_comes_to_its_end(run):
    hostile, _, items, code, err = run
    missing = [name for name in hostile if name not in items]
    assert code == 1, f"{err[-2000:]!r}, without a record: {missing}"
    assert missing == []


def test_every_failure_is_one_clear_error(run):
    _, _, items, *_ = run
    failed = [record for record in items.values() if record["status"] == "failed"]
    assert len(failed) > 400
    assert [record for record in failed if record["error"]["code"] not in MESSAGES] == []
    assert [record for record in failed if not record["error"]["message"].isprintable()] == []


def test_no_good_picture_is_lost(run):
    _, good, items, *_ = run
    assert [items[path.name] for path in good if items[path.name]["status"] != "done"] == []
    results = [good[0].parent.parent / path for file in good for path in items[file.name]["outputs"]]
    assert len(results) == len(good)
    assert all(result.stat().st_size > 100 for result in results)


def test_standard_error_has_nothing_of_python(run):
    *_, text = run
    assert "Traceback" not in text
    assert "Warning" not in text
