"""Show judged pictures: a table or records on standard output, a page, and a sheet of the worst.

Not imported until a command runs: it needs torch.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from statistics import mean
from typing import Any

import typer

from ....cli.streams import counted, record_line, say
from ....cli.written import SCORES, Written, check_written
from ....cli.written import WORST as WORST_SHEET
from ....media.inline import encode_jpeg
from ....media.write import write_png
from ....status import ExitStatus, ItemError, UsageError
from ...table import print_table
from ..judge import Judged
from ..page import Column, Row, Table, write_page
from ..panels import Panel, sheet
from ..scores import BY_SOURCE, METRICS, WORST_BY, Figures, badness, summarise
from ..sets import MANY, Sets
from .options import ShowOptions

WORST = 10  # pictures of --worst
WORST_SHOWN = 20  # pictures of a section of the page
ALL = "all"


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
    named = ("--report", options.report, SCORES), ("--worst", options.worst, WORST_SHEET)
    check_written([Written(option, path, kind) for option, path, kind in named if path is not None])
    done: list[Judged] = []
    pictures: list[dict[str, bytes]] = []
    worst: list[tuple[float, int, list[Panel]]] = []
    failed = 0
    for number, one in enumerate(judged, 1):
        if isinstance(one, ItemError):
            failed += 1
            say(f"failed: {one}")
            if options.json:
                typer.echo(record_line(f"eval.{task}.failed", {"code": one.code, "message": str(one)}), nl=False)
            continue
        if options.json:
            typer.echo(record_line(f"eval.{task}.item", _record(one)), nl=False)
        else:
            say(f"{number} {one.name}")
        if options.worst:
            worst = heapq.nlargest(WORST_SHOWN, [*worst, (badness(one.scores), number, list(one.panels.values()))])
        if options.report:
            pictures.append({title: encode_jpeg(panel) for title, panel in one.panels.items()})
        done.append(replace(one, panels={}))
    if not done:
        say("no picture could be judged")
        return ExitStatus.FAILED
    figures = summarise([one.scores for one in done])
    baselines = {name: summarise([one.baselines.get(name, {}) for one in done]) for name in done[0].baselines}
    height, width = (round(mean(one.size[axis] for one in done)) for axis in (0, 1))
    settings = "".join(f"{name} {value}, " for name, value in about.items() if value is not None)
    title = f"{task}: {settings}{counted(len(done), 'picture')} of {width}×{height} on average"
    totals = _totals(sets)
    tables = [_table(figures, baselines, totals)]
    sources = by_source(done)
    if sources:
        tables.append(_table_by_source(sources))
    if options.json:
        record = {**about, "count": len(done), "failed": failed, "height": height, "width": width}
        record |= {"scores": _plain(figures), "baselines": {name: _plain(base) for name, base in baselines.items()}}
        if sources:
            record["sources"] = {name: _plain(each) for name, each in sources.items() if name != ALL}
        if sets is not None:
            record |= {"set": totals, "truth": sets.counts[1]}
        typer.echo(record_line(f"eval.{task}", record), nl=False)
    else:
        for number, table in enumerate(tables):
            print_table(title if number == 0 else "by source", table.head, table.rows)
    if options.worst:
        write_png(options.worst, sheet([panels for *_, panels in worst]), "8", software="omnialpha eval --worst")
    if options.report:
        columns = [Column(METRICS[name].title, METRICS[name].digits, METRICS[name].higher) for name in figures]
        rows = [
            Row(one.name, [one.scores.get(name) for name in figures], images)
            for one, images in zip(done, pictures, strict=True)
        ]
        sections = {
            f"The {WORST_SHOWN} worst by {METRICS[metric].title}": _worst_rows(done, rows, metric)
            for metric in WORST_BY
            if metric in figures and len(done) > WORST_SHOWN
        }
        write_page(options.report, title, tables, columns, {**sections, "All": rows})
    return ExitStatus.FAILED if failed else ExitStatus.OK


def titled(metric: str) -> str:
    """Return a metric's title, and which way is better."""
    return f"{METRICS[metric].title} {'↑' if METRICS[metric].higher else '↓'}"


def figure(metric: str, value: float | None) -> str:
    """Return a figure with the metric's digits, empty for None."""
    return "" if value is None else f"{value:z.{METRICS[metric].digits}f}"


def _totals(sets: Sets | None) -> dict[str, float]:
    """Return the figures of the sets as a whole."""
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


def by_source(judged: Sequence[Judged]) -> dict[str, dict[str, Figures]]:
    """Summarise `scores.BY_SOURCE` of the pictures of each source, and of all; nothing where no source is known."""
    groups: dict[str, list[Mapping[str, float]]] = {}
    for one in judged:
        if one.source:
            scores = {name: one.scores[name] for name in BY_SOURCE if name in one.scores}
            groups.setdefault(one.source, []).append(scores)
    if not any(row for rows in groups.values() for row in rows):
        return {}
    each = {name: summarise(groups[name]) for name in sorted(groups)}
    return each | {ALL: summarise([row for rows in groups.values() for row in rows])}


def _table_by_source(sources: Mapping[str, Mapping[str, Figures]]) -> Table:
    names = list(sources[ALL])
    rows = [
        [source, str(next(iter(each.values())).count), *(figure(name, each[name].mean) for name in names)]
        for source, each in sources.items()
    ]
    return Table(["source", "pictures", *map(titled, names)], rows)


def _worst_rows(judged: Sequence[Judged], rows: Sequence[Row], metric: str) -> list[Row]:
    ordered = sorted(zip(judged, rows, strict=True), key=lambda pair: badness(pair[0].scores, metric), reverse=True)
    return [row for _, row in ordered[:WORST_SHOWN]]


def _record(judged: Judged) -> dict[str, Any]:
    height, width = judged.size
    record = {
        "name": judged.name,
        "source": judged.source,
        "height": height,
        "width": width,
        "scores": dict(judged.scores),
    }
    return record | {"baselines": {name: dict(scores) for name, scores in judged.baselines.items()}}


def _plain(figures: Mapping[str, Figures]) -> dict[str, Any]:
    return {name: asdict(value) for name, value in figures.items()}
