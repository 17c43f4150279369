"""Read and write the standard streams and a report, and heed signals: a batch goes on whatever becomes of them."""

import errno
import io
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, BinaryIO, TextIO

from ..status import ExitStatus, UsageError

if TYPE_CHECKING:
    from ..picture.settings import OutputOptions

SCHEMA = "omnialpha/1"  # of records
SOON = 0.4  # seconds for which nobody wonders what a program does
NAMES = "stdin", "stdout", "stderr"
PIPED = "-"  # names a picture on standard input
CHUNK = 2**20  # bytes of its result written at a time
# Options that name, place or list results: with one result on standard output there is nothing for them to do.
WITHOUT_PIPE = ("output", "name", "preview", "preview_html", "report", "json", "shard", "devices", "ray", "dry_run")
SIGNALS = {signal.SIGINT: ExitStatus.INTERRUPTED, signal.SIGTERM: ExitStatus.TERMINATED}


class _Closed(io.RawIOBase):
    """Stand for a stream that was closed before the program began."""

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        return 0

    def write(self, data: object) -> int:
        raise OSError(errno.EBADF, "it is closed")


def replace_closed() -> None:
    """Let no other file take the number of a standard stream that is closed: it would be given the output."""
    for number, name in enumerate(NAMES):
        with suppress(OSError):
            os.fstat(number)
            continue
        os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free, this one
        setattr(sys, name, None)
    for name in NAMES:
        if getattr(sys, name) is None:
            raw = _Closed()
            buffer = io.BufferedReader(raw) if name == "stdin" else io.BufferedWriter(raw, 1)
            setattr(sys, name, io.TextIOWrapper(buffer, "utf-8", "surrogateescape", write_through=True))


def write(stream: TextIO, data: bytes) -> None:
    """Write at once. Raises OSError; what could not be written is not tried again."""
    try:
        stream.flush()
        stream.buffer.write(data)
        stream.buffer.flush()
    except (OSError, ValueError) as error:  # ValueError: closed by somebody
        drop(stream)
        raise error if isinstance(error, OSError) else OSError(errno.EBADF, "it is closed") from error


def drop(stream: TextIO) -> None:
    """Send what a stream still holds, and what is written later, nowhere."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def flush() -> bool:
    """Flush standard output at the end; return whether all could be written, as far as somebody reads it."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        drop(sys.stdout)
    except (OSError, ValueError):
        drop(sys.stdout)
        return False
    return True


def open_report(path: Path) -> BinaryIO:
    """Open the file of --report, without a buffer. Raises UsageError."""
    try:
        return path.open("wb", buffering=0)
    except OSError as error:
        remedy = "make its folder first, or " if isinstance(error, FileNotFoundError) else ""
        raise UsageError(f"--report {path}: {error.strerror}; {remedy}name another file") from error


def record_line(event: str, record: Mapping[str, Any]) -> str:
    """Return one line of NDJSON, with its end: one JSON object with `schema` and `event`; docs/records.md has the rest.

    Paths that are not UTF-8 have lone surrogates (`\\udcff`).
    """
    return json.dumps({"schema": SCHEMA, "event": event, **record}) + "\n"


def printable(text: object) -> str:
    """Escape control characters and bytes that are not UTF-8, so that a text stays on its line."""
    text = str(text)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def say(message: str) -> bool:
    """Write one line to standard error; whether that was possible."""
    try:
        write(sys.stderr, printable(message).encode("utf-8", "backslashreplace") + b"\n")
    except OSError:
        return False
    return True


def counted(count: int, thing: str) -> str:
    """Return "1 picture", "2 pictures"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


@contextmanager
def say_if_slow(what: str, quiet: bool) -> Iterator[threading.Timer]:
    """Say what the block does unless it ends soon, or little is to be said."""
    timer = threading.Timer(SOON, say, (f"{what} …",))
    timer.daemon = True
    if not quiet:
        timer.start()
    try:
        yield timer
    finally:
        timer.cancel()


class Pipe:
    """Hold a picture that came from standard input, `-`, as a file of that name, and the folder for its result."""

    def __init__(self, options: "OutputOptions", files_from: Path | None):
        """Read standard input to its end. Raises UsageError."""
        import shutil
        import tempfile

        for field in fields(options):
            if field.name in WITHOUT_PIPE and getattr(options, field.name) != field.default:
                raise UsageError(f"- gives one result on standard output; leave --{field.name.replace('_', '-')} out")
        if files_from is not None:
            raise UsageError("- is one picture by itself; leave --files-from out")
        if sys.stdin.isatty():
            raise UsageError("- is a picture on standard input: give one with < photo.jpg, or by a pipe")
        if sys.stdout.isatty():
            raise UsageError("- gives a picture on standard output: send it to a file with > result.png, or to a pipe")
        self.folder = tempfile.TemporaryDirectory(prefix="omnialpha-")
        self.picture = Path(self.folder.name, PIPED)
        self.output = Path(self.folder.name, "output")
        with self.picture.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)

    def shown(self, text: str) -> str:
        """Call the picture in a message what the user called it."""
        return text.replace(str(self.picture), PIPED)

    def send(self, path: Path) -> None:
        """Write the result to standard output. Raises OSError."""
        with path.open("rb") as file:
            while data := file.read(CHUNK):
                write(sys.stdout, data)


class Stop:
    """Hold `event`, set when the run should stop, and `status`, the exit status if a signal asked for it."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.status: ExitStatus | None = None


@contextmanager
def interrupts(notice: Callable[[], object]) -> Iterator[Stop]:
    """Handle the signals within the block; `notice` is called at the first one."""
    stop = Stop()

    def handle(number: int, frame: FrameType | None) -> None:
        status = SIGNALS[signal.Signals(number)]
        if stop.status is not None:
            # Threads may be deep in native code, which a normal exit would wait for.
            if sys.stderr.isatty():
                os.write(2, b"\x1b[?25h\n")  # the progress bar had hidden the cursor
            os._exit(status)
        stop.status = status
        stop.event.set()
        notice()

    previous = {number: signal.signal(number, handle) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
