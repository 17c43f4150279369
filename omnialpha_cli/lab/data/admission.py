"""Decide what is kept: a triplet that holds together, with an object that is there.

All measures are taken of the pixels as they will be written.
"""

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

ROUNDING = 1.0 / 255  # a composite of 8-bit layers, and its own rounding
DRIFT, DRIFT_SHARE = 20 / 255, 0.05  # of a pair: by how much, and of how many pixels, the camera may differ
LEAST, MOST = 0.003, 0.92  # of the picture that an object covers
FAINT = 0.15  # an object's alpha reaches this somewhere
VISIBLE = 8 / 255  # by how much an object changes what is behind it, on average


def composed(foreground: Bytes, effects: Bytes | None, background: Bytes) -> Floats:
    """Return the straight RGBA `foreground` over `effects` over the `background` (H, W, 3), in [0, 1]."""
    result = background.astype(np.float32) / 255
    for layer in (effects, foreground):
        if layer is not None:
            alpha = layer[..., 3:].astype(np.float32) / 255
            result = alpha * (layer[..., :3].astype(np.float32) / 255) + (1 - alpha) * result
    return np.asarray(result, np.float32)


def fault(foreground: Bytes, effects: Bytes | None, background: Bytes | None, scene: Bytes) -> str | None:
    """Return why a triplet is not kept, in a word; None where it is.

    `empty`, `faint` or `full`: of the alpha. `composite`: the layers do not make up the scene. `unseen`: the scene
    shows hardly anything of the object. A photograph, which has no background, is judged by its alpha alone.
    """
    if reason := _fault_of_alpha(foreground[..., 3]):
        return reason
    if background is None:
        return None
    pixels = scene.astype(np.float32) / 255
    if np.abs(composed(foreground, effects, background) - pixels).max() > ROUNDING:
        return "composite"
    alpha = foreground[..., 3].astype(np.float32) / 255
    changed = np.abs(pixels - background.astype(np.float32) / 255).max(-1)
    return "unseen" if (changed * alpha).sum() / alpha.sum() < VISIBLE else None


def fault_of_pair(mask: Mask, effect: Mask | None, background: Bytes, scene: Bytes) -> str | None:
    """Return why a scene that was taken with an object and without is not kept; None where it is.

    `composite`: apart from object and effect, both show the same, but for noise and a little drift.
    """
    if reason := _fault_of_alpha(mask.astype(np.uint8) * 255):
        return reason
    changed = np.abs(scene.astype(np.float32) - background).max(-1) / 255
    rest = ~(mask if effect is None else mask | effect)
    if rest.any() and (changed[rest] > DRIFT).mean() > DRIFT_SHARE:
        return "composite"
    return "unseen" if changed[mask].mean() < VISIBLE else None


def _fault_of_alpha(alpha: Bytes) -> str | None:
    share = alpha.mean() / 255
    if share < LEAST:
        return "empty"
    if share > MOST:
        return "full"
    return "faint" if alpha.max() < 255 * FAINT else None
