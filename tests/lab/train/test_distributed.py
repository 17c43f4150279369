"""Several processes: copies or shards end with the weights that one process has, and any number goes on from them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_processes import run
from training_runs import RecordedReport

from omnialpha_cli.lab.train.distributed import ALONE, Group, Step, parallelise
from omnialpha_cli.lab.train.lora import FILE
from omnialpha_cli.status import UsageError

WAYS = ("copied", "sharded")
SCRIPT = Path(__file__).parents[2] / "training_processes.py"


@pytest.fixture(scope="module")
def two(once):
    """What two processes left, each way."""

    def launch(folder: Path) -> None:
        launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")
        done = subprocess.run([*launcher, SCRIPT, folder], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr

    return once("two-processes", launch)


@pytest.fixture(scope="module")
def one(tmp_path_factory):
    """What one process left that accumulates twice."""
    folder = tmp_path_factory.mktemp("one")
    run("copied", folder, ALONE, RecordedReport())
    return folder / "copied"


def close(found: Path, wanted: Path, read) -> bool:
    a, b = read(found), read(wanted)
    assert a.keys() == b.keys() and a
    return all(torch.allclose(a[name], b[name], atol=1e-6) for name in a)


def left(path: Path):
    return torch.load(path, weights_only=True)


@pytest.mark.parametrize("way", WAYS)
def test_two_processes_end_with_the_weights_of_one(two, one, way):
    assert close(two / way / "left.pt", one / "left.pt", left)
    assert close(two / way / FILE, one / FILE, load_file)


@pytest.mark.parametrize("way", WAYS)
def test_figures_are_of_all_processes_and_told_by_one(two, one, way):
    logs = [[json.loads(line) for line in (f / "log.jsonl").read_text().splitlines()] for f in (two / way, one)]
    for together, alone in zip(*logs, strict=True):
        del together["rate"], alone["rate"]
        assert together == pytest.approx(alone, rel=1e-4)
    assert (two / f"{way}-0.txt").read_text().count("\n") == 1
    assert (two / f"{way}-1.txt").read_text() == ""


@pytest.mark.parametrize("way", WAYS)
def test_one_process_goes_on_where_two_stopped(two, tmp_path, way):
    run("copied", tmp_path / "whole", ALONE, RecordedReport(), steps=6)
    shutil.copytree(two / way, tmp_path / "parts" / "copied")
    told = RecordedReport()
    run("copied", tmp_path / "parts", ALONE, told, steps=6)
    assert told.lines[0] == "copied: resumed at step 4"
    assert close(tmp_path / "parts" / "copied" / "left.pt", tmp_path / "whole" / "copied" / "left.pt", left)


def test_sharding_is_for_a_transformer_alone():
    step = Step(torch.nn.Linear(2, 2), lambda model, batch, term: (model(batch).sum(), {}))
    with pytest.raises(UsageError, match="transformer alone"):
        parallelise(step, True, ALONE)


def test_one_process_needs_no_group():
    group = Group(torch.device("cpu"))
    group.wait()
    step = Step(torch.nn.Linear(2, 2), lambda model, batch, term: (model(batch).sum(), {}))
    assert parallelise(step, False, group) is step
