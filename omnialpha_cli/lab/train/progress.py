"""Show a training on a terminal: a bar for the stage in hand, and the lines of its log above it."""

from typing import TYPE_CHECKING, Self

from ...cli.streams import printable, say

if TYPE_CHECKING:
    from rich.progress import Progress


class TrainingProgress:
    """Write lines to standard error, and, where `shown`, a bar below them."""

    def __init__(self, shown: bool):
        self.shown = shown
        self.name = ""
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._bar.stop()

    def say(self, message: str) -> None:
        """Show one line."""
        if self._bar:
            self._bar.console.out(printable(message), highlight=False)
        else:
            say(message)

    def progress(self, name: str, done: int, total: int) -> None:
        """Show that so many steps of a stage are done."""
        if not self.shown:
            return
        if self._bar is None:
            self._bar = _progress_bar()
            self._bar.add_task(name)
            self._bar.start()
        task = self._bar.task_ids[0]
        if name != self.name:  # a resumed stage's speed counts from where it was taken up
            self._bar.reset(task, total=total, completed=done - 1, description=name)
            self.name = name
        self._bar.update(task, completed=done)


def _progress_bar() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("steps,"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(stderr=True),
        redirect_stdout=False,
        redirect_stderr=False,
    )
