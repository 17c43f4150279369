"""Find the shadows and reflections of what is cut out or removed, where the weights have a network for them."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from ..imaging.removal.fill import paint_over
from ..imaging.removal.shadow import change_by
from ..status import ItemError
from .model import Model
from .passes import Made
from .prepare import Prepared
from .settings import Settings


def find_effects(model: Model, made: Sequence[Made], settings: Settings) -> list[Made]:
    """Return requests with the gains that take an object's effects out of its surroundings, if that is asked for.

    Raises ItemError `unsupported` where a layer of them is asked for, and the weights find none.
    """
    if not settings.effects:
        return list(made)
    return [(_with_gains(model, prepared, layers), layers) for prepared, layers in made]


def _with_gains(model: Model, prepared: Prepared, layers: Sequence[Tensor]) -> Prepared:
    canvas, scene, is_layer = prepared.canvas, prepared.request.inputs[0], prepared.task.command != "remove"
    if is_layer:
        mask = (layers[-1][3] > 0.5).float()  # (h, w)
    elif prepared.hint is not None:
        mask = (canvas.fit(prepared.hint[None])[0] >= 0.5).float()
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
