"""Mass runs: damaged files, kills, disk faults and many files, few of each by default.

    MASS=1 pytest tests/batch/test_mass.py  # 10,000 files, 200 kills, 200 faults, 3,000 files; half an hour of a core

`MASS` is the share of the full counts.
"""

import errno
import json
import os
import random
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hostile.bases import good_files
from hostile.damage import flipped

from omnialpha_cli.batch.job import Job
from omnialpha_cli.batch.journal import Journal
from omnialpha_cli.batch.schedule import Schedule
from omnialpha_cli.batch.worker import Worker
from omnialpha_cli.item import Item
from omnialpha_cli.picture.settings import Settings
from omnialpha_cli.tasks import TASKS

pytestmark = pytest.mark.slow

SHARE = float(os.environ.get("MASS", "0.01"))
ROOT = Path(__file__).parents[2]
PROGRAM = "from omnialpha_cli.cli.main import main; main()"
FORMATS = {"png": 3, "tiff": 1, "psd": 1, "exr": 1}  # and files a result
PICTURES = 4


def count(full: int, least: int) -> int:
    return max(least, round(SHARE * full))


def process(folder: Path, *arguments: object, **more) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PROGRAM, *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more
    )  # fmt: skip


def made(folder: Path) -> dict[str, bytes]:
    """Results by their path; what is hidden is none."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path): (folder / path).read_bytes() for path in paths if not any(p[0] == "." for p in path.parts)}


def keep_two_cores() -> None:
    """Leave the calling process two cores, where the system knows how."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def test_damaged_files_are_done_or_refused(tmp_path, tiny_weights):
    """Each has its record, without a traceback, and on two cores in less than 2 GB.

    Of sizes near 30 megapixels one goes at a time there; with more cores more are let in at once.
    """
    draw, good = random.Random(0), good_files()
    (tmp_path / "in").mkdir()
    names = []
    for i in range(count(10_000, 60)):
        name = draw.choice(sorted(good))
        content = flipped(good[name], i, draw.choice((1, 8, 64)), draw.random() < 0.7)
        if draw.random() < 0.3:
            content = content[: draw.randrange(len(content))]
        names.append(f"{i}.{name.rpartition('.')[2]}")
        (tmp_path / "in" / names[-1]).write_bytes(content)
    options = ("--model", tiny_weights, "--device", "cpu", "--json", "--max-pixels", "30", "--compression", "none")
    out, err = process(tmp_path, "matte", "in", "-o", "out", *options, preexec_fn=keep_two_cores).communicate()
    assert out, err.decode()
    *items, summary = map(json.loads, out.splitlines())
    assert sorted(Path(item["inputs"][0]).name for item in items) == sorted(names)
    assert summary["exit"] in (0, 1) and b"Traceback" not in err
    codes = {item["error"]["code"] for item in items if item["error"]}
    assert "internal" not in codes and "memory" not in codes
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 2 * 2**20  # kB


@pytest.mark.parametrize("format", FORMATS)
def test_kills_lose_nothing(format, tmp_path, picture, run, tiny_weights):
    """Two workers are killed with their parent at any moment; each time no file is partial, and one makes the rest."""
    for i in range(PICTURES):
        picture(Path("in") / f"{i}.png", (320, 240), seed=i)
    arguments = ("decompose", "in", "--format", format, "--device", "cpu", "-q", "-o")
    assert run(*arguments, "whole").code == 0
    whole, draw = made(Path("whole")), random.Random(format)
    assert len(whole) == PICTURES * FORMATS[format]
    for number in range(count(50, 1)):
        out = f"out{number}"
        two = ("--model", tiny_weights, "--devices", "cpu:2")
        killed = process(tmp_path, *arguments, out, *two, start_new_session=True)
        try:
            killed.wait(timeout=draw.uniform(1, 12))
        except subprocess.TimeoutExpired:
            os.killpg(killed.pid, signal.SIGKILL)
        killed.communicate()
        assert made(Path(out)).items() <= whole.items()
        assert run(*arguments, out).code == 0
        assert made(Path(out)) == whole and not list(Path(out).rglob(".omnialpha-*"))


@pytest.mark.parametrize("format", FORMATS)
def test_disk_faults_lose_nothing(format, tmp_path, picture, run, monkeypatch):
    """A call that writes fails, at any place; no file is partial, and the next run makes the rest."""
    for i in range(PICTURES):
        picture(Path(f"in/{i}.png"), seed=i)
    arguments = ("decompose", "in", "--format", format, "-q", "--device", "cpu", "-o")
    assert run(*arguments, "whole").code == 0
    whole, draw = made(Path("whole")), random.Random(format)
    calls = {"fsync": (os, "fsync"), "replace": (Path, "replace"), "write": (os, "write"), "open": (os, "open")}
    failed = 0
    for number in range(count(50, 3)):
        name, (place, function) = draw.choice(sorted(calls.items()))
        left, real = [draw.randrange(1, 12)], getattr(place, function)

        def faulty(*words, left=left, real=real, name=name, **more):
            is_ours = ".omnialpha" in str(words[0]) or name in ("fsync", "write")
            if is_ours and not (name == "write" and words[0] < 3):
                left[0] -= 1
                if left[0] == 0:
                    raise OSError(errno.ENOSPC, "No space left on device")
            return real(*words, **more)

        with monkeypatch.context() as patched:
            patched.setattr(place, function, faulty)
            failed += run(*arguments, f"out{number}").code != 0
        assert made(Path(f"out{number}")).items() <= whole.items()
        assert run(*arguments, f"out{number}").code == 0
        assert made(Path(f"out{number}")) == whole
    assert failed


def test_memory_does_not_grow_with_files(tmp_path, picture, tiny_weights):
    photo = picture(tmp_path / "a.png", (160, 120))
    files = count(3000, 30)
    items = [Item(TASKS["matte.auto"], (photo,), (tmp_path / "out" / f"{i}.png",)) for i in range(files)]
    worker = Worker(Job(str(tiny_weights), "w", Settings(), tmp_path / "out", "0-of-1", files, device="cpu"))
    used = []
    with Journal(tmp_path / "out") as journal:
        for result in worker.make(Schedule(items), journal, threading.Event()):
            assert result.error is None
            used.append(int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize())
    third = files // 3
    assert max(used[-third:]) - max(used[:third]) < 40 * 2**20
