"""The schedule: items in order, steady frames after the one before."""

import threading
from pathlib import Path

from omnialpha_cli.batch.schedule import Schedule
from omnialpha_cli.item import Item
from omnialpha_cli.tasks import TASKS

GO = threading.Event()


def item(name: str, previous: str | None = None) -> Item:
    before = Path(f"{previous}.png") if previous else None
    return Item(TASKS["matte.auto"], (Path(f"{name}.jpg"),), (Path(f"{name}.png"),), previous=before)


def names(*items: Item | None) -> list[str | None]:
    return [None if one is None else one.outputs[0].stem for one in items]


def test_items_come_in_the_order_of_the_plan():
    schedule = Schedule([item("a"), item("b")])
    assert names(schedule.take(GO), schedule.take(GO), schedule.take(GO)) == ["a", "b", None]
    assert schedule.exhausted


def test_a_frame_waits_for_the_one_before():
    frames = [item("a1"), item("a2", "a1"), item("a3", "a2"), item("b")]
    schedule = Schedule(frames)
    assert names(schedule.take_now(), schedule.take_now(), schedule.take_now()) == ["a1", "b", None]
    assert not schedule.exhausted
    schedule.finished(frames[0])
    assert names(schedule.take_now(), schedule.take_now()) == ["a2", None]
    schedule.finished(frames[1])
    assert names(schedule.take_now()) == ["a3"] and schedule.exhausted


def test_a_frame_whose_predecessor_is_done_already_waits_for_nothing():
    assert names(Schedule([item("a2", "a1")]).take_now()) == ["a2"]


def test_who_waits_is_woken():
    frames = [item("a1"), item("a2", "a1")]
    schedule, taken = Schedule(frames), []
    schedule.take(GO)
    waiting = threading.Thread(target=lambda: taken.append(schedule.take(GO)))
    waiting.start()
    schedule.finished(frames[0])
    waiting.join(timeout=10)
    assert taken == [frames[1]]


def test_a_stopped_run_takes_nothing_more():
    stop = threading.Event()
    stop.set()
    assert Schedule([item("a")]).take(stop) is None
    waiting = Schedule([item("a"), item("b", "a")])
    waiting.take_now()
    assert waiting.take(stop) is None
