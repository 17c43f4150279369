"""Write what a training leaves to read: `log.jsonl`, pictures, and TensorBoard's event files where they are wanted."""

import json
from pathlib import Path
from typing import Any, Protocol, Self

from PIL import Image as PILImage
from torch import Tensor

from ...status import UsageError


class Report(Protocol):
    """Define where a training says how it goes."""

    def say(self, message: str) -> None:
        """Show one line."""

    def progress(self, name: str, done: int, total: int) -> None:
        """Show that so many steps of a stage are done."""


class Log:
    """Write the log of one stage; with `report` None, in all processes but the first, it keeps silent."""

    def __init__(self, folder: Path, steps: int, report: Report | None, tensorboard: bool):
        self.folder, self.steps, self.report = folder, steps, report
        self.writer: Any = None
        if report:
            folder.mkdir(parents=True, exist_ok=True)
            if tensorboard:
                self.writer = _writer(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.writer:
            self.writer.close()

    def step(self, done: int) -> None:
        """Tell how far it is."""
        if self.report:
            self.report.progress(self.folder.name, done, self.steps)

    def figures(self, done: int, figures: dict[str, float]) -> None:
        """Write a line of figures; those of a kind with a slash, such as `flow/matte.auto`, are for the files alone."""
        if not self.report:
            return
        with (self.folder / "log.jsonl").open("a") as file:
            file.write(json.dumps({"step": done, **figures}) + "\n")
        shown = " ".join(f"{key} {value}" for key, value in figures.items() if "/" not in key)
        self.report.say(f"{self.folder.name} {done}/{self.steps} {shown}")
        if self.writer:
            for key, value in figures.items():
                self.writer.add_scalar(key, value, done)

    def picture(self, done: int, rgb: Tensor) -> None:
        """Write RGB (3, H, W) in [0, 1] as PNG."""
        if not self.report:
            return
        folder = self.folder / "pictures"
        folder.mkdir(exist_ok=True)
        pixels = (rgb.clamp(0, 1) * 255).round().byte().cpu()
        PILImage.fromarray(pixels.permute(1, 2, 0).numpy()).save(folder / f"{done:07}.png")
        if self.writer:
            self.writer.add_image("validation", pixels, done)


def _writer(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise UsageError('--tensorboard needs tensorboard; get it with: pip install "omnialpha[train]"') from error
    return SummaryWriter(str(folder))
