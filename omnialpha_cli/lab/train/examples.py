"""Make examples of triplets: one of the 21 tasks, with what goes in and what is to come out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...imaging.canvas import opaque
from ...imaging.removal.fill import paint_over
from ...model.config import Defaults, by_task
from ...tasks import TASKS, Task
from ..data.views import until
from .augment import drawn
from .hints import rough_mask, trimap
from .material import Material, photo_of_shape
from .triplets import Mix, Triplet, draw_alone, draw_triplet


@dataclass(frozen=True)
class Example:
    """Hold what the model is given and what it has to give: lists of RGBA (4, h, w) in [0, 1].

    `weight` (1, h, w) is what the foreground's alpha counts in a loss.
    """

    task: Task
    prompt: str
    inputs: list[Tensor]
    targets: list[Tensor]
    weight: Tensor


def as_bytes(example: Example) -> Example:
    """Convert an example's images to uint8, a quarter as much to pass from one process to another."""
    return _mapped(example, lambda image: (image * 255).round().byte())


def as_floats(example: Example, device: torch.device) -> Example:
    """Convert what `as_bytes` made back to floats in [0, 1], on a device."""
    return _mapped(example, lambda image: image.to(device).float() / 255)


def _mapped(example: Example, convert: Callable[[Tensor], Tensor]) -> Example:
    inputs, targets = ([convert(image) for image in images] for images in (example.inputs, example.targets))
    return replace(example, inputs=inputs, targets=targets, weight=convert(example.weight))


def canvas_side(defaults: Defaults, task: Task, side: int) -> int:
    """Return the side, pixels, of the square of the canvas's area: `side`, unless the task's command has its own."""
    return int(by_task(defaults.commands, task.name).get("canvas", side))


def shape(material: Material, task: Task, g: torch.Generator) -> tuple[int, int]:
    """Return (H, W) of a task's canvas, up to scale: a photograph's, and square for cut-outs on nothing."""
    return (1, 1) if _is_alone(material, task) else photo_of_shape(material, g)


def _is_alone(material: Material, task: Task) -> bool:
    """Tell whether the task makes an object of words alone, which cut-outs show best."""
    return task.name == "generate.foreground" and bool(material.cutouts)


def draw_task(weights: Mapping[str, float], g: torch.Generator) -> Task:
    """Return a task drawn by weight."""
    return TASKS[drawn(weights, g)]


def draw_example(
    material: Material, mix: Mix, task: Task, size: tuple[int, int], g: torch.Generator, *, fill: bool = False
) -> Example:
    """Return an example of `task`, from a triplet with a background or a label where it needs them.

    Where words choose the object there are often two to choose from. `fill` is that of the weights' defaults.
    """
    if _is_alone(material, task):
        return make_example(draw_alone(material, size, g), task, g)
    if task.hint == "text":
        mix = replace(mix, photo=0.3, recomposed=0.3, cutout=0.4, two=0.7)
    mix = replace(mix, sharp=task.hint not in ("none", "text"))
    if "background" in task.inputs + task.outputs:
        mix = replace(mix, photo=0.0)
    # The layers of a decomposition make up the scene; only what an object does not show serves where all is a mask.
    mix = replace(mix, effects=task.command != "decompose", masks="foreground" not in task.inputs + task.outputs)
    if task.command == "remove":  # its background is the scene's own, not a sharper one, and its shadows are to go
        mix = replace(mix, degraded=False, shadow=0.7)
    triplet = until(
        lambda: draw_triplet(material, mix, size, g),
        lambda one: not task.needs_text or bool(one.words(task)),
        f"{task.name} needs words",
    )
    return make_example(triplet, task, g, fill=fill)


def make_example(triplet: Triplet, task: Task, g: torch.Generator, *, fill: bool = False) -> Example:
    """Make the example of `task` from a triplet; with `fill` the object is painted over before a removal."""
    images = {
        "scene": triplet.scene,
        "background": triplet.background,
        "foreground": triplet.foreground,
        "trimap": trimap(triplet.foreground[3:], g) if "trimap" in task.inputs else None,
        "mask": (triplet.foreground[3:] > 0.5).float() if "mask" in task.inputs else None,
        "rough-mask": rough_mask(triplet.foreground[3:], g) if "rough-mask" in task.inputs else None,
    }

    def rgba(role: str) -> Tensor:
        image = images[role]
        if image is None:
            raise ValueError(f"{task.name} needs a {role}, which this triplet lacks")
        return image if len(image) == 4 else opaque(image.expand(3, -1, -1))  # masks are grey

    prompt = task.prompt.replace("{text}", triplet.words(task))
    inputs = [rgba(r) for r in task.inputs]
    if fill and task.command == "remove" and len(inputs) > 1:
        inputs[0] = paint_over(inputs[0], inputs[1][0])
    return Example(task, prompt, inputs, [rgba(r) for r in task.outputs], triplet.weight)
