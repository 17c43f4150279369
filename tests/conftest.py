"""What several tests need: pictures on disk, the weights of a tiny model, and commands run in this process.

The process that starts the workers reads this too, and computes nothing: torch is imported where it is used.
"""

import contextlib
import io
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# One thread for each worker of pytest-xdist and each process that it starts, read when torch is imported: networks this
# small only wait for more. numba, which pymatting brings, would set the number of torch's threads to that of the cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
# As workers have it, which may be processes: read when the first product of matrices is computed.
os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")

import numpy as np
import pytest
import typer.main
from filelock import FileLock
from hypothesis import settings
from PIL import Image as PILImage

from omnialpha_cli.cli import streams
from omnialpha_cli.cli.main import main

# The same examples in every run, and no limit on their time: a busy machine is not a fault.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

MakePicture = Callable[..., Path]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark trainings as slow, and what needs published weights: diffusers and transformers take seconds to import."""
    for item in items:
        if "lab/train" in item.path.as_posix() or "published" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def picture() -> MakePicture:
    """Writes a picture of random smooth colours; the suffix chooses the format, `mode` the channels."""

    def write(path: Path, size: tuple[int, int] = (48, 32), seed: int = 0, mode: str = "RGB") -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(seed).integers(0, 256, (4, 6, len(mode)), np.uint8)
        PILImage.fromarray(coarse, mode).resize(size, PILImage.Resampling.BICUBIC).save(path)
        return path

    return write


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[[str, Callable[[Path], None]], Path]:
    """`once(name, make)` gives a folder that `make(folder)` filled: one of the test processes does it, for all."""
    of_all = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent

    def filled(name: str, make: Callable[[Path], None]) -> Path:
        folder, done = of_all / name, of_all / f"{name}.done"
        with FileLock(of_all / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                make(folder)
                done.touch()
        return folder

    return filled


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the weights of the tiny model."""
    from tiny_model import tiny_model

    from omnialpha_cli.lab.train.export import write_weights

    folder = tmp_path_factory.mktemp("weights") / "tiny"
    write_weights(tiny_model(steps=1), "tiny", folder)
    return folder


@pytest.fixture(scope="session")
def published(once) -> Path:
    """A folder with tiny weights in the published layout."""
    from published_weights import write_published

    return once("published", write_published)


@pytest.fixture
def own_published(published: Path, tmp_path: Path) -> Path:
    """The test's own folder with the same weights, which it may change."""
    return shutil.copytree(published, tmp_path / "published")


@pytest.fixture(scope="session")
def sure_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with weights whose confidence is calibrated."""
    from sure_weights import write_sure_weights

    return write_sure_weights(tmp_path_factory.mktemp("weights") / "sure")


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


# Typer builds all commands for each call: a fifth of what a call of the tiny model takes.
build_command = cache(typer.main.get_command)


@pytest.fixture
def omnialpha(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Outcome]:
    """`omnialpha("matte", path, …)` → exit code and both streams."""
    from read_once import read_once

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(streams, "SOON", 600)  # on a busy machine, too, nothing is said of what takes long
    monkeypatch.setattr(typer.main, "get_command", build_command)
    read_once(monkeypatch)

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
