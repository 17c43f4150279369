"""Infer the model's layers of prepared pictures: all passes of their tasks, for the batch and the Python API alike."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from torch import Tensor

from ..imaging.canvas import resample
from ..imaging.colour.despill import find_screen
from ..media.colour import LINEAR
from ..model.omnialpha import OmniAlpha
from ..model.request import Layers
from ..tasks import TASKS
from .passes import Made, add_layers, describe_drawing, find_effects, second_pass
from .prepare import Prepared
from .settings import Settings
from .view import in_encoding


def infer(
    model: OmniAlpha, pictures: Sequence[Prepared], settings: Settings, batch_size: int | None = None
) -> Iterator[tuple[Sequence[int], list[Made]]]:
    """Yield batch by batch places among the `pictures`, `batch_size` at most, and for each what `finish` needs."""
    pictures = [_described(model, picture) for picture in pictures]
    requests = [picture.request for picture in pictures]
    for places, results in model.run_batches(requests, settings.steps, settings.guidance, batch_size):
        made = [(_with_confidence(pictures[i], layers), layers) for i, layers in zip(places, results, strict=True)]
        made = add_layers(model, second_pass(model, made, settings), settings)
        made = find_effects(model, made, settings)
        yield places, [(_with_screen(prepared, layers, settings), layers) for prepared, layers in made]


def _described(model: OmniAlpha, picture: Prepared) -> Prepared:
    """Return a picture with a warning where what is drawn from its words alone is something else."""
    request = picture.request
    if request.inputs or request.task not in TASKS:
        return picture
    words = request.prompt.removeprefix(TASKS[request.task].prompt.removesuffix("{text}"))
    return replace(picture, warnings=(*picture.warnings, *describe_drawing(model, picture, words, request.task)))


def _with_screen(prepared: Prepared, layers: Sequence[Tensor], settings: Settings) -> Prepared:
    """Return what was prepared with the screen whose light is to go; with a warning where none is found."""
    if settings.despill != "auto" or prepared.source is None or prepared.task.command not in ("matte", "decompose"):
        return replace(prepared, screen=settings.despill)
    alpha = prepared.canvas.crop(layers[-1][3:])[0]  # (h, w)
    light = in_encoding(resample(prepared.plate, *alpha.shape), prepared.target.encoding, LINEAR)
    screen = find_screen(light, alpha.to(light))
    none = (f"{prepared.source.path}: no green or blue screen found, so --despill auto changed nothing",)
    return replace(prepared, screen=screen, warnings=(*prepared.warnings, *(() if screen else none)))


def _with_confidence(prepared: Prepared, layers: Sequence[Tensor]) -> Prepared:
    """Return what was prepared with the first matte's confidence, which was calibrated without words and hints."""
    if prepared.task.hint != "none" or not isinstance(layers, Layers) or layers.confidence is None:
        return prepared
    return replace(prepared, measures={"confidence": round(layers.confidence, 4)})
