"""A share of a plan, for several machines that do not talk to each other."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..plan import Item
from ..status import UsageError
from .journal import key_of


@dataclass(frozen=True)
class Shard:
    """Share `index`, from 0, of `count`. Who makes an item is decided by a hash of its output path alone."""

    index: int = 0
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `i/n`. Raises UsageError."""
        index, slash, count = text.partition("/")
        if slash and index.isdecimal() and count.isdecimal() and int(index) < int(count):
            return cls(int(index), int(count))
        raise UsageError(f"--shard {text}: give i/n, with i from 0 to n − 1, for example 0/4")

    def __str__(self) -> str:
        """The name of its journal."""
        return f"{self.index}-of-{self.count}"

    def holds(self, item: Item, output: Path) -> bool:
        """Whether the item belongs to this share of the runs into `output`."""
        key = key_of(item.outputs[0], output).encode("utf-8", "surrogateescape")
        return int.from_bytes(hashlib.sha256(key).digest()[:8]) % self.count == self.index

    def select(self, items: Sequence[Item], output: Path) -> list[Item]:
        """The items of this share, in order."""
        return [item for item in items if self.holds(item, output)]
