"""Hold what weights work best with, as their `config.json` says: for all tasks, and what differs for some. No torch."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .config import FromDict


@dataclass(frozen=True)
class Defaults(FromDict):
    """Hold what the weights work best with.

    `canvas` is the side in pixels of the square that has the canvas's area; the canvas's sides are multiples of
    `multiple`; `commands` has what differs for one command or task, as `steps`. With `mirror` a request that has inputs
    is also run on their mirror images, and the results averaged: twice the work for about a seventh less error in the
    embedded weights' mattes. The sides of the mirror images' canvases are about `mirror_scale` of the others': two
    sizes err in different places. With `fill` a removal with a mask starts from its scene with the object painted over
    (`imaging/removal/fill.py`). With `square` what is made from words alone is
    drawn on a square, and lies in the middle of other shapes. `dtype` is the number type the weights are meant to run
    in. With `enlarge` pictures that are smaller than the canvas are enlarged to it. With `shared` the canvas's area is
    that of all images of a request together.
    """

    steps: int = 50
    guidance: float = 4.0
    canvas: int = 1024
    multiple: int = 32
    mirror: bool = False
    mirror_scale: float = 1.0
    fill: bool = False
    square: bool = False
    enlarge: bool = True
    shared: bool = False
    dtype: str = "float32"
    commands: Mapping[str, Mapping[str, float | bool]] = field(default_factory=dict)

    def of(self, task: str) -> "Defaults":
        """Return the defaults of one task."""
        return replace(self, **by_task(self.commands, task))


def by_task(table: Mapping[str, Mapping[str, Any]], task: str) -> dict[str, Any]:
    """Return the settings of one task, `COMMAND.…`, in a table by commands and tasks: its command's, and its own.

    Of `decompose.auto/3` its own are those of `decompose.auto`, too.
    """
    plain, _, layers = task.partition("/")
    command = plain.partition(".")[0]
    return {**table.get(command, {}), **table.get(plain, {}), **(table.get(task, {}) if layers else {})}
