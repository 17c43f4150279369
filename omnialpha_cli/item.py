"""Hold one unit of work, from planning to the record of its result: what it is made of, and what it makes. No torch."""

from dataclasses import dataclass, replace
from pathlib import Path

from .files import exists
from .status import ItemError
from .tasks import TASKS, Task, with_layers

STEADY_TASK = TASKS["matte.rough-mask"]  # of frames whose mask is the matte of the frame before
FRESH_TASK = TASKS["matte.auto"]  # of those of them that have nothing of it


@dataclass(frozen=True)
class Item:
    """Describe one unit of work: `inputs` in the order of the task's, `outputs` bottom layer first.

    `error` is set where planning already knows that the item cannot be done. `text` is the user's words, `seed` stands
    for the run's own seed if it is not None. `manifest` is a file that describes several layers. `format` names a row
    of `media.formats`; where it takes several layers in one file, there is one output. `meter` are files, the first of
    which that can be read decides about the exposure of a whole sequence. `beside` says what inputs are that follow
    those of the task: `hold-out` and `core` are mattes, `matte` and `frame` the frame before with its result,
    `start matte` and `start frame` the one that has a mask, where others start by it. Until the item is begun these are
    `previous` and `before`, and `start`. A task that lacks its mask takes what they give.
    """

    task: Task
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    error: ItemError | None = None
    text: str | None = None
    seed: int | None = None
    manifest: Path | None = None
    previous: Path | None = None
    format: str = "png"
    meter: tuple[Path, ...] = ()
    beside: tuple[str, ...] = ()
    before: Path | None = None
    start: tuple[Path, Path] | None = None  # result and frame

    def as_it_stands(self) -> "Item":
        """Return the item as it can be done now: with the frame before, if that was made, else afresh."""
        given = {"matte": self.previous, "frame": self.before}
        if self.start:
            if not exists(self.start[0]):
                lost = ItemError("hint", f"{self.label}: the frame that it starts by, {self.start[1]}, was not made")
                return replace(self, error=self.error or lost)
            if self.previous is None or not exists(self.previous):
                given = dict(zip(("matte", "frame"), self.start, strict=True))
            elif self.start[0] != self.previous:
                given |= dict(zip(("start matte", "start frame"), self.start, strict=True))
        elif self.previous is None or not exists(self.previous):
            return self
        paths = tuple(path for path in given.values() if path)
        return replace(self, inputs=(*self.inputs, *paths), beside=(*self.beside, *given), previous=None, start=None)

    @property
    def lacks_mask(self) -> bool:
        """Tell whether its mask is to be what the frame before became."""
        return len(self.inputs) - len(self.beside) < len(self.task.inputs)

    def with_layers(self, count: int) -> "Item":
        """Return the item with the lowest `count` of its layers, as where fewer were needed than were planned."""
        outputs = self.outputs if len(self.outputs) == 1 else self.outputs[:count]
        return replace(self, task=with_layers(self.task, count), outputs=outputs)

    @property
    def files(self) -> tuple[Path, ...]:
        """Return all files that it makes."""
        return self.outputs if self.manifest is None else (*self.outputs, self.manifest)

    @property
    def label(self) -> Path:
        """Return what it is called in messages: its first input; without inputs its first output."""
        return (self.inputs or self.outputs)[0]
