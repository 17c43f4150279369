"""Read the words that pictures were made from, by the pictures' names."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from ...status import ItemError, UsageError
from .folders import key

NUMBER = re.compile(r"(\d+)(_\d+)?")  # `omnialpha generate` writes 0003_0.png for the fourth prompt


@dataclass(frozen=True)
class Prompts:
    """Hold words by names of pictures, or, where those are not given, by numbers from 0: then names begin with them."""

    path: Path
    words: dict[str, str]
    numbered: bool

    def of(self, name: str) -> str:
        """Return the prompt of a picture. Raises ItemError `missing`."""
        number = NUMBER.fullmatch(Path(name).name) if self.numbered else None
        wanted = f"{int(number[1]):04}" if number else name
        if wanted not in self.words or (self.numbered and not number):
            raise ItemError("missing", f"{self.path} has no prompt for {name}: add it, or leave the picture out")
        return self.words[wanted]


def read_prompts(path: Path) -> Prompts:
    """Return a CSV file, of lines with a picture's name and its prompt; or any other, with a prompt a line.

    The latter is what `omnialpha generate --from` takes. Raises UsageError.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UsageError(f"--prompts {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--prompts {path} is not UTF-8 text: {error.reason}") from error
    if path.suffix.lower() == ".csv":
        return Prompts(path, _rows(path, text), numbered=False)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return Prompts(path, {f"{i:04}": line for i, line in enumerate(lines)}, numbered=True)


def _rows(path: Path, text: str) -> dict[str, str]:
    rows = [row for row in csv.reader(text.splitlines()) if row]
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise UsageError(f"--prompts {path}, line {number}: expected a name, a comma, and the prompt, in quotes if "
                             "it has commas")  # fmt: skip
    return {key(Path(name.strip())): prompt.strip() for name, prompt in rows}
