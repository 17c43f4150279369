"""Show two sets of judged pictures: a table or records on standard output, and a page with both side by side.

Not imported until a command runs: it needs torch.
"""

import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from statistics import mean

import numpy as np
import PIL.Image
import typer
from numpy.typing import NDArray

from ....cli.streams import counted, record_line, say
from ....cli.written import SCORES, Written, check_written
from ....media.inline import encode_jpeg
from ....status import ExitStatus, ItemError
from ...table import print_table
from ..compare import ENOUGH, Comparison, compare
from ..judge import GIVEN, Judged
from ..page import Column, Row, Table, write_page
from ..panels import difference
from ..scores import METRICS
from .options import RecordOptions
from .show import figure, titled

SIDES = ("A", "B")
TELLING = ("matte", "alpha", "foreground", "result")  # panels whose difference is shown, the first that there is


@dataclass
class _Side:
    judged: dict[str, Judged] = field(default_factory=dict)
    pictures: dict[str, dict[str, bytes]] = field(default_factory=dict)
    failed: int = 0


def report(
    task: str, names: tuple[str, str], judged: tuple[Iterable[Judged | ItemError], ...], options: RecordOptions
) -> ExitStatus:
    """Compare the pictures that could be judged on both sides, called by `names`."""
    if options.report:
        check_written([Written("--report", options.report, SCORES)])
    sides = [_collect(name, each, options.report is not None) for name, each in zip(names, judged, strict=True)]
    a, b = sides
    shared = [name for name in a.judged if name in b.judged]
    if not shared:
        say("no picture could be judged in both")
        return ExitStatus.FAILED
    if len(shared) < ENOUGH:
        say(f"warning: fewer than {ENOUGH} pictures are too few to say which is better")
    height, width = (round(mean(a.judged[name].size[axis] for name in shared)) for axis in (0, 1))
    comparisons = compare(*({name: side.judged[name].scores for name in shared} for side in sides))
    if options.json:
        for name in shared:
            record = {"name": name, "a": dict(a.judged[name].scores), "b": dict(b.judged[name].scores)}
            typer.echo(record_line("eval.compare.item", record), nl=False)
        scores = {metric: asdict(one) for metric, one in comparisons.items()}
        summary = {"task": task, "a": names[0], "b": names[1], "count": len(shared), "height": height, "width": width,
                   "scores": scores}  # fmt: skip
        typer.echo(record_line("eval.compare", summary), nl=False)
    title = f"{task}: A {names[0]}, B {names[1]}; {counted(len(shared), 'picture')} of {width}×{height} on average"
    table = _table(comparisons)
    if not options.json:
        print_table(title, table.head, table.rows)
    if options.report:
        columns, rows = _rows(a, b, shared, list(comparisons))
        write_page(options.report, title, [table], columns, {"All": rows})
    return ExitStatus.FAILED if a.failed or b.failed else ExitStatus.OK


def _collect(name: str, judged: Iterable[Judged | ItemError], pictures: bool) -> _Side:
    side = _Side()
    for one in judged:
        if isinstance(one, ItemError):
            side.failed += 1
            say(f"failed: {one}")
            continue
        say(f"{name}: {one.name}")
        side.judged[one.name] = replace(one, panels={})
        if pictures:
            side.pictures[one.name] = {title: encode_jpeg(panel) for title, panel in one.panels.items()}
    return side


def _table(comparisons: dict[str, Comparison]) -> Table:
    rows = []
    for metric, one in comparisons.items():
        low, high = (figure(metric, x) for x in (one.difference.low, one.difference.high))
        cells = [figure(metric, x) for x in (one.a, one.b, one.difference.estimate)]
        rows.append([titled(metric), *cells, f"{low} … {high}", one.better])
    return Table(["", "A, mean", "B, mean", "B − A", "95 % interval", "better"], rows)


def _rows(a: _Side, b: _Side, shared: list[str], metrics: list[str]) -> tuple[list[Column], list[Row]]:
    """Return the difference in every metric, and both figures of the first; worst for B first."""
    first = metrics[0]
    columns = [Column(f"B − A: {METRICS[m].title}", METRICS[m].digits, METRICS[m].higher) for m in metrics]
    columns += [Column(f"{side}: {METRICS[first].title}", METRICS[first].digits, METRICS[first].higher)
                for side in SIDES]  # fmt: skip
    rows = []
    for name in shared:
        one, other = a.judged[name].scores, b.judged[name].scores
        panel_title = next(title for title in TELLING if title in a.pictures[name])
        between = (decode_jpeg(side.pictures[name][panel_title]) / np.float32(255) for side in (b, a))
        figures = [other[m] - one[m] if m in one and m in other else None for m in metrics]
        pictures = {title: jpeg for title, jpeg in a.pictures[name].items() if title in GIVEN}
        for title in a.pictures[name]:
            if title not in GIVEN:
                pictures |= {f"{side}: {title}": s.pictures[name][title] for side, s in zip(SIDES, (a, b), strict=True)}
        pictures[f"B − A: {panel_title}"] = encode_jpeg(difference(*between))
        rows.append(Row(name, [*figures, one[first], other[first]], pictures))
    return columns, rows


def decode_jpeg(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels (H, W, 3) of a small JPEG picture."""
    return np.asarray(PIL.Image.open(io.BytesIO(data)).convert("RGB"))
