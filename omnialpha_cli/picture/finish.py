"""Finish the model's layers to the full-size result, by command."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..imaging.canvas import Canvas, opaque, resample, within
from ..imaging.colour import compress, likely_colours
from ..imaging.composite import layered, over, place_in_middle, place_on_ground
from ..imaging.matte.closed_form import alpha_in_band
from ..imaging.matte.difference_key import difference_trimap
from ..imaging.matte.finish import Steering, finish_layers, finish_matte, visible
from ..imaging.removal.clean_plate import finish_removal, relight
from ..imaging.removal.shadow import shadow_alpha, within_range
from ..media.samples import OPAQUE_FROM, WHITE
from ..model.omnialpha import OmniAlpha
from ..status import ItemError
from ..tasks import Command
from .prepare import Prepared
from .settings import Settings
from .view import from_view, to_view

# Of the square that has the area at which a network refines a matte, pixels: what a trimap leaves open is worth more.
SIDE, SIDE_IN_BAND = 384, 512


def finish(prepared: Prepared, layers: Sequence[Tensor], settings: Settings, model: OmniAlpha) -> list[Tensor]:
    """Bring the model's layers (4, h, w), sRGB, to full size: straight RGBA (4, H, W), bottom first.

    They are encoded as the output; mattes are refined by the `model`, where it can. Raises ItemError `nonfinite`
    where a result has a NaN or an infinity that is not its source's own.
    """
    encoding = prepared.target.encoding
    layers = [from_view(layer.cpu(), encoding, prepared.exposure) for layer in layers]
    results = FINISHES[prepared.task.command](prepared, layers, settings, model)
    _refuse_nonfinite(prepared, results)  # before the source's own come back
    for name, result in zip(prepared.task.layers, results, strict=False):
        if name == "shadow":
            continue  # whose black is no pixel of the source
        if prepared.light is not None:
            result[:3] = torch.where(prepared.light, prepared.plate, result[:3])
        if prepared.nonfinite is not None:
            prepared.nonfinite.put_back(result, prepared.plate)
    return results


def _refuse_nonfinite(prepared: Prepared, results: Sequence[Tensor]) -> None:
    """Raise ItemError where one of the `results` (4, H, W), all made of finite values, has others."""
    for result in results:
        if result.numel() and not (math.isfinite(result.amin()) and math.isfinite(result.amax())):  # they pass NaN on
            count = int((~result.isfinite()).any(0).sum())
            path = None if prepared.source is None else prepared.source.path
            where = "the result" if path is None else f"{path}: its result"
            raise ItemError("nonfinite", f"{where} would have NaN or infinite values in {count} pixels; not written")


def _refined(
    prepared: Prepared, matte: Tensor, trimap: Tensor | None, settings: Settings, model: OmniAlpha
) -> tuple[Tensor, Canvas]:
    """Return the alpha of a `matte` (4, h, w), refined by `trimap` (H, W) and plate, and the canvas that it is on.

    A model that refines mattes sees the plate as sRGB, at a limited size, but no smaller than the canvas.
    """
    plate, canvas = visible(prepared.plate, prepared.alpha), prepared.canvas
    alpha = matte[3].to(plate)
    if trimap is not None:
        alpha, canvas = alpha_in_band(alpha, plate, canvas, trimap, prepared.clean_plate)
    if settings.refine == "none":
        return alpha, canvas
    height, width = plate.shape[1:]
    side = SIDE if trimap is None else SIDE_IN_BAND
    size = within(height, width, max(side, math.isqrt(canvas.size[0] * canvas.size[1])))
    known = None if trimap is None else resample(trimap.to(plate), *size)
    view = to_view(resample(compress(plate), *size), prepared.target.encoding, prepared.exposure)
    at_size = resample(canvas.crop(alpha), *size)
    found = model.refined(view, likely_colours(view, at_size), at_size, known)
    return (alpha, canvas) if found is None else (found.to(plate), Canvas(height, width, size, (0, 0, *size)))


def _matte(prepared: Prepared, layers: Sequence[Tensor], settings: Settings, model: OmniAlpha) -> list[Tensor]:
    steering = prepared.steering
    if prepared.clean_plate is not None:
        steering = replace(steering, trimap=_difference_trimap(prepared, layers[0]))
    alpha, canvas = _refined(prepared, layers[0], steering.trimap, settings, model)
    cut_out = finish_matte(
        prepared.plate, prepared.alpha, alpha, canvas, prepared.clean_plate, steering=steering,
        refine=settings.refine, screen=prepared.screen, opaque_from=OPAQUE_FROM[prepared.target.depth],
    )  # fmt: skip
    if prepared.gains is None:
        return [cut_out]
    alpha = _shadow_of(prepared, prepared.plate, cut_out[3])
    shadow = _black(alpha if prepared.alpha is None else alpha * prepared.alpha)
    return [shadow, cut_out] if prepared.task.shadow else [layered(cut_out, shadow)]


def _shadow_of(prepared: Prepared, below: Tensor, covered: Tensor) -> Tensor:
    """Return the alpha (H, W) of the shadow that an object of alpha `covered` (H, W) throws on `below` (3, H, W)."""
    assert prepared.gains is not None
    return shadow_alpha(below, prepared.gains, prepared.canvas, covered, _exponent(prepared))


def _black(alpha: Tensor) -> Tensor:
    return torch.cat((alpha.new_zeros(3, *alpha.shape), alpha[None]))


def _difference_trimap(prepared: Prepared, matte: Tensor) -> Tensor:
    """Return what differs from the clean plate, and what does not: (H, W), from the model's `matte` (4, h, w)."""
    assert prepared.clean_plate is not None
    encoding, exposure = prepared.target.encoding, prepared.exposure
    plate, clean = (to_view(one, encoding, exposure) for one in (prepared.plate, prepared.clean_plate))
    return difference_trimap(plate, clean, prepared.canvas.crop(matte[3]))


def _remove(prepared: Prepared, layers: Sequence[Tensor], settings: Settings, model: OmniAlpha) -> list[Tensor]:
    plate, mask, canvas = prepared.plate, prepared.hint, prepared.canvas
    patches = model.defaults.fill
    if mask is None:
        clean = finish_removal(plate, layers[0], canvas, grown=settings.grow, patches=patches)
    elif prepared.gains is None:
        clean = finish_removal(plate, layers[0], canvas, mask, effects=settings.effects, patches=patches)
    else:
        lit = relight(plate, prepared.gains, canvas, mask, _exponent(prepared))
        clean = finish_removal(lit, layers[0], canvas, mask, patches=patches)
    return [opaque(clean)]


def _exponent(prepared: Prepared) -> float:
    """Return the exponent of gains that are meant for sRGB, where the plate is encoded otherwise: about the curve's."""
    return 2.2 if prepared.target.encoding.transfer == "linear" else 1.0


def _decompose(prepared: Prepared, layers: Sequence[Tensor], settings: Settings, model: OmniAlpha) -> list[Tensor]:
    background, *foregrounds = layers
    steering = prepared.steering if len(foregrounds) == 1 else Steering()  # of several it does not tell which
    mattes = [_refined(prepared, layer, steering.trimap, settings, model) for layer in foregrounds]
    finished = finish_layers(
        prepared.plate, background, foregrounds, prepared.canvas, mattes, steering=steering, refine=settings.refine,
        screen=prepared.screen, patches=model.defaults.fill, opaque_from=OPAQUE_FROM[prepared.target.depth],
    )  # fmt: skip
    if prepared.gains is None:
        return finished
    behind, front = finished
    alpha = within_range(_shadow_of(prepared, behind[:3], front[3]), behind[:3])
    if (white := WHITE[prepared.target.depth]) > 1:  # as files hold it, so that what follows from it is exact
        alpha = (alpha * white).floor() / white
    behind[:3] /= 1 - alpha
    return [behind, _black(alpha), front]


def _complete(prepared: Prepared, layers: Sequence[Tensor], settings: Settings, model: OmniAlpha) -> list[Tensor]:
    """Return what was missing; in a scene with what is given, whose pixels stay its own."""
    plate, alpha, (layer,) = prepared.plate, prepared.alpha, layers
    (given,), (wanted,) = prepared.task.inputs, prepared.task.outputs
    alone = not prepared.request.inputs
    if given == "background" and alone:  # an object that stands nowhere yet
        made = place_on_ground(layer, *plate.shape[1:])
        return [made if wanted == "foreground" else opaque(over(made, plate))]
    if wanted == "foreground":
        return [prepared.canvas.restore(layer)]
    made = prepared.canvas.restore(layer[:3])
    if given == "foreground" and wanted == "scene":
        front = opaque(plate) if alpha is None else torch.cat((plate, alpha[None]))
        made = over(front, made)
    return [opaque(made)]


def _render(prepared: Prepared, layers: Sequence[Tensor], settings: Settings, model: OmniAlpha) -> list[Tensor]:
    """Render what the model painted; only a foreground has transparency, objects are placed before the rest."""
    painted, *objects = layers
    canvas = prepared.canvas
    if prepared.task.outputs == ("foreground",):
        square = canvas.size[0] == canvas.size[1] and canvas.box == (0, 0, *canvas.size)
        return [place_in_middle(painted, canvas.height, canvas.width) if square else canvas.restore(painted)]
    full = canvas.restore(painted[:3])
    for layer in objects:
        full = over(place_on_ground(layer, *full.shape[1:]), full)
    return [opaque(full)]


def _as_painted(prepared: Prepared, layers: Sequence[Tensor], settings: Settings, model: OmniAlpha) -> list[Tensor]:
    """Return what the model painted, each layer with its transparency."""
    return [prepared.canvas.restore(layer) for layer in layers]


FINISHES: dict[Command, Callable[[Prepared, Sequence[Tensor], Settings, OmniAlpha], list[Tensor]]] = {
    "matte": _matte,
    "remove": _remove,
    "decompose": _decompose,
    "generate": _render,
    "complete": _complete,
    "run": _as_painted,
}
