"""Write one self-contained HTML page of a run: each item's outcome, and a slider between before and after.

It is written as the run goes: pictures first, each item's as a block of JSON that the page parses only when it is
looked at, then the list of items, failures and doubtful ones first. So neither writing nor reading it takes memory for
all pictures.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Literal, TextIO

from ..files import naming
from ..imaging.canvas import to_bytes
from ..media.inline import data_uri, encode_jpeg, encode_webp
from .look import Look, Small

SIDE = 960  # pixels of the longer side
HEAD, FOOT = Path(__file__).with_name("page.html").read_text(encoding="utf-8").split("<!-- ITEMS -->")


@dataclass(frozen=True)
class Row:
    """Hold an item: `name` and `note` (its output, or what went wrong) are text, `pictures` the number of its block.

    `confidence` is None where it is not known.
    """

    status: Literal["done", "skipped", "failed"]
    name: str
    note: str
    pictures: int | None = None
    confidence: float | None = None

    @property
    def place(self) -> tuple[bool, bool, float, str]:
        """Return what rows are sorted by: what failed, then the known confidences, doubtful first, then the rest."""
        return self.status != "failed", self.confidence is None, self.confidence or 0.0, self.status


class Page:
    """Write a page, under a hidden name until it is finished."""

    def __init__(self, path: Path):
        """Raises ItemError `write`."""
        self.path = path
        self.pictures = 0  # items that have some
        self._temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        with naming(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: TextIO = self._temporary.open("w", encoding="utf-8")
            self._file.write(HEAD)

    def close(self) -> None:
        """Leave nothing behind if it was not finished."""
        self._file.close()
        self._temporary.unlink(missing_ok=True)

    def add(self, block: str) -> int:
        """Take in an item's pictures, as `block_of` gives them; gives their number. Raises ItemError `write`."""
        number = self.pictures
        with naming(self.path):
            self._file.write(f'<script type="application/json" id="p{number}">{block}</script>\n')
        self.pictures += 1
        return number

    def finish(self, title: str, summary: str, rows: Sequence[Row]) -> None:
        """Write the list of items, failures and doubtful ones first, and give it its name. Raises ItemError `write`."""
        with naming(self.path):
            self._file.write(f"<title>{escape(title)}</title>\n<header><h1>{escape(title)}</h1>")
            self._file.write(f"<p>{escape(summary)}</p></header>\n<ol id=items>\n")
            for row in sorted(rows, key=lambda row: row.place):
                sure = "" if row.confidence is None else f" · confidence {row.confidence:.2f}"
                block = "" if row.pictures is None else f' data-pictures="p{row.pictures}"'
                self._file.write(
                    f"<li><button class={row.status}{block}><i>{row.status}</i><b>{escape(row.name)}</b>"
                    f"<span>{escape(row.note)}{sure}</span></button>\n"
                )
            self._file.write("</ol>\n" + FOOT)
            self._file.close()
            self._temporary.replace(self.path)


def block_of(look: Look) -> str:
    """Return the pictures of an item, as JSON that can stand in a page."""
    views = list(look.layers) if len(look.layers) == 1 else [("composite", look.composite), *look.layers]
    height, width = views[0][1].rgba.shape[1:]
    block = {
        "width": width,
        "height": height,
        "before": look.before and _inline(look.before),
        "views": [{"title": title, "image": _inline(picture)} for title, picture in views],
    }
    return json.dumps(block).replace("<", "\\u003c")


def _inline(picture: Small) -> str:
    """Embed a picture as encoded: a browser lays linear files over backgrounds only nearly as a compositor does."""
    if picture.is_opaque:
        return data_uri(encode_jpeg(to_bytes(picture.srgb()[:3])))
    return data_uri(encode_webp(to_bytes(picture.srgb())), "webp")
