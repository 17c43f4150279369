"""Train the detail network to correct the alpha that the model found, by the pixels of examples.

The model predicts each example once, before the training: a step then costs the small network's share alone. Steps use
random parts of the examples, turned and mirrored.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...imaging.canvas import Canvas, resample
from ...imaging.colour import likely_colours
from ...imaging.matte.closed_form import alpha_in_band
from ...model.mini.detail import open_places
from ...model.omnialpha import OmniAlpha, Request
from . import checkpoint
from .augment import chance, choice, uniform
from .distributed import Group
from .examples import draw_example, draw_task
from .image_encoder import CanvasOf
from .log import Report
from .loop import Objective, Schedule, step_generator
from .material import Material, photo_of_shape
from .triplets import Mix

TASKS = {"matte.trimap": 0.4, "matte.auto": 0.3, "matte.rough-mask": 0.2, "matte.mask": 0.1}
# A photograph's labels are not sure where it is soft; what is composed is.
MIX = Mix(photo=0.25, recomposed=0.35, cutout=0.1, built=0.3)
# A built example may be finer than the model's canvas, as pictures are in use: by so much, on each side.
FINE = Mix(photo=0.0, recomposed=0.0, cutout=0.0, built=1.0)
FINER = 5 / 3
SHARE_FINE = 0.4
A_FILE = 100  # examples in a file
EXAMPLES = 2000  # unless the recipe says otherwise
PART = 128  # side of the part of an example that a step uses, pixels
LEAST = 100  # open pixels that a part is taken to have
TRIES = 6  # parts that are drawn until one has something soft, or wrong
WORTH = 0.002  # mean error from which a part is worth a look
FLOOR = 0.05  # an error far above it counts by the share of it that goes, one below it hardly
Batch = tuple[Tensor, Tensor]  # parts (B, 7, ·, ·), and their likely colours (B, 6, ·, ·)
# Channels of an example.
PLATE, TRUTH, TRIMAP, FOUND, WEIGHT = slice(0, 3), slice(3, 4), slice(4, 5), slice(5, 6), slice(6, 7)


def predict(material: Material, model: OmniAlpha, canvas: CanvasOf, size: int, number: int) -> Tensor:
    """Return example `number` with the model's prediction of it, (7, h, w) uint8, on a canvas of about `size`² pixels.

    Channels are plate, true alpha, trimap (128 where there is none), found alpha, in a trimap's band by closed-form
    matting as in use, and the weight of the true alpha.
    """
    g = step_generator(0, number)
    task = draw_task(TASKS, g)
    h, w = canvas(*photo_of_shape(material, g), size)
    mix, scale = (FINE, FINER) if material.triplets is not None and chance(g, SHARE_FINE) else (MIX, 1.0)
    height, width = round(h * scale), round(w * scale)
    example = draw_example(material, mix, task, (height, width), g)
    fitted, device = Canvas(height, width, (h, w), (0, 0, h, w)), model.device
    inputs = [image.to(device) for image in example.inputs]
    views = tuple(fitted.fit(image) for image in inputs)
    request = Request(example.prompt, views, ((h, w),), seed=number, task=example.task.name)
    ((layer,),) = model.run([request])
    plate, truth = inputs[0][:3], example.targets[0][3:].to(device)
    found, trimap = layer[3].to(plate), torch.full_like(plate[0], 128 / 255)
    if task.hint == "trimap":
        trimap = inputs[1][0]
        found, _ = alpha_in_band(found, plate, fitted, trimap)
    weight = example.weight.to(device)
    whole = torch.cat((plate, truth, trimap[None], resample(found[None], height, width), weight))
    return (whole * 255).round().clamp(0, 255).byte().cpu()


def read_examples(
    predict: Callable[[int], Tensor], count: int, folder: Path, group: Group, report: Report
) -> list[Tensor]:
    """Return what `predict` makes of so many examples; files of them in the run's folder are read again."""
    examples: list[Tensor] = []
    for first in range(0, count, A_FILE):
        file = folder / f"detail-examples-{first}.pt"
        if not file.exists():
            new = []
            for number in range(first, min(first + A_FILE, count)):
                new.append(predict(number))
                report.progress("examples seen", number + 1, count)
            checkpoint.write(new, file, group)
        examples += torch.load(file, map_location="cpu", weights_only=True)
    return examples


def part(examples: Tensor, g: torch.Generator) -> Tensor:
    """Cut a part (7, PART, PART) in [0, 1] out of an example (7, h, w), with something to learn where tries find it."""
    _, h, w = examples.shape
    for _ in range(TRIES):
        top, left = choice(g, max(1, h - PART + 1)), choice(g, max(1, w - PART + 1))
        one = examples[:, top : top + PART, left : left + PART].float() / 255
        if float((one[FOUND] - one[TRUTH]).abs().mean()) > WORTH:
            break
    missing = PART - one.shape[2], PART - one.shape[1]
    one = F.pad(one[None], (0, missing[0], 0, missing[1]), "replicate")[0]
    for flipped, axes in ((chance(g, 0.5), (1,)), (chance(g, 0.5), (2,))):
        one = one.flip(axes) if flipped else one
    one = one.transpose(1, 2) if chance(g, 0.5) else one
    if chance(g, 0.3):
        one = torch.cat((one[torch.randperm(3, generator=g)], one[3:]))
    return _smaller(one, g) if chance(g, 0.2) else one


def _smaller(one: Tensor, g: torch.Generator) -> Tensor:
    """Blur the found alpha of a part as if it came from a smaller canvas."""
    small = F.interpolate(one[None, FOUND], scale_factor=uniform(g, 0.4, 0.9), mode="bilinear", antialias=True)
    return torch.cat((one[:5], F.interpolate(small, one.shape[1:], mode="bilinear")[0], one[WEIGHT]))


def errors(found: Tensor, truth: Tensor, places: Tensor) -> Tensor:
    """Return the mean (B,) of |e| + e² over `places` (B, 1, h, w), for mattes (B, 1, h, w).

    The square alone would weigh little but what is all wrong, which no refiner of edges mends.
    """
    error = found - truth
    return ((error.abs() + error.square()) * places).sum((1, 2, 3)) / places.sum((1, 2, 3)).clamp(min=LEAST)


def objective(examples: Sequence[Tensor], schedule: Schedule, device: torch.device) -> Objective:
    """Return what `loop.train` optimises, of a `Detail`: the share of each part's error that is left."""

    def draw(step: int, micro: int, g: torch.Generator) -> Tensor:
        return torch.stack([part(examples[choice(g, len(examples))], g) for _ in range(schedule.micro_batch)])

    def ready(drawn: Tensor) -> Batch:
        batch = drawn.to(device).contiguous(memory_format=torch.channels_last)
        return batch, torch.vmap(likely_colours)(batch[:, PLATE], batch[:, FOUND][:, 0])

    def loss(model: nn.Module, drawn: Batch, term: int) -> tuple[Tensor, dict[str, float]]:
        batch, colours = drawn
        plate, truth, trimap, before = (batch[:, channels] for channels in (PLATE, TRUTH, TRIMAP, FOUND))
        places = open_places(before, trimap) * batch[:, WEIGHT]
        was = errors(before, truth, places)
        after = errors(model(plate, colours, before, trimap).float(), truth, places)
        return (after / (was + FLOOR)).mean(), {"left": float(after.detach().sum() / was.sum().clamp(min=FLOOR))}

    return Objective(draw, loss, ready=ready)
