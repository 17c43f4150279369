"""Take out shadows and reflections of what is removed, where the weights have a network for them."""

from collections.abc import Sequence
from dataclasses import replace

from ..imaging.removal.fill import paint_over
from .model import Model
from .passes import Made
from .settings import Settings


def find_effects(model: Model, made: Sequence[Made], settings: Settings) -> list[Made]:
    """Return the request with the gains that take an object's effects out of its surroundings, if that is asked for."""
    if not settings.effects:
        return list(made)
    found = []
    for prepared, layers in made:
        if prepared.task.command == "remove" and prepared.hint is not None:
            mask = (prepared.canvas.fit(prepared.hint[None])[0] >= 0.5).float()  # (h, w)
            painted = paint_over(prepared.request.inputs[0], mask)
            prepared = replace(prepared, gains=model.shadow_gains(painted, mask))
        found.append((prepared, layers))
    return found
