"""How cores are shared out."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

from omnialpha_cli.batch.job import Threads, share_cores, use_torch_threads


@pytest.mark.parametrize(
    ("cores", "items", "accelerated", "shared"),
    [
        (8, 1, False, Threads(1, 4, 1)),  # one item computes as one of many does
        (1, 100, False, Threads(1, 1, 1)),
        (2, 100, False, Threads(1, 1, 2)),
        (16, 100, False, Threads(2, 8, 8)),
        (16, 3, False, Threads(2, 8, 3)),  # no more writers than items
        (16, 100, True, Threads(5, 1, 15)),  # the network is elsewhere
    ],
)
def test_cores_are_shared_by_what_there_is_to_do(cores, items, accelerated, shared):
    assert share_cores(cores, items, accelerated) == shared


def test_torch_threads_are_set_for_the_calling_thread_alone():
    seen = {}

    def work(name: str, count: int, turn: threading.Barrier) -> None:
        use_torch_threads(count)
        turn.wait(10)  # both have set theirs
        seen[name] = torch.get_num_threads()

    before = torch.get_num_threads()
    turn = threading.Barrier(2)
    threads = [threading.Thread(target=work, args=(str(count), count, turn)) for count in (1, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {"1": 1, "3": 3}
    assert torch.get_num_threads() == before


PROGRAM = """
import sys
from omnialpha_cli.batch import worker
from omnialpha_cli.batch.job import Threads
from omnialpha_cli.cli.main import main
count = int(sys.argv.pop(1))
worker.share_cores = lambda *_: Threads(1, count, 1)
main()
"""


@pytest.mark.slow
def test_a_matte_has_the_same_bytes_by_any_number_of_threads(tmp_path):
    photo = Path(__file__).parents[1] / "data" / "chelsea.jpg"
    for count in ("1", "3"):
        command = [
            sys.executable,
            "-c",
            PROGRAM,
            count,
            "matte",
            photo,
            "-o",
            tmp_path / count,
            "--device",
            "cpu",
            "-q",
        ]
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
        subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    assert (tmp_path / "1" / "chelsea.png").read_bytes() == (tmp_path / "3" / "chelsea.png").read_bytes()
