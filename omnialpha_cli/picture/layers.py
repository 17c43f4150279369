"""Choose as many layers as a picture needs: one more for as long as all together come nearer to it."""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from ..imaging.composite import over
from .model import Model
from .passes import Made
from .prepare import Prepared
from .settings import Settings

FALL = 0.95  # of the error before: what falls by less has stopped falling
EXACT = (1 / 255) ** 2  # squared error below which no layer is missing


def add_layers(model: Model, made: Sequence[Made], settings: Settings) -> list[Made]:
    """Return decompositions with `auto_layers` with as many as they need, at most those of their tasks; others as made.

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
