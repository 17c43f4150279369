"""Give, for `--watch`, the items of new and changed files, as soon as these are whole, until the run is stopped."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from ..batch.resume import Choice
from ..batch.schedule import Source
from ..files import Stamp, is_folder
from ..item import Item
from ..status import ItemError, UsageError
from .options import InputOptions, Options

REST_SECONDS = 2.0  # without a change, after which a file is taken for whole
POLL_SECONDS = 0.5  # between two looks at the folders
SHARE = 0.1  # of the time, at most, for looking

Stamps = tuple[Stamp, ...]
Chooser = Callable[[Sequence[Item]], Choice]  # sorts items by what a history says of them


def check_watch(names: Sequence[str], options: Options, finding: InputOptions, steady: bool) -> None:
    """Raise UsageError where an option does not go with waiting for files."""
    given = {"--steady": steady, "--files-from": finding.files_from, "--frames": finding.frames,
             "--devices": options.devices, "--ray": options.ray, "--dry-run": options.dry_run}  # fmt: skip
    if unfit := [name for name, value in given.items() if value]:
        raise UsageError(f"--watch goes on with what comes; leave {' and '.join(unfit)} out")
    if not any(is_folder(Path(name)) for name in names):
        raise UsageError("--watch needs a folder, into which the pictures come")


def is_settled(since: dict[Path, tuple[Stamps, float]], result: Path, stamps: Stamps, now: float) -> bool:
    """Tell whether the files of a result have had these stamps, kept in `since`, for long; `now` is in seconds."""
    known, start = since.get(result, (None, now))
    if known != stamps:
        since[result] = stamps, now
        start = now
    return now - start >= REST_SECONDS


class Watched(Source):
    """Give the items of folders that fill, for any number of threads; `plan` gives all that are there at the moment.

    `begin` reads what was made until now, and gives what sorts items by it. `tell` is given what stands in the way of
    planning, once.
    """

    def __init__(
        self,
        plan: Callable[[], Sequence[Item]],
        begin: Callable[[], Chooser],
        done: Sequence[Item],
        tell: Callable[[str], object],
    ):
        self._plan, self._begin, self._tell = plan, begin, tell
        self._reported = ""
        self._since: dict[Path, tuple[Stamps, float]] = {}
        self._looking = threading.Lock()
        self._ready: deque[Item] = deque()
        self._known = {item.outputs[0]: _stamps(item) for item in done}  # result → inputs that need no more work

    def take(self, stop: threading.Event) -> Item | None:
        """Return the next item, as soon as one is whole; None when the run is stopped."""
        with self._looking:
            while not self._ready and not stop.is_set():
                start = time.monotonic()
                self._look(start)
                if not self._ready:
                    stop.wait(max(POLL_SECONDS, (time.monotonic() - start) / SHARE))
            return None if stop.is_set() else self._ready.popleft()

    def _look(self, now: float) -> None:
        try:
            items = self._plan()
        except UsageError as error:  # such as two files for one result: it can be mended while the run goes on
            if str(error) != self._reported:
                self._tell(f"{error}; waiting until that is mended")
            self._reported = str(error)
            return
        self._reported = ""
        whole = []
        for item in items:
            if item.error and item.error.code == "hint":
                continue  # it may be on its way
            stamps = _stamps(item)
            known = self._known.get(item.outputs[0]) == stamps
            if known or not stamps or not is_settled(self._since, item.outputs[0], stamps, now):
                continue
            self._known[item.outputs[0]] = stamps
            whole.append(item)
        choose = None  # until there is something to sort
        for item in whole:
            try:
                choose = choose or self._begin()
                self._ready.extend(choose([item]).todo)
            except UsageError as refusal:
                self._ready.append(replace(item, error=ItemError("write", str(refusal))))


def _stamps(item: Item) -> Stamps:
    """Return the stamps of an item's inputs, none where one is gone."""
    try:
        return tuple(map(Stamp.of, item.inputs))
    except (OSError, ValueError):
        return ()
