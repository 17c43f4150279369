"""A picture in image space → a request to the model, and the model's layers → the full-size result."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..imaging.canvas import Canvas, choose_canvas
from ..imaging.finish import finish_matte
from ..media.image import Image
from ..model.omnialpha import Defaults, Request
from ..tasks import Task
from .settings import Settings


@dataclass(frozen=True, eq=False)
class Prepared:
    """One request, and what is needed to bring its result back to full size.

    `plate` (3, H, W) is the source's colour at full precision, `alpha` (H, W) its own alpha where it counts.
    """

    task: Task
    request: Request
    canvas: Canvas
    plate: Tensor
    alpha: Tensor | None
    warnings: tuple[str, ...]

    @property
    def bucket(self) -> tuple[str, tuple[int, int]]:
        """Requests that agree in this share a batch."""
        return self.task.name, self.canvas.size


def prepare(image: Image, task: Task, defaults: Defaults, settings: Settings) -> Prepared:
    """Fit a picture into the model's canvas. The model sees it opaque: over white where it is transparent."""
    plate = torch.from_numpy(image.rgb).permute(2, 0, 1)  # (3, H, W)
    alpha, warnings = own_alpha(image)
    height, width = image.size
    canvas = choose_canvas(height, width, settings.canvas or defaults.canvas, defaults.multiple)
    visible = plate.clamp(0, 1) if image.depth in ("half", "float") else plate
    if alpha is not None:
        visible = torch.lerp(torch.ones_like(visible), visible, alpha)
    colour = canvas.fit(visible)  # (3, h, w)
    scene = torch.cat((colour, torch.ones_like(colour[:1])))  # (4, h, w)
    request = Request(task.prompt, (scene,), (canvas.size,) * len(task.outputs), settings.seed)
    return Prepared(task, request, canvas, plate, alpha, warnings)


def own_alpha(image: Image) -> tuple[Tensor | None, tuple[str, ...]]:
    """The picture's own alpha (H, W) where it tells something, and warnings. Constant 0 or 1 tells nothing."""
    if image.alpha is None:
        return None, image.notes
    alpha = torch.from_numpy(image.alpha)
    low, high = alpha.aminmax()
    if low == high and low in (0, 1):
        return None, (*image.notes, f"its alpha channel is {low:.0f} everywhere, and was ignored")
    return alpha, image.notes


def finish(prepared: Prepared, layers: list[Tensor]) -> list[Tensor]:
    """Bring the model's layers (4, h, w) to full size: straight RGBA (4, H, W), bottom first."""
    (matte,) = layers
    return [finish_matte(prepared.plate, prepared.alpha, matte, prepared.canvas)]
