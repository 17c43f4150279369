"""Share a plan among several machines that do not talk to each other."""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..plan import Item
from ..status import UsageError
from .history import key_of


@dataclass(frozen=True)
class Shard:
    """Share `index`, from 0, of `count`. Who makes an item is decided by a hash of its output path alone."""

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `i/n`, or, for `slurm`, the variables of a job array. Raises UsageError."""
        if text == "slurm":
            return cls._of_slurm()
        index, slash, count = text.partition("/")
        if slash and index.isdecimal() and count.isdecimal() and int(index) < int(count):
            return cls(int(index), int(count))
        raise UsageError(f"--shard {text}: give i/n, with i from 0 to n − 1, for example 0/4")

    @classmethod
    def _of_slurm(cls) -> Self:
        """Return i = (ID − MIN) / STEP; the step follows from the number of tasks, which Slurm tells too."""
        names = ("SLURM_ARRAY_TASK_ID", "SLURM_ARRAY_TASK_MIN", "SLURM_ARRAY_TASK_MAX", "SLURM_ARRAY_TASK_STEP")
        try:
            own, first, last, step = (int(os.environ[name]) for name in names)
            index, rest = divmod(own - first, step)
            if rest or own > last or own < first:
                raise ValueError
        except KeyError as error:
            raise UsageError(f"--shard slurm: {error.args[0]} is not set; is this a task of a job array?") from None
        except (ValueError, ZeroDivisionError):
            raise UsageError(f"--shard slurm: {', '.join(names)} do not make up an array of the form MIN-MAX:STEP "
                             "with this task in it") from None  # fmt: skip
        return cls(index, (last - first) // step + 1)

    def __str__(self) -> str:
        """Return the name of its journal."""
        return f"{self.index}-of-{self.count}"

    def holds(self, path: Path, output: Path) -> bool:
        """Tell whether the result `path` belongs to this share of the runs into `output`."""
        key = key_of(path, output).encode("utf-8", "surrogateescape")
        return int.from_bytes(hashlib.sha256(key).digest()[:8]) % self.count == self.index

    def select(self, items: Sequence[Item], output: Path) -> list[Item]:
        """Return the items of this share, in order. Frames that build on one another stay together."""
        if self.count == 1:
            return list(items)
        firsts: dict[Path, Path] = {}  # a result → that of the first frame of its sequence
        for item in items:
            firsts[item.outputs[0]] = firsts[item.previous] if item.previous else item.outputs[0]
        return [item for item in items if self.holds(firsts[item.outputs[0]], output)]
