"""A self-contained HTML page of scores and small pictures: a row a picture, sorted by a click on a column."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ...media.inline import data_uri
from ...media.write import atomic


@dataclass(frozen=True)
class Column:
    """A column of figures. `higher` tells that more is better."""

    title: str
    digits: int = 4
    higher: bool = False


@dataclass(frozen=True)
class Row:
    """One picture: figures in the order of the columns, None where there is none, and JPEG pictures by their titles."""

    name: str
    figures: Sequence[float | None]
    pictures: Mapping[str, bytes]


@dataclass(frozen=True)
class Table:
    """A small table of text above the pictures."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def write_page(path: Path, title: str, summary: Table, columns: Sequence[Column], rows: Sequence[Row]) -> None:
    """Write the page, worst first by the first column. Raises ItemError `write`."""
    first = columns[0]
    ordered = sorted(rows, key=lambda row: _worst_first(row.figures[0], first.higher))
    pictures = list(dict.fromkeys(name for row in rows for name in row.pictures))
    head = ["name", *(f"{c.title} {'↑' if c.higher else '↓'}" for c in columns)]
    sortable = "".join(f'<th class="by" tabindex="0">{escape(name)}</th>' for name in head)
    others = "".join(f"<th>{escape(name)}</th>" for name in pictures)
    parts = [
        HEAD.replace("TITLE", escape(title)),
        f"<h1>{escape(title)}</h1>",
        _plain_table(summary),
        "<p>A click on a figure's name sorts by it. ↑ more is better, ↓ less is better.</p>",
        f"<table id=scores><thead><tr>{sortable}{others}</tr></thead><tbody>",
        *(_row(row, columns, pictures) for row in ordered),
        f"</tbody></table><script>{SORT}</script>\n",
    ]
    with atomic(path) as temporary:
        temporary.write_text("\n".join(parts), encoding="utf-8")


def _worst_first(value: float | None, higher: bool) -> tuple[bool, float]:
    return value is None, 0.0 if value is None else (value if higher else -value)


def _row(row: Row, columns: Sequence[Column], pictures: Sequence[str]) -> str:
    cells = [f"<td>{escape(row.name)}</td>"]
    for column, value in zip(columns, row.figures, strict=True):
        shown = "" if value is None else f"{value:z.{column.digits}f}"
        cells.append(f'<td class=n data-v="{"" if value is None else repr(float(value))}">{shown}</td>')
    for name in pictures:
        image = f'<img alt="{escape(name)}" src="{data_uri(row.pictures[name])}">' if name in row.pictures else ""
        cells.append(f"<td>{image}</td>")
    return f"<tr>{''.join(cells)}</tr>"


def _plain_table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    body = "".join(
        "<tr>" + "".join(f"<td{' class=n' if i else ''}>{escape(cell)}</td>" for i, cell in enumerate(row)) + "</tr>"
        for row in table.rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>TITLE</title>
<style>
body { font: 14px/1.4 system-ui, sans-serif; margin: 1.5em; color: #222; background: #fff }
h1 { font-size: 1.3em }
table { border-collapse: collapse; margin: 1em 0 }
th, td { padding: .25em .6em; border-bottom: 1px solid #ddd; text-align: left; vertical-align: top }
th { position: sticky; top: 0; background: #f4f4f4; vertical-align: bottom }
td.n { text-align: right; font-variant-numeric: tabular-nums }
th.by { cursor: pointer }
th[aria-sort] { background: #dde7f5 }
td img { display: block; max-width: 240px }
</style>
"""

SORT = """
const table = document.getElementById("scores"), body = table.tBodies[0];
const heads = [...table.querySelectorAll("th.by")];
function sortBy(column) {
  const head = heads[column], up = head.getAttribute("aria-sort") !== "ascending";
  heads.forEach(h => h.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const value = row => {
    const cell = row.cells[column];
    if (!("v" in cell.dataset)) return cell.textContent;
    return cell.dataset.v === "" ? null : Number(cell.dataset.v);
  };
  const rows = [...body.rows].sort((a, b) => {
    const x = value(a), y = value(b);
    if (x === null || y === null) return (x === null) - (y === null);
    return (typeof x === "string" ? x.localeCompare(y) : x - y) * (up ? 1 : -1);
  });
  body.append(...rows);
}
heads.forEach((head, i) => {
  head.onclick = () => sortBy(i);
  head.onkeydown = event => { if (event.key === "Enter") sortBy(i); };
});
"""
