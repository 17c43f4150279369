"""Pictures in image space → a request to the model."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..imaging.canvas import Canvas, choose_canvas, resample
from ..imaging.composite import opaque
from ..imaging.hint import hint_values, same_shape, scale_hint
from ..media.image import Image
from ..model.omnialpha import Defaults, Request
from ..status import ItemError
from ..tasks import Task
from .settings import Settings


@dataclass(frozen=True, eq=False)
class Prepared:
    """One request, and what is needed to bring its result back to full size.

    `source` is the picture that the task works on, None where it makes one from words alone. `plate` (3, H, W) is its
    colour at full precision, `alpha` (H, W) its own alpha where that counts, `hint` (H, W) the trimap or mask,
    `clean_plate` (3, H, W) the same view without the object, where it is known.
    """

    task: Task
    request: Request
    canvas: Canvas
    source: Image | None
    plate: Tensor
    alpha: Tensor | None
    hint: Tensor | None
    clean_plate: Tensor | None
    warnings: tuple[str, ...]

    @property
    def bucket(self) -> tuple[str, tuple[int, int]]:
        """Requests that agree in this share a batch."""
        return self.task.name, self.canvas.size

    @property
    def pixels(self) -> int:
        """Of the result, at full size."""
        return self.canvas.height * self.canvas.width


def prepare(task: Task, images: Sequence[Image], defaults: Defaults, settings: Settings) -> Prepared:
    """Fit the pictures of a task's inputs into the model's canvas.

    Raises ItemError `hint` where the trimap or mask has another shape than its picture.
    """
    prompt = task.prompt.replace("{text}", settings.text or "")
    if not task.inputs:
        canvas = _free_canvas(settings, defaults)
        request = Request(prompt, (), (canvas.size,) * len(task.outputs), settings.seed)
        return Prepared(task, request, canvas, None, torch.empty(3, 0, 0), None, None, None, ())
    source, *hints = images
    height, width = source.size
    plate = torch.from_numpy(source.rgb).permute(2, 0, 1)  # (3, H, W)
    alpha, warnings = own_alpha(source, task)
    canvas = choose_canvas(height, width, settings.canvas or defaults.canvas, defaults.multiple)
    views = [canvas.fit(_visible(plate, alpha, source, task))]  # (4, h, w) each
    hint, clean_plate = None, None
    if hints:
        _check_shape(hints[0], source)
        if task.hint == "background":
            clean_plate = resample(torch.from_numpy(hints[0].rgb).permute(2, 0, 1), height, width)  # (3, H, W)
            views.append(opaque(canvas.fit(clean_plate)))
        else:
            hint = _read_hint(hints[0], source)
            views.append(opaque(canvas.fit(hint[None]).expand(3, -1, -1)))
    request = Request(prompt, tuple(views), (canvas.size,) * len(task.outputs), settings.seed)
    return Prepared(task, request, canvas, source, plate, alpha, hint, clean_plate, warnings)


def own_alpha(image: Image, task: Task) -> tuple[Tensor | None, tuple[str, ...]]:
    """The picture's own alpha (H, W) where it counts for the task, and warnings.

    A foreground's always counts. A matte multiplies it in, unless it is 0 or 1 everywhere, which tells nothing. Other
    tasks ignore it.
    """
    foreground = task.inputs[0] == "foreground"
    if image.alpha is None:
        opaque = "it has no alpha channel, so all of it is foreground"
        return None, (*image.notes, opaque) if foreground else image.notes
    alpha = torch.from_numpy(image.alpha)
    if foreground:
        return alpha, image.notes
    low, high = alpha.aminmax()
    if low == high and low in (0, 1):
        return None, (*image.notes, f"its alpha channel is {low:.0f} everywhere, and was ignored")
    if task.command != "matte":
        return None, (*image.notes, "its alpha channel was ignored")
    return alpha, image.notes


def _free_canvas(settings: Settings, defaults: Defaults) -> Canvas:
    """The canvas of what is made from words alone: of the size asked for, its sides rounded to what the model takes."""
    side = settings.canvas or defaults.canvas
    height, width = settings.height or side, settings.width or side
    h, w = (max(1, round(side / defaults.multiple)) * defaults.multiple for side in (height, width))
    return Canvas(height, width, (h, w), (0, 0, h, w))


def _visible(plate: Tensor, alpha: Tensor | None, source: Image, task: Task) -> Tensor:
    """What the model sees of a picture, straight RGBA (4, H, W): a scene over white where it is transparent."""
    colour = plate.clamp(0, 1) if source.depth in ("half", "float") else plate
    if alpha is None:
        return opaque(colour)
    if task.inputs[0] == "foreground":
        return torch.cat((colour, alpha[None]))
    return opaque(torch.lerp(torch.ones_like(colour), colour, alpha))


def _check_shape(hint: Image, source: Image) -> None:
    if not same_shape(hint.size, source.size):
        sizes = [f"{image.path} is {image.size[1]}×{image.size[0]}" for image in (hint, source)]
        raise ItemError("hint", f"{', '.join(sizes)}: a hint has to have its picture's shape")


def _read_hint(hint: Image, source: Image) -> Tensor:
    """The values (H, W) of a trimap or mask at the size of its picture."""
    alpha = None if hint.alpha is None else torch.from_numpy(hint.alpha)
    return scale_hint(hint_values(torch.from_numpy(hint.rgb).permute(2, 0, 1), alpha), *source.size)
