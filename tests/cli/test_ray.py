"""Ray Data, started here: the same results and the same journal as a run without it."""

import json
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from omnialpha_cli.batch.resume import read_history

pytestmark = pytest.mark.slow

needs_ray = pytest.mark.skipif(find_spec("ray") is None, reason="the extra [ray] is not installed")


@pytest.fixture
def folder(run, picture):
    """Pictures and a sequence in the current folder."""
    for i in range(4):
        picture(Path(f"in/{i}.png"), seed=i)
    for i in range(3):
        picture(Path(f"shot.{i:04}.png"), seed=i)
    Path("in/bad.png").write_bytes(b"no picture")
    return run


def entries(output: str) -> dict:
    """What the journal knows, without times."""

    def content(entry):
        made = {path: seal.sha256 for path, seal in entry.outputs.items()}
        return entry.fingerprint.task, entry.fingerprint.settings, entry.done, made

    return {name: list(map(content, of_item)) for name, of_item in read_history(Path(output)).items()}


@needs_ray
def test_results_and_journal_are_those_of_a_local_run(folder):
    arguments = ("matte", "in", "shot.####.png", "--steady", "--batch-size", "1", "--json")
    here = folder(*arguments, "-o", "here")
    there = folder(*arguments, "-o", "there", "--ray", "local")
    assert (there.code, len(there.lines)) == (here.code, 9) == (1, 9), there.err
    assert entries("there") == entries("here")
    for path in Path("here").rglob("*.png"):
        assert (Path("there") / path.relative_to("here")).read_bytes() == path.read_bytes()
    failed = [item for item in map(json.loads, there.lines[:-1]) if item["status"] == "failed"]
    assert [item["inputs"] for item in failed] == [["in/bad.png"]]
    assert "7 skipped" in folder(*arguments, "-o", "there", "--ray", "local").err


@needs_ray
def test_a_cluster_that_is_not_there_is_exit_2(folder):
    outcome = folder("matte", "in", "--ray", "127.0.0.1:1")
    assert outcome.code == 2 and "--ray 127.0.0.1:1: " in outcome.err


def test_one_place_at_a_time(folder):
    outcome = folder("matte", "in", "--ray", "local", "--devices", "all")
    assert outcome.code == 2 and "--devices and --ray exclude each other" in outcome.err


def test_without_ray_it_says_how_to_get_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    outcome = folder("matte", "in", "--ray", "local")
    assert outcome.code == 2 and 'pip install "omnialpha[ray]"' in outcome.err
