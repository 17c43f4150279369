"""Judged pictures as they come → a table or records on standard output, and a sheet of the worst."""

import heapq
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import typer

from .. import ndjson
from ..console import say
from .options import ShowOptions

if TYPE_CHECKING:
    from ...evaluation.judge import Judged
    from ...evaluation.scores import Figures

WORST = 10


def show(task: str, judged: "Iterable[Judged]", options: ShowOptions, about: Mapping[str, Any]) -> None:
    """Report every picture, then the summary. `about` says what was judged, for the records and the title."""
    from statistics import mean

    from ...evaluation.scores import badness, summarise

    done: list[Judged] = []
    worst: list[tuple[float, int, Judged]] = []
    for number, one in enumerate(judged):
        done.append(_without_panels(one))
        if options.worst:
            heapq.heappush(worst, (badness(one.scores), number, one))
            if len(worst) > WORST:
                heapq.heappop(worst)
        if options.json:
            typer.echo(ndjson.line(f"eval.{task}.item", _record(one)), nl=False)
        else:
            say(f"{number + 1} {one.name}")
    if not done:
        say("warning: no picture could be judged")
        return
    figures = summarise([one.scores for one in done])
    baselines = {name: summarise([one.baselines.get(name, {}) for one in done]) for name in done[0].baselines}
    size = [round(mean(one.size[axis] for one in done)) for axis in (0, 1)]
    if options.json:
        record = {**about, "count": len(done), "height": size[0], "width": size[1], "scores": _plain(figures)}
        record["baselines"] = {name: _plain(values) for name, values in baselines.items()}
        typer.echo(ndjson.line(f"eval.{task}", record), nl=False)
    else:
        told = ", ".join(f"{name} {value}" for name, value in about.items() if value is not None)
        title = f"{task}: {told}; {len(done)} pictures of {size[1]}×{size[0]} on average"
        _print_table(title, figures, baselines)
    if options.worst:
        from ...evaluation.panels import sheet
        from ...media.write import write_png

        rows = [list(one.panels.values()) for _, _, one in sorted(worst, reverse=True)]
        write_png(options.worst, sheet(rows), "8")


def _without_panels(judged: "Judged") -> "Judged":
    from dataclasses import replace

    return replace(judged, panels={})


def _record(judged: "Judged") -> dict[str, Any]:
    height, width = judged.size
    record = {"name": judged.name, "height": height, "width": width, "scores": dict(judged.scores)}
    return record | {"baselines": {name: dict(scores) for name, scores in judged.baselines.items()}}


def _plain(figures: "Mapping[str, Figures]") -> dict[str, Any]:
    from dataclasses import asdict

    return {name: asdict(value) for name, value in figures.items()}


def _print_table(
    title: str, figures: "Mapping[str, Figures]", baselines: "Mapping[str, Mapping[str, Figures]]"
) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    from ...evaluation.scores import METRICS

    table = Table(box=SIMPLE_HEAD)
    table.add_column("")
    for column in ("mean", "median", *(f"{name}, mean" for name in baselines)):
        table.add_column(column, justify="right")
    for name, value in figures.items():
        digits = METRICS[name].digits
        others = [values.get(name) for values in baselines.values()]
        cells = [value.mean, value.median, *(other and other.mean for other in others)]
        better = "↑" if METRICS[name].higher else "↓"
        row = ("" if cell is None else f"{cell:z.{digits}f}" for cell in cells)
        table.add_row(f"{METRICS[name].title} {better}", *row)
    console = Console()
    console.print(title, soft_wrap=True, highlight=False, markup=False)
    console.print(table)
