"""`kill -9` at any moment: no partial file, nothing lost, and the next run makes exactly the rest."""

import json
import multiprocessing
import random
import shutil
import sys
import time
from pathlib import Path

import pytest

from omnialpha_cli.cli.main import main

pytestmark = pytest.mark.slow

KILLS = 8  # many more, of all formats: tests/batch/test_mass.py
PICTURES = 5


def command(arguments: list[str], out: Path) -> None:
    """A process that is the command; its records go to `out`."""
    with out.open("w", encoding="utf-8") as sys.stdout:
        sys.argv = ["omnialpha", *arguments]
        main()


@pytest.fixture(scope="module")
def processes():
    """Starts processes that have torch loaded already, as forks of one that has done nothing else."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["omnialpha_cli.batch.worker", "omnialpha_cli.cli.execute"])
    return context


@pytest.fixture
def start(processes, picture, tiny_weights, tmp_path):
    """`start(folder)` begins a run into a folder; gives its process and the file of its records."""
    for i in range(PICTURES):
        picture(tmp_path / "in" / f"{i}.png", (320, 240), seed=i)
    inputs, records = str(tmp_path / "in"), tmp_path / "records"

    def begin(output: Path):
        arguments = ["matte", inputs, "-o", str(output), "--model", str(tiny_weights), "--batch-size", "1", "--json"]
        process = processes.Process(target=command, args=([*arguments, "--device", "cpu", "-q"], records))
        process.start()
        return process, records

    return begin


def complete(started) -> list[dict]:
    """The records of a run that is left alone."""
    process, records = started
    process.join(timeout=60)
    assert process.exitcode == 0
    return [json.loads(line) for line in records.read_text().splitlines()]


def made(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("[!.]*")}


def test_kills_at_any_moment(start, tmp_path):
    begun = time.monotonic()
    complete(start(tmp_path / "whole"))
    lasts = time.monotonic() - begun
    whole, out, drawn = made(tmp_path / "whole"), tmp_path / "out", random.Random(0)
    assert len(whole) == PICTURES
    in_between = 0
    for number in range(KILLS):
        process, _ = start(out)
        if number % 4:
            process.join(timeout=drawn.uniform(0, lasts))
        else:  # however long a run takes, some kills fall between its first picture and its last
            while process.is_alive() and not made(out):
                process.join(timeout=0.005)
        process.kill()
        process.join()
        done = made(out)
        assert done.items() <= whole.items()  # nothing partial, nothing else
        in_between += 0 < len(done) < PICTURES
        if len(done) == PICTURES or drawn.random() < 0.3:
            *_, summary = complete(start(out))
            assert (summary["skipped"], summary["done"]) == (len(done), PICTURES - len(done))
            assert made(out) == whole
            assert not list(out.glob(".omnialpha-*"))  # what dead runs left behind
            shutil.rmtree(out)
    assert in_between  # some kills fell where there was something to lose
