"""Write a self-contained HTML page of scores and small pictures: a row a picture, sorted by a click on a column.

`page.html` has placeholders for the title, the tables above the pictures and the sections of pictures.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ...files import atomic
from ...media.inline import data_uri

PAGE = Path(__file__).with_name("page.html").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Column:
    """Describe a column of figures. `higher` tells that more is better."""

    title: str
    digits: int = 4
    higher: bool = False


@dataclass(frozen=True)
class Row:
    """Hold a picture's figures in the order of the columns, None for a missing one, and its JPEG pictures by title."""

    name: str
    figures: Sequence[float | None]
    pictures: Mapping[str, bytes]


@dataclass(frozen=True)
class Table:
    """Hold a small table of text above the pictures."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def write_page(
    path: Path,
    title: str,
    tables: Sequence[Table],
    columns: Sequence[Column],
    sections: Mapping[str, Sequence[Row]],
) -> None:
    """Write the page; one section of rows is worst first by the first column, several keep their orders but the last.

    Raises ItemError `write`.
    """
    *chosen, (last, rows) = sections.items()
    ordered = sorted(rows, key=lambda row: _worst_first(row.figures[0], columns[0].higher))
    parts = [_section(name, columns, shown) for name, shown in (*chosen, (last, ordered))]
    filled = {"TITLE": escape(title), "TABLES": "\n".join(map(_plain_table, tables)), "SECTIONS": "\n".join(parts)}
    with atomic(path) as temporary:
        temporary.write_text(re.sub("<!-- ([A-Z]+) -->", lambda found: filled[found[1]], PAGE), encoding="utf-8")


def _section(name: str, columns: Sequence[Column], rows: Sequence[Row]) -> str:
    pictures = list(dict.fromkeys(title for row in rows for title in row.pictures))
    head = ["name", *(f"{c.title} {'↑' if c.higher else '↓'}" for c in columns)]
    sortable = "".join(f'<th class="by" tabindex="0">{escape(title)}</th>' for title in head)
    others = "".join(f"<th>{escape(title)}</th>" for title in pictures)
    return "\n".join(
        [
            f"<h2>{escape(name)}</h2>",
            f"<table class=scores><thead><tr>{sortable}{others}</tr></thead><tbody>",
            *(_row(row, columns, pictures) for row in rows),
            "</tbody></table>",
        ]
    )


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
