"""Draw `--preview` and `--preview-html` beside the run, in threads of their own, from the files that were written."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Self

from .. import __version__
from ..batch.job import count_cores
from ..files import atomic, path_below
from ..inputs import STATE_FOLDER
from ..status import ItemError, UsageError
from .console import Console
from .streams import Stop, printable

if TYPE_CHECKING:
    from ..batch.job import Result
    from ..item import Item
    from ..picture.settings import Settings
    from ..preview.page import Page, Row

FOLDER = Path(STATE_FOLDER, "previews")  # in the output folder
MANY = 20  # previews that the user is told to wait for
PICTURED = 200  # items with pictures on the page: at about 200 kB each, 40 MB


def sheet_of(item: "Item", output: Path) -> Path:
    """Return the path of an item's contact sheet: its output's below the folder of previews, with `.jpg` behind it."""
    result = item.outputs[0].parent if item.manifest else item.outputs[0]
    return output / FOLDER / f"{path_below(result, output)}.jpg"


class Previews:
    """Draw the previews of one run in threads that hold one item's pictures each: `add` begins, `finish` waits."""

    def __init__(
        self, output: Path, sheets: bool, page: Path | None, settings: "Settings", max_pixels: int,
        console: Console, stop: Stop,
    ):  # fmt: skip
        """Raises UsageError where the page cannot be written."""
        self.output, self.sheets, self.max_pixels, self.console, self.stop = output, sheets, max_pixels, console, stop
        self.settings = settings
        self.page = _open(page) if page else None
        self.rows: dict[int, Row] = {}  # by the order of the results
        self.faults: list[str] = []
        self._added = self._drawn = 0
        self._turn = threading.Lock()
        self._pool = ThreadPoolExecutor(max(1, count_cores() // 4))  # without work it has no threads

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Drop what waits after a fault."""
        self._pool.shutdown(cancel_futures=True)
        if self.page:
            self.page.close()

    def add(self, result: "Result") -> None:
        """Take note of a result. The sheet of an older one is gone at once."""
        if result.status == "done":
            with suppress(OSError):
                sheet_of(result.item, self.output).unlink()
        if self.sheets or self.page:
            self._pool.submit(self._show, self._added, result)
            self._added += 1

    def finish(self) -> None:
        """Wait for what is to be drawn, write the page, and tell. A run that is stopped leaves the rest to another."""
        if (waiting := self._added - self._drawn) > MANY:
            self.console.tell(f"drawing {waiting} more previews")
        self._pool.shutdown()
        if self.page:
            try:
                title = f"{printable(self.output)} – omnialpha {__version__}"
                self.page.finish(title, self._headline(), [row for _, row in sorted(self.rows.items())])
            except ItemError as error:
                self.faults.append(str(error))
        if self.faults:
            more = f" (and {len(self.faults) - 1} more)" if len(self.faults) > 1 else ""
            self.console.warn(f"a preview is missing: {self.faults[0]}{more}")
        if self.sheets:
            self.console.tell(f"previews in {self.output / FOLDER}")

    def _headline(self) -> str:
        assert self.page
        counts = Counter(row.status for row in self.rows.values())
        parts = [f"{counts[status]} {status}" for status in ("failed", "done", "skipped") if counts[status]]
        if self.page.pictures < counts["done"] + counts["skipped"]:
            parts.append(f"with the pictures of {self.page.pictures}")
        return ", ".join(parts)

    def _show(self, number: int, result: "Result") -> None:
        """Draw one result, unless the run was stopped; its number is that of its row on the page."""
        pictures = None
        if result.status != "failed" and self.stop.status is None:
            try:
                pictures = self._draw(result.item)
            except ItemError as error:
                self.faults.append(str(error))
            except Exception as error:  # a preview is not worth a run
                self.faults.append(f"{result.item.label}: {type(error).__name__}: {error}")
        with self._turn:
            self._drawn += 1
            if self.page:
                self.rows[number] = _row(result, pictures)

    def _draw(self, item: "Item") -> int | None:
        """Draw what is missing; gives the number of the item's pictures on the page, if there are any."""
        sheet = sheet_of(item, self.output) if self.sheets else None
        with suppress(OSError):
            newest = max(path.stat().st_mtime_ns for path in item.outputs)
            sheet = None if sheet and sheet.stat().st_mtime_ns >= newest else sheet
        page = self.page if self.page and self.page.pictures < PICTURED else None
        if not sheet and not page:
            return None
        from ..batch.job import use_torch_threads
        from ..media.channels import Pick
        from ..preview import page as pages
        from ..preview import sheet as sheets
        from ..preview.look import look

        use_torch_threads(1)  # others compute
        pick = Pick(self.settings.layer, self.settings.view)
        small = look(item, pages.SIDE if page else sheets.SIDE, self.max_pixels, pick)
        if sheet:
            with atomic(sheet) as temporary:
                temporary.write_bytes(sheets.draw_sheet(small))
        if not page:
            return None
        block = pages.block_of(small)
        with self._turn:
            return page.add(block)


def check_page(path: Path) -> None:
    """Raise UsageError where FILE of `--preview-html` is not a page's name, so that no picture is overwritten."""
    if path.suffix.lower() not in (".html", ".htm") or path.is_dir():
        raise UsageError(f"--preview-html {path}: give a name that ends in .html")


def _open(path: Path) -> "Page":
    from ..preview.page import Page

    try:
        return Page(path)
    except ItemError as error:
        raise UsageError(f"--preview-html: {error}") from error


def _row(result: "Result", pictures: int | None) -> "Row":
    from ..preview.page import Row

    item = result.item
    name = item.text if item.text and not item.inputs else item.label
    note = str(result.error) if result.error else str(item.outputs[0].parent if item.manifest else item.outputs[0])
    return Row(result.status, printable(name), printable(note), pictures, result.measures.get("confidence"))
