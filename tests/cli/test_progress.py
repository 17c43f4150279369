"""What a user is told while waiting, on terminals and in logs, and by a dry run, doctor and the shell's completion."""

import io
import json
import os
import sys
from pathlib import Path

import pytest

from omnialpha_cli.cli import streams
from omnialpha_cli.cli.console import Console
from omnialpha_cli.cli.main import app
from omnialpha_cli.cli.options import Options
from omnialpha_cli.cli.streams import say_if_slow


class Terminal(io.TextIOWrapper):
    def __init__(self) -> None:
        super().__init__(io.BytesIO(), "utf-8", write_through=True)

    def isatty(self) -> bool:
        return True


def shown(monkeypatch, terminal: str) -> str:
    """What a run of one item shows on a kind of terminal before its first result."""
    screen = Terminal()
    monkeypatch.setattr(streams, "SOON", 0)
    monkeypatch.setenv("TERM", terminal)
    monkeypatch.setattr(sys, "stderr", screen)
    with Console(Options()) as progress:
        progress.begin(1)
        progress.waits("loading weights mini")
        if progress._waiting.is_alive():
            progress._waiting.join()
        return screen.buffer.getvalue().decode()


def test_a_run_says_in_a_log_what_it_waits_for_if_that_takes_long(run, picture, monkeypatch):
    photo = picture(Path("a.png"))
    monkeypatch.setattr(streams, "SOON", 600)
    first, last = run("matte", photo, "-o", "soon").err.splitlines()
    assert first.startswith("1/1 soon/a.png") and last.startswith("1 done in ")
    monkeypatch.setattr(streams, "SOON", 0)
    assert "\nloading weights " in "\n" + run("matte", photo, "-o", "out").err
    assert "loading" not in run("matte", photo, "-o", "quiet", "-q").err
    assert "loading" not in run("matte", photo, "-o", "out").err  # it waits for nothing


def test_a_terminal_has_a_bar_and_a_dumb_one_plain_lines(monkeypatch):
    assert "loading weights mini" in shown(monkeypatch, "xterm") and "\x1b[" in shown(monkeypatch, "xterm")
    assert shown(monkeypatch, "dumb") == "loading weights mini …\n"


def test_what_takes_long_is_said_and_what_ends_soon_is_not(monkeypatch, capsys):
    with say_if_slow("counting", quiet=False):
        pass
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(streams, "SOON", 0)
    with say_if_slow("counting", quiet=False) as timer:
        timer.join()
    assert capsys.readouterr().err == "counting …\n"
    with say_if_slow("counting", quiet=True) as timer:
        assert not timer.is_alive()


def test_a_dry_run_looks_at_what_files_are_and_says_planned(run, picture):
    picture(Path("p/a.png"))
    Path("p/b.png").write_text("no picture")
    outcome = run("matte", "p", "--dry-run", "--json")
    first, second, summary = map(json.loads, outcome.lines)
    assert (first["action"], second["action"]) == ("make", "fail") and "b.png is not an image" in outcome.err
    assert {name: summary[name] for name in ("done", "planned", "failed", "exit")} == {
        "done": 0, "planned": 1, "failed": 1, "exit": outcome.code == 1,
    }  # fmt: skip
    assert outcome.err.splitlines()[-1].startswith("1 planned, 1 would fail in ")


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("matte --model mi", ["mini"]),
        ("weights pull omni", ["omnialpha"]),
        ("matte --format tiff", ["tiff", "tiff-pages"]),
        ("matte --model my/w", ["my/weights/"]),
    ],
)
def test_the_shell_completes_weights_and_formats(capsys, monkeypatch, tmp_path, typed, offered):
    (tmp_path / "my" / "weights").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("_OMNIALPHA_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"omnialpha {typed}")
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split())))
    with pytest.raises(SystemExit):
        app(prog_name="omnialpha")
    assert capsys.readouterr().out.splitlines() == offered


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("matte", "--format", "jpg"), "put results on a colour with --flatten white, or give png, tiff,"),
        (("decompose", "--layers", "5"), "take pictures apart into 2 layers, not into 5; --untrained runs it anyway"),
        (("matte", "--mask", "m.png"), "scale it or crop it to 96×64"),
    ],
)
def test_messages_say_what_to_do(run, picture, arguments, message):
    picture(Path("m.png"), size=(64, 96))
    command, *options = arguments
    outcome = run(command, picture(Path("a.png"), (96, 64)), *options)
    assert outcome.code and message in outcome.err


def test_foreign_results_may_lack_their_journal(run, picture):
    photo = picture(Path("a.png"))
    picture(Path("out/a.png"))
    assert (
        "is not from this tool, or its .omnialpha folder was not copied along" in run("matte", photo, "-o", "out").err
    )


def test_doctor_names_extras_the_memory_that_counts_and_ocio(omnialpha, monkeypatch):
    monkeypatch.setattr("omnialpha_cli.cli.about._weights", lambda: iter(()))
    monkeypatch.setattr("omnialpha_cli.cli.about.free_memory", lambda: 3 * 2**29)
    outcome = omnialpha("doctor")
    extras = [line.split()[2] for line in outcome.lines if line.startswith("ok   extra ")]
    assert extras == ["full", "heic", "ray", "train", "parquet", "judge"]
    assert "ok   memory: 1.5 GiB may be taken, within" in outcome.out
    assert ("OCIO: ocio://studio-config" in outcome.out) is ("OCIO" not in os.environ)
