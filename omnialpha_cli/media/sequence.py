"""Find sequences, by an explicit pattern such as `shot.####.exr` alone: numbered files may well be stills."""

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from ..status import UsageError

# One # or @ a digit, as in Nuke and RV; a printf field; Houdini's $F4; tiles of textures, which have four digits.
NUMBER = re.compile(r"#+|%(?:0\d+)?d|@{2,}|(?<=[._])@(?=[._])|\$F\d?|<UDIM>|<udim>")
# What programs write in that place that is no pattern here: <F>, $FF, [1001-1003], 1001-1003#.
OTHER_NUMBER = re.compile(r"<\w+>|\$\w+|\[\d+-\d+\]|\d+-\d+(?:x\d+)?[#@]+")
WIDTH = 64  # digits of a frame number, at most
TILE_DIGITS = 4
RANGED = re.compile(r"(.*\S)\s+(-?\d[-\d,x:]*)", re.DOTALL)  # Nuke's way: shot.####.exr 1001-1100


@dataclass(frozen=True)
class Frame:
    """Name one file of a sequence, which the `pattern` names.

    `stem` is before the number in its name (or its folder's name), `suffix` between the number and the extension.
    """

    path: Path
    pattern: str
    stem: str
    number: str
    suffix: str = ""


def is_pattern(name: str) -> bool:
    """Tell whether a file name has exactly one place for a frame number."""
    fields = NUMBER.findall(Path(name).name)
    return len(fields) == 1 and (fields[0][0] != "%" or int(fields[0][1:-1][:9] or 1) <= WIDTH)


def as_pattern(name: str) -> str | None:
    """Return the pattern of a name that another program gives a sequence; None where it is not known as one."""
    path = Path(name)
    pattern = OTHER_NUMBER.sub("####", path.name)
    return str(path.with_name(pattern)) if pattern != path.name and is_pattern(pattern) else None


def without_range(name: str) -> tuple[str, str | None]:
    """Split a pattern from the ranges of frames that follow it in Nuke's way; None where there are none."""
    ranged = RANGED.fullmatch(name)
    return (ranged[1], ranged[2]) if ranged and is_pattern(ranged[1]) else (name, None)


def spelt(pattern: str, number: int) -> Path:
    """Return the file of one frame of a pattern."""
    path = Path(pattern)
    before, after = NUMBER.split(path.name)
    return path.with_name(before + str(number).zfill(_width(pattern)) + after)


def find_frames(pattern: str, wanted: str | None = None) -> tuple[list[Frame], str]:
    """Find the frames of a pattern in order, and the ranges of those that are missing between two that are there.

    `wanted`, such as `1001-1100x2`, chooses frames, there or not; then no holes are told. Raises UsageError where
    it is no list of ranges.
    """
    path = Path(pattern)
    before, after = NUMBER.split(path.name)
    width = _width(pattern)
    stem = before.rstrip("._- ") or path.absolute().parent.name or "frame"
    numbers = _numbers_there(path.parent, before, after, width) if wanted is None else read_ranges(wanted)
    suffix = after.removesuffix(Path(f"x{after}").suffix)
    frames = [Frame(spelt(pattern, number), pattern, stem, str(number).zfill(width), suffix) for number in numbers]
    return frames, _missing(numbers) if wanted is None else ""


def _width(pattern: str) -> int:
    """Return the digits of a frame number, at least."""
    field = NUMBER.findall(Path(pattern).name)[0]
    if field[0] in "#@":
        return len(field)
    return TILE_DIGITS if field[0] == "<" else int("".join(c for c in field if c.isdigit()) or 1)


def _numbers_there(folder: Path, before: str, after: str, width: int) -> list[int]:
    """Return, in order, the numbers of a folder's files that are spelt with exactly so many digits or need more."""
    try:
        files = [file.name for file in folder.iterdir()]
    except (OSError, ValueError):
        return []  # not there, or not for us: no frame is found
    name = re.compile(re.escape(before) + r"(-?\d+)" + re.escape(after), re.DOTALL | re.ASCII)
    numbers = (match[1] for file in files if (match := name.fullmatch(file)))
    return sorted(int(number) for number in numbers if number == str(int(number)).zfill(width))


def _missing(numbers: list[int]) -> str:
    """Return ranges such as `1003,1005-1007`."""
    gaps = [(low + 1, high - 1) for low, high in pairwise(numbers) if high - low > 1]
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in gaps)


def read_ranges(text: str) -> list[int]:
    """Return the frame numbers of `1001-1100x2,1200`. Raises UsageError."""
    import fileseq

    try:
        numbers = [int(number) for number in fileseq.FrameSet(text)]
    except (fileseq.FileSeqException, ValueError):
        numbers = []
    if not numbers:
        raise UsageError(f"--frames {text}: give numbers and ranges, for example 1001-1100 or 1,5,10-20x2")
    return numbers
