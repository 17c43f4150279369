"""Run a command that makes pictures: plan, decide, compute, report. The commands differ only in their task."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from itertools import chain
from pathlib import Path

from ..batch.job import Job, Result
from ..batch.journal import Journal
from ..batch.resume import SHOWN, Choice, choose, read_history
from ..batch.schedule import Shard
from ..item import FRESH_TASK, STEADY_TASK, Item
from ..media.provenance import offset_of
from ..media.signatures import recognise
from ..model.config import LoadOptions, distilled_defaults
from ..picture.settings import FileOptions, Settings
from ..status import ExitStatus, ItemError, NoInputsError, UsageError
from ..tasks import Task, passes, refuse_untrained
from ..weights import store
from ..weights.store import Weights
from .console import Console
from .options import Options
from .planning import Order, check_formats, without_effect
from .previews import FOLDER, Previews, check_page
from .streams import Stop, interrupts, open_report, say_if_slow
from .watch import Chooser, Watched
from .written import PREVIEW, REPORT, Written, check_written, list_of, write_doubtful

MANY = 1000  # items that are expected where nobody knows how many will come


def execute(order: Order, options: Options, settings: Settings) -> ExitStatus:
    """Make the items of an order, and report. Raises OmniAlphaError where nothing can be done at all."""
    task = order.task
    batch_size = _batch_size(options.batch_size)
    check_formats(order.items, settings)
    files = FileOptions(options.compression, round(order.finding.max_pixels * 1e6))
    shard = Shard.parse(options.shard)
    output = order.output
    weights = store.find(options.model)
    weights.require()
    _refuse_several_places(options)
    if options.preview_html:
        check_page(options.preview_html)
    if options.report or options.preview_html:
        _check_files(order, options, output)
    if not options.untrained:
        carried = any(item.lacks_mask and not item.error for item in order.items)
        for needed in (task, STEADY_TASK, FRESH_TASK) if carried else (task,):
            refuse_untrained(needed, weights.name, weights.tasks, "--untrained runs it anyway")
    weights.refuse_several(task)
    items = shard.select(order.items, output)
    doubtful = None if options.min_confidence is None else list_of(output, str(shard))
    loading = _loading(options)
    settings = _resolved(settings, task, options, loading, weights)

    def chooser(told: list[str] | None = None) -> Chooser:
        history = read_history(output, told)
        return lambda some: choose(some, history, output, settings, weights.identity, options.overwrite)

    remarks = list(order.remarks)
    with say_if_slow("comparing with what is done already", options.quiet):
        choice = chooser(remarks)(items)
    job = Job(
        options.model, weights.identity, settings, output, str(shard), len(items), batch_size=batch_size, files=files,
        device="cpu" if options.memory == "cpu" else options.device, loading=loading,
    )  # fmt: skip

    with ExitStack() as stack:
        report = stack.enter_context(open_report(options.report)) if options.report else None
        console = stack.enter_context(Console(options, report, order.pipe))
        if order.pipe:
            stack.enter_context(order.pipe.folder)
        if not order.again:
            _refuse_absent(order, items, console)
        for remark in (*remarks, *without_effect(order, settings)):
            console.warn(remark)
        if weights.caution and not options.lora:
            console.warn(weights.caution)
        if options.dry_run:
            return _foresee(choice, console)
        stop = stack.enter_context(interrupts(lambda: console.warn("stopping; once more to stop at once")))
        previews = None
        if options.preview or options.preview_html or (output / FOLDER).exists():  # sheets of older results go
            previews = stack.enter_context(
                Previews(output, options.preview, options.preview_html, settings, files.max_pixels, console, stop)
            )

        def report_item(result: Result) -> None:
            console.item(result)
            if previews:
                previews.add(result)

        console.begin(len(choice.done) if order.again else len(items), bar=not order.again)
        for item, entry in choice.done:
            offset = offset_of(item.outputs[0]) if settings.trim is not None else None
            report_item(Result(item, "skipped", offset=offset, measures=entry.measures))
        watched = None
        if again := order.again:
            done = [item for item, _ in choice.done]
            watched = Watched(lambda: shard.select(again().items, output), chooser, done, console.warn)
            choice = replace(choice, todo=())
        if watched or any(not item.error for item in choice.todo):
            console.note(f"weights {weights.name} in {weights.folder}")
            console.waits(f"loading weights {weights.name}")
        failed, known = [], any("confidence" in entry.measures for _, entry in choice.done)
        for result in _results(choice, job, options, stop, console, watched):
            console.total += watched is not None
            known |= "confidence" in result.measures
            report_item(result)
            if result.error:
                failed.append(result)
                if options.fail_fast or len(failed) == options.max_failures:
                    stop.event.set()
        if previews:
            previews.finish()
        if order.pipe and not failed and stop.status is None:
            order.pipe.send(order.items[0].outputs[0])
        if watched and stop.status is not None:
            stop.status = None  # which is its normal end
        if doubtful is not None:
            write_doubtful(doubtful, console.doubtful)
            if not known and len(failed) < console.total:
                console.warn("--min-confidence does nothing here: with a hint, and of these weights or this task, "
                             "no confidence is known")  # fmt: skip
        return console.summary(_status(failed, console.total, stop, bool(console.doubtful)))


def _results(
    choice: Choice, job: Job, options: Options, stop: Stop, console: Console, watched: Watched | None
) -> Iterator[Result]:
    """Make what is to be made, or what comes. Nothing heavy is imported, and no weights are read, for nothing."""
    hopeless = [item for item in choice.todo if item.error]
    yield from (Result(item, "failed", error=item.error) for item in hopeless)
    todo = [item for item in choice.todo if not item.error]
    if not (todo or choice.adopted or watched):
        return
    folders = set(map(Path, {os.path.dirname(path) for item in todo for path in item.outputs}))  # noqa: PTH120
    with Journal(job.output, job.shard) as journal:
        journal.remove_leftovers(folders)
        for item, entry in choice.adopted:
            journal.adopt(item, entry)
        if not (todo or watched) or stop.event.is_set():
            return
        from ..batch.pool import Pool
        from ..batch.schedule import Schedule
        from ..batch.worker import Worker
        from ..picture.load import list_devices

        job = replace(job, items=MANY if watched else len(todo))
        if options.devices is not None:
            yield from Pool(job.shared_by(list_devices(options.devices)), todo, stop.event, console.note)
            journal.remove_leftovers(folders)  # of workers that died
        elif options.ray is not None:
            from ..batch.on_ray import run_on_ray

            yield from run_on_ray(job, todo, options.ray, stop.event)
            journal.remove_leftovers(folders)
        else:
            worker = Worker(job)
            console.note(f"on {worker}")
            console.waits("waiting for pictures" if watched else "making the first picture")
            yield from worker.make(watched or Schedule(todo), journal, stop.event)
            console.note(f"busy: {worker.times}")


def _loading(options: Options) -> LoadOptions:
    """Return how the weights are to be loaded. Raises UsageError for a LoRA that cannot be."""
    loras = [store.parse_adapter(text) for text in options.lora or ()]
    if options.distilled:
        store.parse_adapter(str(options.distilled))
    return LoadOptions(loras, True, options.distilled, options.memory, options.quantize, options.compile)


def _resolved(settings: Settings, task: Task, options: Options, loading: LoadOptions, weights: Weights) -> Settings:
    """Return the settings with what the weights, and the options of the model, say of them. Raises UsageError."""
    first, *_ = passes(task, weights.tasks) or [task]
    defaults = weights.defaults(first.name)
    if loading.distilled_lora:
        defaults |= distilled_defaults(loading.distilled_lora)
    return replace(
        settings,
        dtype=defaults["dtype"] if options.dtype == "auto" else options.dtype,
        adapters=store.identity_of(loading.adapters),
        quantize=None if options.quantize == "none" else options.quantize,
    ).resolved(defaults)


def _foresee(choice: Choice, console: Console) -> ExitStatus:
    """Show the plan. The exit code is that of the real run as far as it can be foreseen."""
    for item, _ in choice.done:
        console.planned(Result(item, "skipped"))
    for item in choice.todo:
        fault = item.error
        try:
            for path in () if fault else item.inputs:
                recognise(path)  # by its first bytes
        except ItemError as error:
            fault = error
        console.planned(Result(item, "failed" if fault else "done", error=fault))
    status = ExitStatus.FAILED if console.counts["failed"] else ExitStatus.OK
    return console.summary(status, dry_run=True)


def _status(failed: Sequence[Result], items: int, stop: Stop, doubtful: bool) -> ExitStatus:
    if stop.status is not None:
        return stop.status
    if failed and len(failed) == items and all(result.error and result.error.code == "memory" for result in failed):
        return ExitStatus.DEVICE
    return ExitStatus.FAILED if failed else ExitStatus.DOUBTFUL if doubtful else ExitStatus.OK


def _refuse_absent(order: Order, items: Sequence[Item], console: Console) -> None:
    """Raise NoInputsError where not one of the inputs exists, in this share of them or another."""
    missing = [item for item in order.items if item.error and item.error.code == "missing"]
    if not missing or len(missing) < len(order.items):
        return
    console.absent(Result(item, "failed", error=item.error) for item in items)
    more = f" (and {len(missing) - SHOWN} more)" if len(missing) > SHOWN else ""
    raise NoInputsError("; ".join(str(item.error) for item in missing[:SHOWN]) + more)


def _refuse_several_places(options: Options) -> None:
    places = {"--device": options.device != "auto", "--devices": options.devices is not None,
              "--ray": options.ray is not None}  # fmt: skip
    given = [name for name, is_given in places.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other; give one")


def _batch_size(text: str) -> int | None:
    if text == "auto":
        return None
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise UsageError(f"--batch-size {text}: give auto, or a number from 1")


def _check_files(order: Order, options: Options, output: Path) -> None:
    """Raise UsageError where an option would write over a file that is read, made, or another's."""
    named = ("--report", options.report, REPORT), ("--preview-html", options.preview_html, PREVIEW)
    files = [Written(option, path, kind) for option, path, kind in named if path is not None]
    read = (path for item in order.items for path in item.inputs)
    lists = [order.finding.files_from] if order.finding.files_from else []
    check_written(files, chain(read, lists), (path for item in order.items for path in item.files), output)
