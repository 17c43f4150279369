"""Runs commands through the console script's entry point, in this process."""

import contextlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from omnialpha_cli.cli.main import main


@dataclass
class Outcome:
    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()


class _Stream(io.TextIOWrapper):
    def __init__(self, content: bytes = b"") -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8", errors="surrogateescape", write_through=True)

    def text(self) -> str:
        assert isinstance(self.buffer, io.BytesIO)
        return self.buffer.getvalue().decode("utf-8", "surrogateescape")


@pytest.fixture
def omnialpha(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """`omnialpha("matte", path, …)` → exit code and both streams."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object, stdin: bytes = b"") -> Outcome:
        out, err = _Stream(), _Stream()
        monkeypatch.setattr(sys, "argv", ["omnialpha", *map(str, arguments)])
        monkeypatch.setattr(sys, "stdin", _Stream(stdin))
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as exit:
            main()
        return Outcome(int(exit.value.code or 0), out.text(), err.text())

    return run


@pytest.fixture
def run(omnialpha: Callable[..., Outcome], tiny_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """`run("remove", path, …)` with the tiny weights, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda command, *arguments, **more: omnialpha(command, *arguments, "--model", tiny_weights, **more)
