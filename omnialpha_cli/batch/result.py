"""What became of an item."""

from dataclasses import dataclass
from typing import Literal

from ..plan import Item
from ..status import ItemError

Status = Literal["done", "skipped", "failed"]


@dataclass(frozen=True)
class Result:
    """The outcome of an item; `seconds` is the time spent on it, without waiting."""

    item: Item
    status: Status
    seconds: float = 0.0
    error: ItemError | None = None
    warnings: tuple[str, ...] = ()
