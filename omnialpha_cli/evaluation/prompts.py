"""The words that pictures were made from, by the pictures' names."""

import csv
import re
from collections.abc import Callable
from pathlib import Path

from ..status import ItemError, UsageError
from .folders import key

NUMBER = re.compile(r"(\d+)(_\d+)?")  # `omnialpha generate` writes 0003_0.png for the fourth prompt

Prompts = Callable[[str], str]


def read_prompts(path: Path) -> Prompts:
    """From a CSV file, of lines with a picture's name and its prompt; or from any other, a prompt a line.

    Those without names belong to pictures that begin with their number from 0, as `omnialpha generate --from` writes
    them. What is returned raises ItemError `missing` for a picture without a prompt, this function UsageError.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--prompts {path} cannot be read: {error}") from error
    by_name = _rows(path, text) if path.suffix.lower() == ".csv" else None
    lines = [line.strip() for line in text.splitlines() if line.strip()]

    def find(name: str) -> str:
        number = NUMBER.fullmatch(Path(name).name)
        if by_name is not None and name in by_name:
            return by_name[name]
        if by_name is None and number and int(number[1]) < len(lines):
            return lines[int(number[1])]
        raise ItemError("missing", f"{path} has no prompt for {name}: add it, or leave the picture out")

    return find


def _rows(path: Path, text: str) -> dict[str, str]:
    rows = [row for row in csv.reader(text.splitlines()) if row]
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise UsageError(f"--prompts {path}, line {number}: expected a name, a comma, and the prompt, in quotes if "
                             "it has commas")  # fmt: skip
    return {key(Path(name.strip())): prompt.strip() for name, prompt in rows}
