"""`--watch`: what comes into a folder is made once it is whole, until a signal, which is the normal end."""

import json
import shutil
import signal
from pathlib import Path

import pytest

from omnialpha_cli.cli import watch
from omnialpha_cli.cli.console import Console
from omnialpha_cli.cli.watch import REST_SECONDS, is_settled
from omnialpha_cli.files import Stamp


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(watch, "REST_SECONDS", 0)
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.01)


@pytest.fixture
def watching(run, monkeypatch, quick):
    """`watching(steps, *arguments)` runs `matte --watch`; the next step follows each result, a signal the last."""

    def begin(steps, *arguments, signal_number=signal.SIGTERM):
        todo = list(steps)
        report = Console.item

        def item(self, result):
            report(self, result)
            if todo:
                todo.pop(0)()
            else:
                signal.raise_signal(signal_number)

        monkeypatch.setattr(Console, "item", item)
        outcome = run("matte", "in", "--watch", "-o", "out", "--json", *arguments)
        assert not todo
        return outcome

    return begin


@pytest.fixture
def arrive(picture):
    """Puts a whole picture into place at once: a watcher without a rest may look while a file is written."""

    def put(path: Path, **more) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        return picture(Path(f"new{path.suffix}"), **more).replace(path)

    return put


def told(outcome) -> list[tuple[str, str]]:
    items = [json.loads(line) for line in outcome.lines]
    return [(item["status"], item["inputs"][0]) for item in items if item["event"] == "item"]


@pytest.mark.slow
def test_new_and_changed_files_are_made_by_one_run(watching, picture, arrive):
    picture(Path("in/a.png"))
    outcome = watching(
        [lambda: arrive(Path("in/deep/b.png"), seed=1), lambda: arrive(Path("in/a.png"), seed=2)], "--recursive"
    )
    assert told(outcome) == [("done", "in/a.png"), ("done", "in/deep/b.png"), ("done", "in/a.png")], outcome.err
    summary = json.loads(outcome.lines[-1])
    assert (outcome.code, summary["exit"], summary["done"], summary["unfinished"]) == (0, 0, 3, 0)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_with_1_where_an_item_failed(watching, arrive, number):
    Path("in").mkdir()
    Path("in/a.png").write_text("no picture")
    outcome = watching([lambda: arrive(Path("in/b.png"))], signal_number=number)
    assert told(outcome) == [("failed", "in/a.png"), ("done", "in/b.png")] and outcome.code == 1


def test_what_is_done_stays_and_files_of_others_are_left_alone(watching, run, picture):
    picture(Path("in/a.png"))
    assert run("matte", "in/a.png", "-o", "out").code == 0
    outcome = watching([lambda: shutil.copy("in/a.png", "out/b.png") and picture(Path("in/b.png"), seed=1)])
    assert told(outcome) == [("skipped", "in/a.png"), ("failed", "in/b.png")]
    assert "out/b.png exists, and is not from this tool" in outcome.err
    assert Path("out/b.png").read_bytes() == Path("in/a.png").read_bytes()


@pytest.mark.slow
def test_two_files_for_one_result_are_told_and_the_rest_waits(watching, picture, monkeypatch):
    picture(Path("in/a.png"))
    tell = Console.warn

    def warn(self, message):
        tell(self, message)
        if "both" in message:
            Path("in/a.jpg").unlink()

    monkeypatch.setattr(Console, "warn", warn)
    outcome = watching([lambda: picture(Path("in/a.jpg"), seed=3) and picture(Path("in/b.png"), seed=4)])
    assert told(outcome) == [("done", "in/a.png"), ("done", "in/b.png")]
    assert outcome.err.count("would both be written to out/a.png") == 1


@pytest.mark.slow
def test_a_picture_waits_for_its_mask(watching, picture):
    picture(Path("in/a.png"))
    picture(Path("in/b.png"))
    picture(Path("masks/b.png"))
    outcome = watching([lambda: picture(Path("masks/a.png"))], "--mask", "masks")
    assert told(outcome) == [("done", "in/b.png"), ("done", "in/a.png")]


def test_a_file_is_whole_when_size_and_stamp_rest_for_two_seconds():
    since, result, early, late = {}, Path("a.png"), (Stamp(1, 1, 1),), (Stamp(2, 2, 2),)
    assert REST_SECONDS == 2
    looks = ((early, 0), (early, 1.5), (late, 2.5), (late, 4))
    assert not any(is_settled(since, result, stamps, now) for stamps, now in looks)
    assert is_settled(since, result, late, 4.5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.png", "--watch"), "--watch needs a folder"),
        (("in", "--watch", "--dry-run"), "leave --dry-run out"),
        (("in", "--watch", "--devices", "cpu:2"), "leave --devices out"),
    ],
)
def test_what_does_not_go_with_it_is_refused(run, picture, arguments, message):
    picture(Path("in/a.png"))
    picture(Path("a.png"))
    outcome = run("matte", *arguments)
    assert outcome.code == 2 and message in outcome.err
