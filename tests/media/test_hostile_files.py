"""Every hostile file, read alone in a process with limits: a picture, or one clear error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "ignore", "-m", "hostile.alone", folder]
    told = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    return [json.loads(line) for line in told.splitlines()]


def test_there_are_many(records):
    assert len(records) > 900
    assert sum(record["outcome"] == "refused" for record in records) > 400
    assert sum(record["outcome"] == "read" for record in records) > 200


def test_every_one_is_read_or_refused(records):
    """A fork that takes more than 2 GB or 5 s, or crashes in a library, has died."""
    assert [record for record in records if record["outcome"] in ("died", "odd")] == []


def test_every_refusal_is_one_line_that_names_the_file(records):
    refusals = [record for record in records if record["outcome"] == "refused"]
    assert [
        r for r in refusals if r["name"] not in r["words"] or "\n" in r["words"] or not r["words"].isprintable()
    ] == []


def test_none_is_greedy(records):
    assert [record for record in records if record["seconds"] > 2 or record["megabytes"] > 600] == []
