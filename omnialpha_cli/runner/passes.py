"""Tasks that take two passes of the network: find the object, then take it out.

Weights that were not trained on a removal or decomposition as a whole can do it in two (`tasks.passes`): the matte that
they make first is the mask that they are shown next. It is also the foreground of a decomposition.
"""

from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from ..imaging.composite import opaque
from ..imaging.fill import paint_over
from ..model.omnialpha import Request
from .network import Model
from .prepare import Prepared
from .settings import Settings

Made = tuple[Prepared, list[Tensor]]  # what was asked for, and its layers (4, h, w)


def second_pass(model: Model, made: Sequence[Made], settings: Settings) -> list[Made]:
    """The same with the layers of the whole task, for those that need a second pass."""
    waiting = [i for i, (prepared, _) in enumerate(made) if prepared.second]
    if not waiting:
        return list(made)
    requests = [_taking_out(*made[i], model.defaults.fill) for i in waiting]
    found = dict(zip(waiting, model.run(requests, settings.steps, settings.guidance), strict=True))
    return [_joined(*one, found[i]) if i in found else one for i, one in enumerate(made)]


def _taking_out(prepared: Prepared, layers: Sequence[Tensor], fill: bool) -> Request:
    """The request that takes out what was found, the first of the `layers`."""
    assert prepared.second is not None
    alpha = layers[0][3]
    scene = prepared.request.inputs[0]
    seen = paint_over(scene, alpha) if fill else scene
    mask = opaque((alpha > 0.5).to(scene).expand(3, -1, -1))
    return replace(prepared.request, prompt=prepared.second.prompt, inputs=(seen, mask))


def _joined(prepared: Prepared, layers: Sequence[Tensor], taken_out: Sequence[Tensor]) -> Made:
    matte, background = layers[0], taken_out[0]
    if prepared.task.command == "decompose":
        return prepared, [background, matte]
    hint = prepared.canvas.restore(matte[3:].to(prepared.plate))[0]  # (H, W)
    return replace(prepared, hint=hint), [background]
