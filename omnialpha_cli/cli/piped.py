"""Handle `-`: one picture from standard input, its result to standard output, by way of a temporary folder."""

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from ..media.formats import FORMATS
from ..plan import Item
from ..status import OmniAlphaError, UsageError
from . import streams
from .options import InputOptions, Options

STDIN = "-"
CHUNK = 2**20  # bytes written at a time
# Options that name, place or list results: with one result on standard output there is nothing for them to do.
EXCLUDED = ("output", "name", "preview", "preview_html", "report", "json", "shard", "devices", "ray", "dry_run")


class Pipe:
    """Hold a picture that came from standard input, as a file called `-`, and the folder for its result."""

    def __init__(self, options: Options, finding: InputOptions):
        """Read standard input to its end. Raises UsageError."""
        for field in fields(options):
            if field.name in EXCLUDED and getattr(options, field.name) != field.default:
                raise UsageError(f"- gives one result on standard output; leave --{field.name.replace('_', '-')} out")
        if finding.files_from is not None:
            raise UsageError("- is one picture by itself; leave --files-from out")
        if sys.stdin.isatty():
            raise UsageError("- is a picture on standard input: give one with < photo.jpg, or by a pipe")
        if sys.stdout.isatty():
            raise UsageError("- gives a picture on standard output: send it to a file with > result.png, or to a pipe")
        self.folder = tempfile.TemporaryDirectory(prefix="omnialpha-")
        self.picture = Path(self.folder.name, STDIN)
        self.output = Path(self.folder.name, "output")
        with self.picture.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)

    def shown(self, text: str) -> str:
        """Call the picture in a message what the user called it."""
        return text.replace(str(self.picture), STDIN)

    @contextmanager
    def naming(self) -> Iterator[None]:
        """Call the picture so in the errors of the block."""
        try:
            yield
        except OmniAlphaError as error:
            error.args = tuple(map(self.shown, map(str, error.args)))
            raise

    def check(self, items: Sequence[Item]) -> None:
        """Raise UsageError where the result is more than one file."""
        if any(len(item.outputs) > 1 for item in items):
            one = ", ".join(name for name, row in FORMATS.items() if row.several == "file")
            raise UsageError(f"- gives one file, and these layers would be several: choose --format {one}")

    def send(self, path: Path) -> None:
        """Write the result to standard output. Raises OSError."""
        with path.open("rb") as file:
            while data := file.read(CHUNK):
                streams.write(sys.stdout, data)
