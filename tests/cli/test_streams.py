"""A stream that is closed, full or left never ends a batch; what could not be written is said, and exits 1."""

import errno
import io
import json
import sys
from pathlib import Path

import pytest

from omnialpha_cli.batch.job import Result
from omnialpha_cli.cli import streams
from omnialpha_cli.cli.console import Console
from omnialpha_cli.cli.options import Options
from omnialpha_cli.item import Item
from omnialpha_cli.status import ExitStatus
from omnialpha_cli.tasks import TASKS

FULL, LEFT, CLOSED = OSError(errno.ENOSPC, "No space left on device"), BrokenPipeError(errno.EPIPE, "x"), None


class Broken(io.RawIOBase):
    def __init__(self, error: OSError):
        self.error = error

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:
        raise self.error


def broken(error: OSError | None) -> io.TextIOWrapper:
    raw = streams._Closed() if error is None else Broken(error)
    return io.TextIOWrapper(io.BufferedWriter(raw, 1), "utf-8", write_through=True)


def whole() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True)


def text(stream: io.TextIOWrapper) -> str:
    return stream.buffer.getvalue().decode()


def batch(monkeypatch, out, err, report=None, json=False) -> ExitStatus:
    """Report a run of three items; returns its exit status."""
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with Console(Options(json=json, quiet=True), report) as console:
        console.begin(3)
        for name in "abc":
            console.item(Result(Item(TASKS["matte.auto"], (Path(name),), (Path(f"{name}.png"),)), "done"))
        return console.summary(ExitStatus.OK)


@pytest.mark.parametrize(("error", "word"), [(FULL, "No space left"), (CLOSED, "closed")])
@pytest.mark.parametrize("json", [False, True])
def test_standard_output(monkeypatch, error, word, json):
    err = whole()
    assert batch(monkeypatch, broken(error), err, json=json) == ExitStatus.FAILED
    (line,) = text(err).splitlines()
    assert line.startswith("omnialpha: not all could be written to standard output")
    assert word in line


def test_a_reader_that_leaves_is_no_fault(monkeypatch):
    err = whole()
    assert batch(monkeypatch, broken(LEFT), err) == ExitStatus.OK
    assert text(err) == ""


def test_a_report_on_a_full_disk(monkeypatch):
    out, err = whole(), whole()
    assert batch(monkeypatch, out, err, report=Broken(FULL)) == ExitStatus.FAILED
    assert text(out).splitlines() == ["a.png", "b.png", "c.png"]
    assert "not all could be written to the report (No space left on device)" in text(err)


@pytest.mark.parametrize("error", [FULL, CLOSED])
def test_standard_error(monkeypatch, error):
    out = whole()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", broken(error))
    with Console(Options()) as console:
        for name in "ab":
            console.item(Result(Item(TASKS["matte.auto"], (Path(name),), (Path(f"{name}.png"),)), "done"))
        assert console.summary(ExitStatus.OK) == ExitStatus.FAILED
    assert text(out).splitlines() == ["a.png", "b.png"]


class TestNoInputExists:
    """Exit 3 and one line, for names, globs and frames alike; with --json each has its record."""

    @pytest.mark.parametrize(
        "names", [["a.png"], ["a.png", "b.png"], ["no/*.png"], ["s.####.png", "--frames", "1-3"], ["no/*.png", "a.png"]]
    )
    def test_one_line(self, names, omnialpha, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        outcome = omnialpha("matte", *names)
        assert outcome.code == ExitStatus.NO_INPUTS
        assert len(outcome.err.splitlines()) == 1
        assert outcome.out == ""

    def test_records(self, omnialpha, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        outcome = omnialpha("matte", "a.png", "b.png", "--json")
        *items, summary = map(json.loads, outcome.lines)
        assert [item["error"]["code"] for item in items] == ["missing", "missing"]
        assert summary["failed"] == 2
        assert summary["exit"] == outcome.code == ExitStatus.NO_INPUTS

    def test_one_missing_among_others_is_a_failed_item(self, run, picture, tmp_path):
        picture(tmp_path / "a.png")
        outcome = run("matte", "a.png", "b.png")
        assert outcome.code == ExitStatus.FAILED
        assert (tmp_path / "matte" / "a.png").exists()


def test_what_is_embedded_needs_no_home(omnialpha, tmp_path, monkeypatch, picture):
    closed = tmp_path / "home"
    closed.write_bytes(b"")  # not a folder: nothing in it can be looked at, by the superuser either
    monkeypatch.setenv("OMNIALPHA_HOME", str(closed / "x"))
    monkeypatch.chdir(tmp_path)
    assert omnialpha("matte", picture(tmp_path / "a.png"), "--dry-run").code == 0
