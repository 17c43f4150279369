"""Judged pictures as they come → a table or records on standard output, a page, and a sheet of the worst.

Not imported until a command runs: it needs torch.
"""

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from statistics import mean
from typing import Any

import typer

from ....cli import ndjson
from ....cli.console import counted, say
from ....media.inline import encode_jpeg
from ....media.write import write_png
from ....status import ExitStatus, ItemError, UsageError
from ..judge import Judged
from ..page import Column, Row, Table, write_page
from ..panels import Panel, sheet
from ..scores import METRICS, Figures, badness, summarise
from ..sets import MANY, Sets
from .options import ShowOptions

WORST = 10


def show(
    task: str,
    judged: Iterable[Judged | ItemError],
    options: ShowOptions,
    about: Mapping[str, Any],
    sets: Sets | None = None,
) -> ExitStatus:
    """Report every picture, then the summary. `about` says what was judged, for the records and the title.

    `sets` holds all results and truths once `judged` has ended.
    """
    if options.worst and options.worst.suffix.lower() != ".png":
        raise UsageError(f"--worst {options.worst}: a PNG is written; name it .png")
    done: list[Judged] = []
    pictures: list[dict[str, bytes]] = []
    worst: list[tuple[float, int, list[Panel]]] = []
    failed = 0
    for number, one in enumerate(judged, 1):
        if isinstance(one, ItemError):
            failed += 1
            say(f"failed: {one}")
            if options.json:
                typer.echo(ndjson.line(f"eval.{task}.failed", {"code": one.code, "message": str(one)}), nl=False)
            continue
        if options.json:
            typer.echo(ndjson.line(f"eval.{task}.item", _record(one)), nl=False)
        else:
            say(f"{number} {one.name}")
        if options.worst:
            worst = heapq.nlargest(WORST, [*worst, (badness(one.scores), number, list(one.panels.values()))])
        if options.report:
            pictures.append({title: encode_jpeg(panel) for title, panel in one.panels.items()})
        done.append(replace(one, panels={}))
    if not done:
        say("no picture could be judged")
        return ExitStatus.FAILED
    figures = summarise([one.scores for one in done])
    baselines = {name: summarise([one.baselines.get(name, {}) for one in done]) for name in done[0].baselines}
    height, width = (round(mean(one.size[axis] for one in done)) for axis in (0, 1))
    told = "".join(f"{name} {value}, " for name, value in about.items() if value is not None)
    title = f"{task}: {told}{counted(len(done), 'picture')} of {width}×{height} on average"
    totals = _totals(sets)
    table = _table(figures, baselines, totals)
    if options.json:
        record = {**about, "count": len(done), "failed": failed, "height": height, "width": width}
        record |= {"scores": _plain(figures), "baselines": {name: _plain(base) for name, base in baselines.items()}}
        if sets is not None:
            record |= {"set": totals, "truth": sets.counts[1]}
        typer.echo(ndjson.line(f"eval.{task}", record), nl=False)
    else:
        print_table(title, table)
    if options.worst:
        write_png(options.worst, sheet([panels for *_, panels in worst]), "8")
    if options.report:
        columns = [Column(METRICS[name].title, METRICS[name].digits, METRICS[name].higher) for name in figures]
        rows = [
            Row(one.name, [one.scores.get(name) for name in figures], images)
            for one, images in zip(done, pictures, strict=True)
        ]
        write_page(options.report, title, table, columns, rows)
    return ExitStatus.FAILED if failed else ExitStatus.OK


def print_table(title: str, content: Table) -> None:
    """On standard output."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as RichTable

    table = RichTable(box=SIMPLE_HEAD)
    for i, column in enumerate(content.head):
        table.add_column(column, justify="right" if i else "left")
    for row in content.rows:
        table.add_row(*row)
    console = Console()
    console.print(title, soft_wrap=True, highlight=False, markup=False)
    console.print(table)


def titled(metric: str) -> str:
    """A metric's title, and which way is better."""
    return f"{METRICS[metric].title} {'↑' if METRICS[metric].higher else '↓'}"


def figure(metric: str, value: float | None) -> str:
    """A figure with the metric's digits, empty for None."""
    return "" if value is None else f"{value:z.{METRICS[metric].digits}f}"


def _totals(sets: Sets | None) -> dict[str, float]:
    """The figures of the sets as a whole."""
    if sets is None:
        return {}
    totals = sets.totals()
    if totals and min(sets.counts) < MANY:
        found, known = sets.counts
        say(f"warning: Fréchet distances of few pictures, here {found} and {known}, are larger than of many; compare "
            "them with those of as many alone")  # fmt: skip
    return totals


def _table(
    figures: Mapping[str, Figures], baselines: Mapping[str, Mapping[str, Figures]], totals: Mapping[str, float]
) -> Table:
    rows = [[titled(name), figure(name, value), *[""] * (1 + len(baselines))] for name, value in totals.items()]
    for name, value in figures.items():
        others = [base[name].mean if name in base else None for base in baselines.values()]
        rows.append([titled(name), *(figure(name, cell) for cell in (value.mean, value.median, *others))])
    return Table(["", "mean", "median", *(f"{name}, mean" for name in baselines)], rows)


def _record(judged: Judged) -> dict[str, Any]:
    height, width = judged.size
    record = {"name": judged.name, "height": height, "width": width, "scores": dict(judged.scores)}
    return record | {"baselines": {name: dict(scores) for name, scores in judged.baselines.items()}}


def _plain(figures: Mapping[str, Figures]) -> dict[str, Any]:
    return {name: asdict(value) for name, value in figures.items()}
