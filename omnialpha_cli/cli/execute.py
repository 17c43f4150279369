"""One run of a command that makes pictures: plan, decide, compute, report. The commands differ only in their task."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TextIO

from ..batch.journal import Journal, read_history
from ..batch.result import Result
from ..batch.resume import Choice, choose
from ..batch.shard import Shard
from ..model.published import distilled
from ..picture.settings import FileOptions, Settings
from ..plan import STEADY_TASK, Item
from ..status import ExitStatus, UsageError
from ..tasks import find_task, passes
from ..weights import adapters, store
from .console import Console
from .interrupts import Stop, interrupts
from .options import FinishOptions, Options
from .planning import check_formats, output_of
from .previews import Previews, check_page


def execute(
    task: str,
    items: Sequence[Item],
    options: Options,
    *,
    remarks: Sequence[str] = (),
    finishing: FinishOptions | None = None,
    alpha_only: bool = False,
    steady: bool = False,
    effects: bool = False,
    grow: int = 0,
    size: tuple[int, int] | None = None,
    max_pixels: float = 300.0,
) -> ExitStatus:
    """Make the items, and report.

    `finishing` is for mattes, `size` (width, height) for results that have no picture to go by, `max_pixels` in
    megapixels for the others, `steady` for items that build on one another.
    Raises OmniAlphaError where nothing can be done at all.
    """
    batch_size = _batch_size(options.batch_size)
    check_formats(items, options, alpha_only, steady)
    files = FileOptions(options.compression, round(max_pixels * 1e6))
    shard = Shard.parse(options.shard)
    output = output_of(task, options)
    weights = store.find(options.model)
    weights.require()
    _refuse_several_places(options)
    if options.preview_html:
        check_page(options.preview_html)
    if not options.untrained:
        for needed in {task, *(STEADY_TASK for item in items if item.previous)}:
            _refuse_untrained(needed, weights)
    items = shard.select(items, output)
    width, height = size or (None, None)
    first, *_ = passes(find_task(task), weights.tasks) or [find_task(task)]
    defaults = weights.defaults(first.name)
    loras = [adapters.parse(text) for text in options.lora or ()]
    if options.distilled:
        loras.append(adapters.parse(str(options.distilled)))
        defaults |= distilled.defaults(options.distilled)
    settings = Settings(
        options.seed, options.steps, options.guidance, options.canvas, alpha_only,
        defaults["dtype"] if options.dtype == "auto" else options.dtype, width, height,
        steady=steady, effects=effects, grow=grow, depth=options.depth,
        premultiplied=options.premultiplied, exr_parts=options.exr_parts,
        **(asdict(finishing) if finishing else {}),
        adapters=adapters.identity(loras),
        quantize=None if options.quantize == "none" else options.quantize,
    ).resolved(defaults)  # fmt: skip
    _refuse_missing(settings)
    choice = choose(items, read_history(output), output, settings, weights.identity, options.overwrite)

    with ExitStack() as stack:
        report = stack.enter_context(_open_report(options.report)) if options.report else None
        console = stack.enter_context(
            Console(json=options.json, report=report, seed=options.seed, quiet=options.quiet, verbose=options.verbose)
        )
        for remark in remarks:
            console.warn(remark)
        if weights.caution and not options.lora:
            console.warn(weights.caution)
        if options.dry_run:
            return _foresee(choice, console)
        stop = stack.enter_context(interrupts(lambda: console.warn("stopping; once more to stop at once")))
        previews = stack.enter_context(
            Previews(output, options.preview, options.preview_html, files.max_pixels, console, stop)
        )
        console.begin(len(items))
        for item in choice.done:
            result = Result(item, "skipped")
            console.item(result)
            previews.add(result)
        failed = []
        for result in _results(choice, settings, files, output, shard, weights, options, batch_size, stop, console):
            console.item(result)
            previews.add(result)
            if result.error:
                failed.append(result)
                if options.fail_fast or len(failed) == options.max_failures:
                    stop.event.set()
        previews.finish()
        status = _status(failed, len(items), stop)
        console.summary(status)
    return status


def _results(
    choice: Choice, settings: Settings, files: FileOptions, output: Path, shard: Shard, weights: store.Weights,
    options: Options, batch_size: int | None, stop: Stop, console: Console,
) -> Iterator[Result]:  # fmt: skip
    """Make what is to be made. Nothing heavy is imported, and no weights are read, if there is nothing."""
    hopeless = [item for item in choice.todo if item.error]
    yield from (Result(item, "failed", error=item.error) for item in hopeless)
    todo = [item for item in choice.todo if not item.error]
    if not todo and not choice.adopted:
        return
    folders = {path.parent for item in todo for path in item.outputs}
    with Journal(output, str(shard)) as journal:
        journal.remove_leftovers(folders)
        for item, entry in choice.adopted:
            journal.done(item, {name: seal.sha256 for name, seal in entry.outputs.items()})
        if not todo or stop.event.is_set():
            return
        from ..batch.pool import Pool
        from ..batch.schedule import Schedule
        from ..batch.threads import count_cores
        from ..batch.worker import Job, Worker
        from ..picture.devices import list_devices

        job = Job(
            model=options.model, weights=weights.identity, settings=settings, output=output, shard=str(shard),
            items=len(todo), cores=count_cores(), batch_size=batch_size, files=files,
            device="cpu" if options.memory == "cpu" else options.device, loading=_loading(options),
        )  # fmt: skip
        console.note(f"weights {weights.name} in {weights.folder}")
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
            yield from worker.make(Schedule(todo), journal, stop.event)
            console.note(f"busy: {worker.times}")


def _loading(options: Options) -> dict[str, Any]:
    """How the model is loaded, as `api.OmniAlpha.load` takes it."""
    return {
        "loras": [(adapter.path, adapter.strength) for adapter in map(adapters.parse, options.lora or ())],
        "distilled_lora": options.distilled,
        "memory": options.memory,
        "quantize": options.quantize,
        "compile_blocks": options.compile,
    }


def _foresee(choice: Choice, console: Console) -> ExitStatus:
    """Show the plan. The exit code is that of the real run as far as it can be foreseen."""
    for item in choice.done:
        console.planned(Result(item, "skipped"))
    for item in choice.todo:
        console.planned(Result(item, "failed" if item.error else "done", error=item.error))
    status = ExitStatus.FAILED if any(item.error for item in choice.todo) else ExitStatus.OK
    console.summary(status, dry_run=True)
    return status


def _status(failed: Sequence[Result], items: int, stop: Stop) -> ExitStatus:
    if stop.status is not None:
        return stop.status
    if failed and len(failed) == items and all(result.error and result.error.code == "memory" for result in failed):
        return ExitStatus.DEVICE
    return ExitStatus.FAILED if failed else ExitStatus.OK


def _refuse_untrained(task: str, weights: store.Weights) -> None:
    if not passes(find_task(task), weights.tasks):
        command = find_task(task).command
        same = [known for known in weights.tasks if find_task(known).command == command]
        known = ", ".join(same or sorted({find_task(known).command for known in weights.tasks})) or "nothing"
        raise UsageError(f"weights {weights.name} were trained on {known}, not on {task}; --untrained runs it anyway")


def _refuse_several_places(options: Options) -> None:
    places = {"--device": options.device != "auto", "--devices": options.devices is not None,
              "--ray": options.ray is not None}  # fmt: skip
    given = [name for name, is_given in places.items() if is_given]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} exclude each other; give one")


def _refuse_missing(settings: Settings) -> None:
    if settings.refine == "laplacian" and not find_spec("pymatting"):
        raise UsageError('--refine laplacian needs pymatting; get it with: pip install "omnialpha[refine]"')


def _batch_size(text: str) -> int | None:
    """None: to be chosen."""
    if text == "auto":
        return None
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise UsageError(f"--batch-size {text}: give auto, or a number from 1")


def _open_report(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"--report {path}: {error.strerror}") from error
