"""Sequences: numbered files, named by an explicit pattern such as `shot.####.exr` or `shot.%04d.exr`.

Only a pattern makes a sequence: `IMG_0001.jpg` and `IMG_0007.jpg` of a camera are two stills.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from ..status import UsageError

# One # a digit, as in Nuke; or a printf field.
NUMBER = re.compile(r"#+|%(?:0\d+)?d")


@dataclass(frozen=True)
class Frame:
    """One file of a sequence: `pattern` names the sequence, `stem` is what comes before the number in its name.

    `number` is spelt as in the file name.
    """

    path: Path
    pattern: str
    stem: str
    number: str


def is_pattern(name: str) -> bool:
    """Whether a file name has exactly one place for a frame number."""
    return len(NUMBER.findall(Path(name).name)) == 1


def find_frames(pattern: str, wanted: str | None = None) -> tuple[list[Frame], str]:
    """The frames of a pattern in order, and the numbers of those that are not there but lie between two that are.

    `wanted`, such as `1001-1100x2`, chooses frames, there or not; then no holes are told. Raises UsageError where
    `wanted` is no list of ranges.
    """
    import fileseq

    style = fileseq.PAD_STYLE_HASH1
    holes = ""
    if wanted is None:
        try:
            sequence = fileseq.findSequenceOnDisk(pattern, strictPadding=True, pad_style=style)
        except fileseq.FileSeqException:
            return [], ""
        numbers, holes = [int(n) for n in sequence.frameSet() or ()], sequence.invertedFrameRange()
    else:
        sequence, numbers = fileseq.FileSequence(pattern, pad_style=style), read_ranges(wanted)
    name = Path(pattern).name
    stem = name[: NUMBER.search(name).start()].rstrip("._- ") or sequence.extension().lstrip(".")  # type: ignore[union-attr]
    width = sequence.zfill()
    return [Frame(Path(sequence.frame(n)), pattern, stem, str(n).zfill(width)) for n in numbers], holes


def read_ranges(text: str) -> list[int]:
    """Frame numbers of `1001-1100x2,1200`. Raises UsageError."""
    import fileseq

    try:
        numbers = [int(number) for number in fileseq.FrameSet(text)]
    except (fileseq.FileSeqException, ValueError):
        numbers = []
    if not numbers:
        raise UsageError(f"--frames {text}: give numbers and ranges, for example 1001-1100 or 1,5,10-20x2")
    return numbers
