"""Judge one result beside its truth: scores, and small pictures for whoever wants to look.

Alpha is (H, W), colour (H, W, 3), straight RGBA (H, W, 4), all floats in [0, 1].
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from . import metrics
from .baselines import Mask, grow
from .panels import Panel, difference, panel

Array = NDArray[Any]

VISIBLE = 0.04  # a change of colour that is an effect
VISIBLE_AREA = 1e-3  # the share of the picture that has to have one
RIM = 4  # pixels around the hole that may be the object's own


class Distance(Protocol):
    """Measure how far apart two colour pictures are; `metric` is its name in `scores.METRICS`."""

    metric: str

    def __call__(self, a: Array, b: Array) -> float:
        """Return the distance of two pictures (H, W, 3)."""


@dataclass(frozen=True, eq=False)
class Judged:
    """Hold scores of one picture by the names in `scores.METRICS`, the one to sort by first; `size` is (H, W).

    `source` is the collection that it comes from, "" where that is not known.
    """

    name: str
    size: tuple[int, int]
    scores: Mapping[str, float]
    panels: Mapping[str, Panel]
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    source: str = ""


# Panels that do not depend on the result.
GIVEN = ("source", "truth", "known matte", "known background", "known foreground", "known alpha", "named")


KEPT, LOST = 0.9, 0.5  # IoU from which a matte serves as it is, and below which it shows something else


def judge_matte(
    name: str,
    source: Array | None,
    found: Array,
    known: Array,
    trimap: Array | None = None,
    weights: Array | None = None,
) -> Judged:
    """Judge a cut-out or, as `found` (H, W), a matte alone, by the known matte; in the trimap's unknown band too.

    A matte alone is shown as a cut-out of the `source` or, without one, of white. `weights` (H, W) are those of
    `data.sources.mask_weights`, of a hard mask: errors are taken where it is sure, IoU where it says anything.
    """
    certain, labelled = (None, None) if weights is None else (weights == 255, weights > 0)
    alpha = found if found.ndim == 2 else found[..., 3]
    gradient, connectivity = metrics.gradient_errors(alpha, known), metrics.connectivity_errors(alpha, known)

    def score(where: Mask | None) -> dict[str, float]:
        return {
            "mse": metrics.mse(alpha, known, where),
            "mad": metrics.mad(alpha, known, where),
            "sad": metrics.sad(alpha, known, where),
            "grad": metrics.thousands(gradient, where),
            "conn": metrics.thousands(connectivity, where),
        }

    iou = metrics.hard_iou(alpha, known, labelled)
    scores = score(certain)
    scores |= {"iou": iou, "kept": float(iou >= KEPT), "lost": float(iou < LOST), "haze": metrics.haze(alpha, known)}
    if trimap is not None and (band := metrics.unknown(trimap)).any():
        scores |= {f"{name}_unknown": value for name, value in score(band).items()}
    colours = np.ones((*known.shape, 3), np.float32) if source is None else source
    panels = {} if source is None else {"source": panel(source)}
    panels |= {
        "result": panel(np.dstack((colours, alpha)) if found.ndim == 2 else found),
        "matte": panel(alpha),
        "known matte": panel(known),
        "difference": difference(alpha, known),
    }
    return Judged(name, known.shape, scores, panels)


def score_removal(
    found: Array, known: Array, mask: Mask | None, distance: Distance | None, scene: Array | None = None
) -> dict[str, float]:
    """Return PSNR and SSIM in the hole, where there is one, and over the picture; then `distance`.

    With a `scene`, where the object changed what is around the hole, also the share that is left of that.
    """
    scores = {}
    if mask is not None and mask.any():
        scores = {"psnr_hole": metrics.psnr(found, known, mask), "ssim_hole": metrics.ssim(found, known, mask)}
        scores |= {"sharpness": metrics.sharpness(found, mask)}
    scores |= {"psnr": metrics.psnr(found, known), "ssim": metrics.ssim(found, known)}
    if scene is not None and mask is not None:
        effects = (np.abs(scene[..., :3] - known).max(-1) > VISIBLE) & ~grow(mask, RIM)  # (H, W)
        if effects.mean() > VISIBLE_AREA:
            left = metrics.mse(found, known, effects) / metrics.mse(scene[..., :3], known, effects)
            scores |= {"effects_left": left}
    return scores if distance is None else scores | {distance.metric: distance(found, known)}


def judge_removal(
    name: str,
    scene: Array | None,
    found: Array,
    known: Array,
    mask: Mask | None = None,
    distance: Distance | None = None,
) -> Judged:
    """Return a picture without its object against the known background. `mask` (H, W) is where the object was."""
    found, known = found[..., :3], known[..., :3]
    panels = {} if scene is None else {"source": panel(scene)}
    panels |= {"result": panel(found), "truth": panel(known), "difference": difference(found, known)}
    return Judged(name, known.shape[:2], score_removal(found, known, mask, distance, scene), panels)


def judge_layers(name: str, scene: Array | None, found: tuple[Array, Array], known: tuple[Array, Array]) -> Judged:
    """Judge a background and a foreground (RGBA) by the known ones. Without a `scene`, the known layers make one."""
    background, foreground = found[0][..., :3], found[1]
    known_background, known_foreground = known[0][..., :3], known[1]
    scene = _over(known_foreground, known_background) if scene is None else scene
    alpha, known_alpha = foreground[..., 3], known_foreground[..., 3]
    scores = {
        "soft_iou": metrics.soft_iou(alpha, known_alpha),
        "foreground_l1": metrics.layer_l1(foreground[..., :3], known_foreground[..., :3], known_alpha),
        "background_l1": metrics.mad(background, known_background),
        "hidden_l1": metrics.layer_l1(background, known_background, known_alpha),
        "ghost": metrics.ghost(background, known_background, scene[..., :3], known_alpha),
        "recomposition_l1": metrics.mad(_over(foreground, background), scene),
    }
    panels = {
        "source": panel(scene),
        "background": panel(background),
        "known background": panel(known_background),
        "foreground": panel(foreground),
        "known foreground": panel(known_foreground),
        "difference": difference(alpha, known_alpha),
    }
    return Judged(name, known_alpha.shape, scores, panels)


def judge_reference(name: str, scene: Array, found: Array, named: Array, other: Array) -> Judged:
    """Return a cut-out of the object that was named, given what the named and another object cover (H, W).

    `right` is 1 where the mean alpha within the named object exceeds that within the other; a tie is not right.
    """
    alpha = found[..., 3]
    margin = float(np.average(alpha, weights=named) - np.average(alpha, weights=other))
    scores = {"soft_iou": metrics.soft_iou(alpha, named), "right": float(margin > 0), "margin": margin}
    panels = {
        "source": panel(scene),
        "result": panel(found),
        "named": panel(np.dstack((scene, named))),
        "difference": difference(alpha, named),
    }
    return Judged(name, named.shape, scores, panels)


def _over(layer: Array, background: Array) -> Array:
    alpha = layer[..., 3:]
    return alpha * layer[..., :3] + (1 - alpha) * background
