"""The pipeline: every item gets its result, one fault stays one, and memory is bounded."""

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as PILImage
from torch import Tensor

from omnialpha_cli.batch import pipeline as pipeline_module
from omnialpha_cli.batch import worker as worker_module
from omnialpha_cli.batch.job import Job, Threads
from omnialpha_cli.batch.journal import Journal, LostError
from omnialpha_cli.batch.pipeline import Pipeline
from omnialpha_cli.batch.resume import read_history
from omnialpha_cli.batch.schedule import Admission, Schedule
from omnialpha_cli.batch.worker import Files
from omnialpha_cli.files import sha256
from omnialpha_cli.inputs import Source
from omnialpha_cli.item import Item
from omnialpha_cli.media import opening
from omnialpha_cli.model.config import Defaults
from omnialpha_cli.model.request import Request, by_layout
from omnialpha_cli.picture.settings import Settings
from omnialpha_cli.plan import plan
from omnialpha_cli.status import ItemError
from omnialpha_cli.tasks import TASKS


class FakeModel:
    """Calls the red channel alpha. Keeps the size of every batch and call; `before` a batch it may raise, or wait."""

    defaults = Defaults(steps=1, guidance=1.0, canvas=64, multiple=32)
    tasks = tuple(TASKS)

    def __init__(self, before=lambda requests: None, window: int = 1):
        self.before, self.window = before, window
        self.batches: list[int] = []
        self.calls: list[int] = []

    def run_batches(
        self,
        requests: Sequence[Request],
        steps: int | None = None,
        guidance: float | None = None,
        batch_size: int | None = None,
    ) -> Iterator[tuple[Sequence[int], list[list[Tensor]]]]:
        self.calls.append(len(requests))
        for part in by_layout(requests, batch_size):
            batch = [requests[i] for i in part]
            self.before(batch)
            self.batches.append(len(batch))
            yield part, [[torch.cat((r.inputs[0][:3], r.inputs[0][:1]))] for r in batch]

    def refined(self, plate, colours, alpha, trimap):
        return None

    def run(self, requests, steps=None, guidance=None):
        ((_, layers),) = self.run_batches(requests, steps, guidance)
        return layers


def pipeline_of(items, model, journal, settings=None, *, schedule=Schedule, **more) -> Pipeline:
    job = Job("m", "w", settings or Settings(), journal.output, journal.shard, len(items))
    files = Files(job, journal)
    return Pipeline(schedule(items), model, job.settings, files.read, files.store, **more)


@pytest.fixture
def run(tmp_path, picture):
    """Runs a model over pictures (or given items); gives the results by the stem of the input."""

    def make(model, count=4, *, items=None, batch_size=2, threads=None, settings=None, stop=None, sizes=None,
             schedule=Schedule):  # fmt: skip
        sizes = sizes or [(96, 64)] * count
        paths = [picture(tmp_path / "in" / f"{i}.png", size, seed=i) for i, size in enumerate(sizes)]
        sources = [Source(path, tmp_path / "in") for path in paths]
        items = items or plan(sources, TASKS["matte.auto"], output=tmp_path / "out")
        with Journal(tmp_path / "out") as journal:
            line = pipeline_of(
                items, model, journal, settings,
                schedule=schedule, batch_size=batch_size, threads=threads or Threads(2, 1, 1, 2), stop=stop,
            )  # fmt: skip
            return {result.item.inputs[0].stem: result for result in line}

    return make


def statuses(results) -> dict[str, str]:
    return {stem: result.status for stem, result in results.items()}


def pixels(path: Path) -> np.ndarray:
    return np.asarray(PILImage.open(path))


def test_every_item_is_written_at_its_full_size(run, tmp_path):
    results = run(FakeModel(), sizes=[(96, 64), (64, 96), (200, 50), (31, 33)])
    assert statuses(results) == {"0": "done", "1": "done", "2": "done", "3": "done"}
    for i, (width, height) in enumerate([(96, 64), (64, 96), (200, 50), (31, 33)]):
        assert pixels(tmp_path / "out" / f"{i}.png").shape == (height, width, 4)


@pytest.mark.slow
def test_each_result_belongs_to_its_own_input(run, tmp_path):
    run(FakeModel(), count=8, batch_size=3)
    for i in range(8):
        red, alpha = pixels(tmp_path / "in" / f"{i}.png")[..., 0], pixels(tmp_path / "out" / f"{i}.png")[..., 3]
        assert np.corrcoef(red.ravel(), alpha.ravel())[0, 1] > 0.9


def test_alpha_only_is_one_channel(run, tmp_path):
    run(FakeModel(), count=1, settings=Settings(alpha_only=True))
    assert pixels(tmp_path / "out" / "0.png").shape == (64, 96)


@pytest.mark.slow
def test_batches_hold_one_canvas_and_at_most_their_size(run):
    seen = []
    model = FakeModel(lambda requests: seen.append({request.targets for request in requests}))
    run(model, sizes=[(96, 64), (64, 96)] * 4, batch_size=3)
    assert all(len(targets) == 1 for targets in seen)
    assert sum(model.batches) == 8 and max(model.batches) <= 3


def test_a_bad_file_is_one_failed_item(run, tmp_path, picture):
    picture(tmp_path / "in" / "good.png")
    (tmp_path / "in" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    outputs = {name: (tmp_path / "out" / f"{name}.png",) for name in ("good", "bad", "gone")}
    items = [Item(TASKS["matte.auto"], (tmp_path / "in" / f"{name}.png",), outputs[name]) for name in ("bad", "good")]
    missing = ItemError("missing", "gone.png is not there")
    items.append(Item(TASKS["matte.auto"], (Path("gone.png"),), outputs["gone"], missing))
    results = run(FakeModel(), items=items)
    assert statuses(results) == {"good": "done", "bad": "failed", "gone": "failed"}
    assert results["bad"].error.code == "unreadable" and "bad.png" in str(results["bad"].error)
    assert str(results["gone"].error) == "gone.png is not there"
    assert not outputs["bad"][0].exists()


def test_out_of_memory_halves_the_batches_and_all_items_are_made(run):
    def short(requests):
        if len(requests) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    model = FakeModel(short)
    assert set(statuses(run(model, count=6, batch_size=4)).values()) == {"done"}
    assert set(model.batches) == {1}


class Watched(Schedule):
    """Tells when the last item was taken."""

    def __init__(self, items):
        super().__init__(items)
        self.all_taken = threading.Event()

    def take(self, stop):
        item = super().take(stop)
        if item is None:
            self.all_taken.set()
        return item


def watched_in(schedules):
    def make(items):
        schedules.append(Watched(items))
        return schedules[0]

    return make


@pytest.mark.slow
def test_a_window_of_batches_is_one_call_of_the_model(run):
    """The first call takes what is ready; meanwhile the rest becomes ready, of two canvases."""
    schedules = []
    model = FakeModel(lambda batch: schedules[0].all_taken.wait(10), window=3)
    sizes = [(96, 64), (64, 96)] * 5
    results = run(model, sizes=sizes, batch_size=2, schedule=watched_in(schedules))
    assert set(statuses(results).values()) == {"done"}
    assert 4 < max(model.calls) <= 6 and sum(model.calls) == 10
    assert max(model.batches) == 2


@pytest.mark.slow
def test_stop_leaves_the_rest_of_a_window(run):
    stop, schedules = threading.Event(), []

    def before(batch):
        schedules[0].all_taken.wait(10)
        if len(model.calls) == 2:
            stop.set()

    model = FakeModel(before, window=3)
    results = run(model, count=12, batch_size=2, stop=stop, schedule=watched_in(schedules))
    first, second = model.calls
    assert second > 2 and len(results) == first + 2  # a batch in hand of several
    assert statuses(results) == dict.fromkeys(results, "done")


def test_without_memory_for_a_batch_what_is_left_of_the_window_comes_again_in_smaller_ones(run):
    def before(batch):
        if len(batch) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    model = FakeModel(before, window=3)
    results = run(model, count=6, batch_size=4)
    assert set(statuses(results).values()) == {"done"}
    assert model.batches == [1] * 6


def test_a_lowered_limit_holds_for_what_follows(tmp_path):
    with Journal(tmp_path / "out") as journal:
        line = pipeline_of([], FakeModel(), journal, batch_size=8, threads=Threads(1, 1, 1, 1))
    for too_large, limit in ((20, 4), (3, 1), (1, 1)):  # a window may be larger than a batch
        line._lower_limit(too_large)
        assert line.limit == limit


def test_an_item_that_never_fits_fails_for_memory(run):
    def short(requests):
        raise MemoryError

    results = run(FakeModel(short), count=3)
    assert {result.error.code for result in results.values()} == {"memory"}


def test_a_fault_of_the_network_fails_its_item_only(run):
    def faulty(requests):
        if any(request.targets == ((96, 32),) or request.inputs[0].shape[-1] < 64 for request in requests):
            raise ValueError("a shape it does not like")

    results = run(FakeModel(faulty), sizes=[(96, 64), (40, 160), (96, 64)])
    assert statuses(results) == {"0": "done", "1": "failed", "2": "done"}
    assert results["1"].error.code == "internal" and "a shape it does not like" in str(results["1"].error)


def test_an_output_that_cannot_be_written_is_one_failed_item(run, tmp_path):
    (tmp_path / "out" / "1.png" / "in the way").mkdir(parents=True)
    results = run(FakeModel(), count=3)
    assert statuses(results) == {"0": "done", "1": "failed", "2": "done"}
    assert results["1"].error.code == "write"


def test_no_temporary_file_stays(run, tmp_path):
    run(FakeModel(), count=3)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".omnialpha", "0.png", "1.png", "2.png"]


def test_stop_finishes_the_batch_in_hand_and_begins_no_other(run):
    stop = threading.Event()
    model = FakeModel(lambda requests: stop.set())
    results = run(model, count=12, batch_size=2, stop=stop)
    assert len(model.batches) == 1
    assert statuses(results) == dict.fromkeys(results, "done")
    assert len(results) == model.batches[0]


def test_stopped_before_it_begins_nothing_is_made(run):
    stop = threading.Event()
    stop.set()
    assert run(FakeModel(), stop=stop) == {}


def test_a_fault_of_the_runner_itself_reaches_the_caller(run, monkeypatch):
    def broken(self):
        raise ZeroDivisionError

    monkeypatch.setattr(Pipeline, "_infer", broken)
    monkeypatch.setattr(
        pipeline_module, "pixels_ahead", lambda threads, window: 1
    )  # readers are held back by what is never computed
    with pytest.raises(ZeroDivisionError):
        run(FakeModel(), count=9)


def test_a_fault_where_items_come_from_ends_the_run(run):
    class Broken(Schedule):
        def take(self, stop):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(FakeModel(), schedule=Broken)


@pytest.mark.slow
def test_all_threads_have_ended_with_the_run(run):
    before = threading.active_count()
    run(FakeModel(), count=6)
    assert threading.active_count() == before


def test_leaving_early_ends_all_threads_too(tmp_path, picture):
    before = threading.active_count()
    paths = [picture(tmp_path / "in" / f"{i}.png", seed=i) for i in range(20)]
    items = plan([Source(path, tmp_path / "in") for path in paths], TASKS["matte.auto"], output=tmp_path / "out")
    with Journal(tmp_path / "out") as journal:
        results = iter(pipeline_of(items, FakeModel(), journal, batch_size=1, threads=Threads(2, 1, 1, 2)))
        next(results)
        results.close()
    assert threading.active_count() == before


@pytest.mark.slow
def test_what_is_under_way_is_bounded(run, monkeypatch):
    class Counting(Admission):
        most = 0

        def enter(self, name, pixels):
            super().enter(name, pixels)
            Counting.most = max(Counting.most, len(self._inside))

    monkeypatch.setattr(pipeline_module, "Admission", Counting)
    monkeypatch.setattr(pipeline_module, "pixels_ahead", lambda threads, window: 3 * 96 * 64)
    assert len(run(FakeModel(), count=20, batch_size=8)) == 20
    assert Counting.most <= 3


@pytest.mark.slow
def test_no_more_pixels_are_read_than_may_be_under_way(run, monkeypatch):
    reading, most, turn = set(), [], threading.Lock()
    original, finish = worker_module.read_image, pipeline_module.finish

    def read(path, max_pixels, *, admit, **more):
        def admitted(pixels):
            admit(pixels)
            with turn:
                reading.add(path)
                most.append(len(reading))

        return original(path, max_pixels, admit=admitted, **more)

    def finished(prepared, *rest):
        with turn:
            reading.remove(prepared.source.path)
        return finish(prepared, *rest)

    monkeypatch.setattr(worker_module, "read_image", read)
    monkeypatch.setattr(pipeline_module, "finish", finished)
    monkeypatch.setattr(pipeline_module, "pixels_ahead", lambda threads, window: 2 * 96 * 64)
    assert len(run(FakeModel(), count=12, batch_size=8, threads=Threads(4, 1, 1, 2))) == 12
    assert max(most) <= 2


def test_memory_is_weighed_when_those_before_have_left(run, monkeypatch):
    """Two pictures of which each takes all that is free: the second waits for the first, and then fits."""
    inside = set()

    class Counted(Admission):
        def enter(self, name, pixels):
            super().enter(name, pixels)
            inside.add(name)

        def leave(self, name):
            inside.discard(name)
            super().leave(name)

    monkeypatch.setattr(pipeline_module, "Admission", Counted)
    monkeypatch.setattr(pipeline_module, "pixels_ahead", lambda threads, window: 1)
    monkeypatch.setattr(opening, "ALWAYS_FREE", 0)
    monkeypatch.setattr(opening, "free_memory", lambda: 96 * 64 * opening.PIXEL_BYTES * (len(inside) < 2))
    assert statuses(run(FakeModel(), count=4, batch_size=1)) == dict.fromkeys("0123", "done")


class TestAdmission:
    @pytest.mark.parametrize(("items", "pixels"), [(4, 1000), (1, 1)], ids=["pixels", "pictures"])
    def test_pixels_and_pictures_inside_are_bounded(self, items, pixels):
        admission = Admission(items, pixels=100)
        admission.enter("first", pixels)
        waiting = threading.Thread(target=admission.enter, args=("second", 1), daemon=True)
        waiting.start()
        assert waiting.is_alive()
        admission.leave("first")
        waiting.join(10)
        assert not waiting.is_alive()


class TestAnInputThatChangesWhileItIsRead:
    def changing(self, monkeypatch, tmp_path, times: int):
        """Another picture takes its place right after it was opened, so many times."""
        original, left = worker_module.read_image, iter(range(times))

        def read(path, *arguments, **more):
            image = original(path, *arguments, **more)
            if (number := next(left, None)) is not None:
                PILImage.new("RGB", (96, 64), (200 + number, 0, 0)).save(path)
            return image

        monkeypatch.setattr(worker_module, "read_image", read)

    def test_the_result_is_of_the_bytes_that_are_recorded(self, run, monkeypatch, tmp_path):
        self.changing(monkeypatch, tmp_path, times=1)
        results = run(FakeModel(), count=1)
        assert statuses(results) == {"0": "done"}
        made = pixels(tmp_path / "out" / "0.png")
        assert (made[..., 3] == 200).all()
        ((entry,),) = read_history(tmp_path / "out").values()
        assert entry.fingerprint.inputs[0].sha256 == sha256(tmp_path / "in" / "0.png")

    def test_one_that_never_rests_is_a_failed_item(self, run, monkeypatch, tmp_path):
        self.changing(monkeypatch, tmp_path, times=50)
        result = run(FakeModel(), count=1)["0"]
        assert result.error.code == "unreadable"
        assert "changes while it is read" in str(result.error)
        assert not list((tmp_path / "out").glob("*.png"))


def test_a_journal_that_cannot_be_made_again_ends_the_run(run, tmp_path):
    def lose(requests):
        (tmp_path / "out" / ".omnialpha").rename(tmp_path / "moved")
        (tmp_path / "out" / ".omnialpha").write_bytes(b"in the way")

    with pytest.raises(LostError, match=r"0-of-1.jsonl was removed while this run wrote to it"):
        run(FakeModel(lose), count=1)
