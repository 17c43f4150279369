"""Infer the model's layers of prepared pictures: all passes of their tasks, for the batch and the Python API alike.

Weights that were not trained on a removal or decomposition as a whole can do it in two passes (`tasks.passes`): the
matte that they make first is the mask that they are shown next, and the foreground of a decomposition. Where words are
to choose and the weights do not matte by them, they choose one of the objects in the automatic matte.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..imaging.canvas import grow, opaque, resample
from ..imaging.colour import find_screen
from ..imaging.composite import over
from ..imaging.removal.fill import MARGIN, fill_mask, fill_masked, paint_over
from ..imaging.removal.shadow import change_by
from ..media.colour import LINEAR
from ..model.omnialpha import OmniAlpha
from ..model.request import Layers, Request
from ..status import ItemError
from ..tasks import TASKS
from .choose import LIKELY, choose_object
from .prepare import Prepared
from .settings import Settings
from .view import in_encoding

FALL = 0.95  # of the error before: what falls by less has stopped falling
EXACT = (1 / 255) ** 2  # squared error below which no layer is missing

Made = tuple[Prepared, list[Tensor]]  # what was asked for, and its layers (4, h, w)


def infer(
    model: OmniAlpha, pictures: Sequence[Prepared], settings: Settings, batch_size: int | None = None
) -> Iterator[tuple[Sequence[int], list[Made]]]:
    """Yield batch by batch, as they are done, places among the `pictures`, and for each what `finish` needs of it.

    No more than `batch_size` go through a network together, where one is given. Raises ItemError `hint` where words
    name nothing that is there or known, `unsupported` where the weights cannot do what is asked for.
    """
    pictures = [_described(model, picture) for picture in pictures]
    requests = [picture.request for picture in pictures]
    for places, results in model.run_batches(requests, settings.steps, settings.guidance, batch_size):
        made = [(_with_confidence(pictures[i], layers), layers) for i, layers in zip(places, results, strict=True)]
        made = add_layers(model, second_pass(model, made, settings), settings)
        if settings.effects:
            made = [(_with_gains(model, prepared, layers), layers) for prepared, layers in made]
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
    alpha = prepared.canvas.crop(layers[-1][3])  # (h, w)
    light = in_encoding(resample(prepared.plate, *alpha.shape), prepared.target.encoding, LINEAR)
    screen = find_screen(light, alpha.to(light))
    none = (f"{prepared.source.path}: no green or blue screen found, so --despill auto changed nothing",)
    return replace(prepared, screen=screen, warnings=(*prepared.warnings, *(() if screen else none)))


def _with_confidence(prepared: Prepared, layers: Sequence[Tensor]) -> Prepared:
    """Return what was prepared with the first matte's confidence, which was calibrated without words and hints."""
    if prepared.task.hint != "none" or not isinstance(layers, Layers) or layers.confidence is None:
        return prepared
    return replace(prepared, measures={"confidence": round(layers.confidence, 4)})


def second_pass(model: OmniAlpha, made: Sequence[Made], settings: Settings) -> list[Made]:
    """Run the second pass of those that need one; returns all with the layers of the whole task."""
    made = list(made)
    firsts: dict[int, Tensor] = {}
    for i, (prepared, layers) in enumerate(made):
        if prepared.second:
            firsts[i], warnings = _found(model, prepared, layers, settings)
            made[i] = replace(prepared, warnings=(*prepared.warnings, *warnings)), layers
    requests = {i: _second_request(model, made[i][0], first) for i, first in firsts.items()}
    asked = {i: request for i, request in requests.items() if request is not None}
    if not asked:
        return made
    results = dict(zip(asked, model.run(list(asked.values()), settings.steps, settings.guidance), strict=True))
    return [_joined(one[0], firsts[i], results[i][0], settings) if i in asked else one for i, one in enumerate(made)]


def _found(
    model: OmniAlpha, prepared: Prepared, layers: Sequence[Tensor], settings: Settings
) -> tuple[Tensor, list[str]]:
    """Return the matte (4, h, w) that the words chose, or the background that was drawn; and warnings.

    Raises ItemError `hint` where nothing looks like what the words name, unless `anyway`.
    """
    matte = layers[0]
    if not prepared.request.inputs and prepared.second:
        subject = model.subject(prepared.choose or "")
        return matte, describe_drawing(model, prepared, subject, prepared.second.name) if subject else []
    if prepared.choose is None or prepared.source is None:
        return matte, []
    relevance = model.relevance(prepared.request.inputs[0], prepared.choose)
    warnings = []
    if relevance.max() < LIKELY:
        name = prepared.source.path
        fault = f"no {prepared.choose} found in {name}"
        if not relevance.any():
            fault = f"{name}: these weights know no word of {prepared.choose!r}"
        if not settings.anyway:
            raise ItemError("hint", f"{fault}; --anyway takes the likeliest part")
        warnings.append(f"{fault}: the likeliest part was taken")
    return torch.cat((matte[:3], choose_object(matte[3], relevance)[None])), warnings


def describe_drawing(model: OmniAlpha, prepared: Prepared, words: str, task: str) -> list[str]:
    """Say what words alone are drawn as, if not as they say. Raises ItemError `hint` if nothing known is near."""
    found = model.drawing(words, task)
    if found is None or found.is_asked:
        return []
    name = "" if prepared.source is None else f"{prepared.source.path}: "
    if not found.is_near:
        raise ItemError("hint", f"{name}these weights know nothing that is like {words!r}, and cannot draw it; give "
                        "other words")  # fmt: skip
    layer = "background " if task == "generate.background" else ""
    return [f"{name}{words!r}: {layer}drawn as {found.name!r}, the nearest that these weights know"]


def _second_request(model: OmniAlpha, prepared: Prepared, first: Tensor) -> Request | None:
    """Return the second pass's request: with the matte `first` (4, h, w) as mask, or for the object in the words."""
    assert prepared.second is not None
    if not prepared.request.inputs:
        subject = model.subject(prepared.choose or "")
        prompt, size = prepared.second.prompt.replace("{text}", subject), model.defaults.of(prepared.second.name).canvas
        drawn = replace(prepared.request, prompt=prompt, targets=((size, size),), task=prepared.second.name)
        return drawn if subject else None
    scene, alpha = prepared.request.inputs[0], first[3]
    takes_out = prepared.second.command == "remove"
    mask = (alpha > 0.5).to(scene) if takes_out else alpha.to(scene)
    inpaint_mask = fill_mask(alpha) if takes_out and model.defaults.fill else None
    painted = scene if inpaint_mask is None else fill_masked(scene, inpaint_mask)
    inputs = painted, opaque(mask.expand(3, -1, -1))
    second = prepared.second
    return replace(prepared.request, prompt=second.prompt, inputs=inputs, inpaint_mask=inpaint_mask, task=second.name)


def _joined(prepared: Prepared, first: Tensor, made: Tensor, settings: Settings) -> Made:
    """Join the layers of the whole task: of the `first` pass, and what was `made` of it, both (4, h, w)."""
    if prepared.task.command == "generate":
        return prepared, [first, made]
    if prepared.task.command == "matte":
        return prepared, [made]
    if prepared.task.command == "decompose":
        return prepared, [made, first]
    # The edge of what is found is no more exact than the canvas: as much more goes as was painted over there.
    canvas = prepared.canvas
    margin = math.ceil(MARGIN * max(canvas.height / canvas.box[2], canvas.width / canvas.box[3]))
    hint = grow(canvas.restore(first[3].to(prepared.plate)), margin + settings.grow)  # (H, W)
    return replace(prepared, hint=hint), [made]


def _with_gains(model: OmniAlpha, prepared: Prepared, layers: Sequence[Tensor]) -> Prepared:
    """Return what was prepared with the gains that take an object's effects out of its surroundings.

    Raises ItemError `unsupported` where a layer of them is asked for, and the weights find none.
    """
    canvas, scene, is_layer = prepared.canvas, prepared.request.inputs[0], prepared.task.command != "remove"
    if is_layer:
        mask = (layers[-1][3] > 0.5).float()  # (h, w)
    elif prepared.hint is not None:
        mask = (canvas.fit(prepared.hint) >= 0.5).float()
    else:
        return prepared
    painted = paint_over(scene, mask)
    gains = model.shadow_gains(painted, mask)
    if not is_layer:
        return replace(prepared, gains=gains)
    if gains is None:
        name = "it" if prepared.source is None else prepared.source.path
        raise ItemError("unsupported", f"{name}: these weights find no shadows; --model mini does, or make it without")
    darkened, lightened = (round(change, 4) for change in change_by(painted[:3], gains, mask))
    return replace(prepared, gains=gains, measures={**prepared.measures, "darkened": darkened, "lightened": lightened})


def add_layers(model: OmniAlpha, made: Sequence[Made], settings: Settings) -> list[Made]:
    """Return decompositions with `auto_layers` with as many layers as they need, at most their tasks'; others as made.

    Each number of layers is a new decomposition: the model makes all layers of a picture together.
    """
    made = list(made)
    errors = {i: recomposition_error(*one) for i, one in enumerate(made) if settings.auto_layers}
    while True:
        errors = {i: e for i, e in errors.items() if e > EXACT and len(made[i][1]) < len(made[i][0].task.outputs)}
        if not errors:
            return made
        requests = []
        for prepared, layers in (made[i] for i in errors):
            requests.append(replace(prepared.request, targets=(prepared.canvas.size,) * (len(layers) + 1)))
        results = model.run(requests, settings.steps, settings.guidance)
        improved = {}
        for (i, before), layers in zip(errors.items(), results, strict=True):
            one = made[i][0], layers
            if (error := recomposition_error(*one)) < FALL * before:
                made[i], improved[i] = one, error
        errors = improved


def recomposition_error(prepared: Prepared, layers: Sequence[Tensor]) -> float:
    """Return by how much layers (4, h, w) over one another miss the picture that the model was shown: mean square."""
    composite = layers[0][:3]
    for layer in layers[1:]:
        composite = over(layer, composite)
    return float((composite - prepared.request.inputs[0][:3]).square().mean())
