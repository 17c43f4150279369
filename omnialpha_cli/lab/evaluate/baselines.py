"""Inpaint without having learnt anything: what a model has to beat."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...imaging import canvas
from ...imaging.removal.fill import fill_masked

Array = NDArray[Any]
Mask = NDArray[np.bool_]
Fill = Callable[[Array, Mask], Array]  # scene (H, W, 3) uint8 and hole (H, W) → the same with the hole filled

RING = 5  # pixels around the hole whose mean fills it
TELEA_RADIUS = 5  # pixels


def grow(mask: Mask, radius: int) -> Mask:
    """Return a mask widened by `radius` pixels in every direction, squarely."""
    return canvas.grow(torch.from_numpy(mask), radius).numpy()


def border_mean(scene: Array, mask: Mask) -> Array:
    """Return the mean colour of what surrounds the hole."""
    ring = grow(mask, RING) & ~mask
    filled = scene.copy()
    if ring.any():
        filled[mask] = scene[ring].mean(0).round()
    return filled


def smooth(scene: Array, mask: Mask) -> Array:
    """Return the membrane between the colours around the hole, which the embedded weights start from."""
    picture = torch.from_numpy(scene.astype(np.float32)).permute(2, 0, 1)
    filled = fill_masked(picture, torch.from_numpy(mask)).round().clamp(0, 255)
    return filled.permute(1, 2, 0).to(torch.uint8).numpy()


def fills() -> dict[str, Fill]:
    """Return the baselines by name: `border-mean`, `smooth`, and `telea` where OpenCV is installed."""
    found: dict[str, Fill] = {"border-mean": border_mean, "smooth": smooth}
    try:
        cv2: Any = import_module("cv2")  # an optional one, without types
    except ImportError:
        return found

    def telea(scene: Array, mask: Mask) -> Array:
        return np.asarray(cv2.inpaint(scene, mask.astype(np.uint8), TELEA_RADIUS, cv2.INPAINT_TELEA))

    return found | {"telea": telea}
