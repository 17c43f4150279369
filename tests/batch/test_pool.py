"""Worker processes: one plan, and no item lost or doubted when a worker dies."""

import os
import queue
import signal
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from omnialpha_cli.batch.job import Job, Result
from omnialpha_cli.batch.pool import Parent, Pool, serve
from omnialpha_cli.batch.resume import read_history
from omnialpha_cli.inputs import Source
from omnialpha_cli.item import Item
from omnialpha_cli.picture.settings import Settings
from omnialpha_cli.plan import plan
from omnialpha_cli.status import DeviceError, WeightsError
from omnialpha_cli.tasks import TASKS

pytestmark = pytest.mark.slow


def stand_in(job: Job, channel: Connection, control: Connection) -> None:
    """A worker without a model: takes items while it tells results, and dies of those called `deadly`."""
    parent, taken = Parent(channel), queue.SimpleQueue()

    def read() -> None:
        while item := parent.take(threading.Event()):
            if item.label.stem.startswith("deadly"):
                os.kill(os.getpid(), signal.SIGKILL)
            taken.put(item)
        taken.put(None)

    threading.Thread(target=read).start()
    while item := taken.get():
        parent.tell("result", Result(item, "done"))
    parent.tell("ends", "")


def refuses(job: Job, channel: Connection, control: Connection) -> None:
    Parent(channel).tell("fault", WeightsError("no weights"))


def dies_at_once(job: Job, channel: Connection, control: Connection) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def alone(job: Job, channel: Connection, control: Connection) -> None:
    """Takes one item at a time."""
    parent, stop = Parent(channel), threading.Event()
    while item := parent.take(stop):
        parent.tell("result", Result(item, "done"))
    parent.tell("ends", "")


def items(*names: str) -> list[Item]:
    return [Item(TASKS["matte.auto"], (Path(f"{name}.jpg"),), (Path(f"{name}.png"),)) for name in names]


def job(**more) -> Job:
    return Job("m", weights="w", settings=Settings(), output=Path("out"), shard="0-of-1", items=9, cores=2, **more)


def told(results: Iterator[Result]) -> dict[str, str]:
    found = list(results)
    assert len({result.item for result in found}) == len(found)
    return {result.item.label.stem: result.error.code if result.error else result.status for result in found}


def quiet(message: str) -> None:
    pass


def test_an_item_that_two_workers_die_of_fails_and_all_others_are_made():
    names = ["a", "b", "deadly", "c", "d", "e", "f"]
    results = told(iter(Pool([job(), job()], items(*names), threading.Event(), quiet, serve=stand_in)))
    assert results == {**dict.fromkeys("abcdef", "done"), "deadly": "worker"}


def test_one_worker_alone_is_started_again():
    results = told(iter(Pool([job()], items("deadly", "a", "deadly2", "b"), threading.Event(), quiet, serve=stand_in)))
    assert results == {"deadly": "worker", "deadly2": "worker", "a": "done", "b": "done"}


def test_workers_that_die_whatever_they_do_end_the_run():
    with pytest.raises(DeviceError, match="1 workers died 6 times each"):
        told(iter(Pool([job()], items("a"), threading.Event(), quiet, serve=dies_at_once)))


def test_a_worker_that_cannot_start_says_why():
    with pytest.raises(WeightsError, match="no weights"):
        told(iter(Pool([job()], items("a"), threading.Event(), quiet, serve=refuses)))


def test_frames_that_build_on_one_another_come_in_order():
    first, second, third = items("1", "2", "3")
    chain = [first, Item(second.task, second.inputs, second.outputs, previous=first.outputs[0]),
             Item(third.task, third.inputs, third.outputs, previous=second.outputs[0])]  # fmt: skip
    results = list(Pool([job(), job()], chain, threading.Event(), quiet, serve=alone))
    assert [result.item for result in results] == chain


def test_a_stopped_run_begins_nothing_more():
    stop = threading.Event()
    stop.set()
    assert told(iter(Pool([job()], items("a", "b"), stop, quiet, serve=alone))) == {}


@pytest.fixture
def real(tmp_path, picture, tiny_weights):
    """A plan of eight pictures, and what makes it with real workers of the tiny model."""
    paths = [picture(tmp_path / "in" / f"{i}.png", seed=i) for i in range(8)]
    todo = plan([Source(path, tmp_path / "in") for path in paths], TASKS["matte.auto"], output=tmp_path / "out")
    one = Job(
        model=str(tiny_weights), weights="w", settings=Settings(dtype="float32"), output=tmp_path / "out",
        shard="0-of-1", items=8, cores=2, device="cpu", batch_size=1,
    )  # fmt: skip
    return todo, one.shared_by(["cpu", "cpu"])


def test_a_killed_worker_loses_nothing(real, tmp_path):
    todo, jobs = real
    notes: list[str] = []
    pool = Pool(jobs, todo, threading.Event(), notes.append, serve=serve)
    results = []
    for result in pool:
        results.append(result)
        if len(results) == 1:
            os.kill(pool.hands[0].process.pid, signal.SIGKILL)
    assert {result.item for result in results} == set(todo)
    assert {result.status for result in results} == {"done"}
    assert any("died (exit code -9)" in note for note in notes)
    entries = read_history(tmp_path / "out")
    assert all(entries[item.outputs[0].name][-1].done for item in todo)
