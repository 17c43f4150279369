"""Tell how much of known shadows is in the layers that decompositions make of them, and how much else."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...api import OmniAlpha
from ..train.packs import Picture
from .held_out import Hint
from .material import Scene, composites, make_hint

VISIBLE = 1 / 255  # a change that a file of 8 bits holds


@dataclass(frozen=True)
class Shade:
    """Hold mean changes over one composite beside its object, white being 1.

    `wanted` is the shadow's darkening, `within` what of it is in the layer, `elsewhere` what the layer darkens where
    the shadow does not.
    """

    name: str
    wanted: float
    within: float
    elsewhere: float


def shadows(model: OmniAlpha, photos: Sequence[Picture], hint: Hint) -> Iterator[Shade]:
    """Take composites apart, of which every second has a shadow, and compare the layers of their shadows with these."""
    for scene in composites(photos, in_focus=hint != "none"):
        known = {} if hint == "none" else {hint.replace("-", "_"): _hint(scene, hint)}
        background, shadow, _ = model.decompose(scene.scene, effects=True, **known)
        yield judge_shadow(scene, background[..., :3] / 255.0, shadow[..., 3] / 255.0)


def judge_shadow(scene: Scene, background: Any, alpha: Any) -> Shade:
    """Judge a layer of `alpha` (H, W) on a `background` (H, W, 3)."""
    beside = scene.foreground[..., 3] == 0
    darkened = (background * alpha[..., None]).mean(-1) * beside
    change = (scene.background.astype(np.float64) - scene.scene) / 255
    wanted = change.mean(-1).clip(min=0) * beside * scene.name.endswith("shadow")
    elsewhere = darkened * (wanted <= VISIBLE)
    return Shade(scene.name, *(float(one.mean()) for one in (wanted, np.minimum(darkened, wanted), elsewhere)))


def _hint(scene: Scene, hint: Hint) -> Any:
    return make_hint(hint, scene.name, scene.foreground[..., 3])
