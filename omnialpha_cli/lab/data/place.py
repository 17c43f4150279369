"""Place objects, and scale them: on the ground, or anywhere; cut by the frame where they were cut before."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..train.augment import Geometry, uniform, view

VISIBLE = 25  # of 255: alpha from which a pixel counts as the object's
CUT = 0.02  # of a border: with more than that of a photograph's subject on it, the frame cuts the subject
CUT_OUT = 0.3  # of a border of a cut-out


@dataclass(frozen=True)
class Cuts:
    """Hold the sides at which the frame of its picture cut an object."""

    top: bool = False
    bottom: bool = False
    left: bool = False
    right: bool = False

    @property
    def count(self) -> int:
        """Tell how many."""
        return self.top + self.bottom + self.left + self.right


def cuts_of(rgba: np.ndarray, photo: bool) -> Cuts:
    """Tell where a picture's frame cuts its object: uint8 (H, W, 4).

    Cut-outs may be cropped to their object, which then touches the frame a little; one that fills most of its frame is
    square, not cut.
    """
    alpha = rgba[..., 3] > VISIBLE
    least = CUT if photo else CUT_OUT
    cuts = Cuts(*(bool(edge.mean() > least) for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1])))
    return Cuts() if not photo and cuts.count > 2 else cuts


def trimmed(rgba: np.ndarray) -> np.ndarray | None:
    """Return a picture cropped to what is visible of it; None if nothing is."""
    alpha = rgba[..., 3] > VISIBLE
    rows, columns = np.flatnonzero(alpha.any(1)), np.flatnonzero(alpha.any(0))
    return rgba[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else None


def put(
    rgba: np.ndarray,
    cuts: Cuts,
    size: tuple[int, int],
    g: torch.Generator,
    *,
    on_ground: bool,
    scale: tuple[float, float],
    side: int = 0,
) -> Tensor:
    """Return an object, uint8 (H, W, 4) cropped to it, on a canvas of `size` (h, w): a straight RGBA layer (4, h, w).

    At `scale` 1 it fills the canvas. `side` −1 or 1 keeps it to the left or right half.
    """
    zoom = uniform(g, *scale)
    step = max(rgba.shape[0] / size[0], rgba.shape[1] / size[1]) / zoom
    tall, wide = rgba.shape[0] / step / size[0], rgba.shape[1] / step / size[1]  # of the canvas
    room = max(0.0, 1 - 0.8 * wide)
    x = uniform(g, 0.25, 0.6) * side if side else uniform(g, -room, room)
    y = 2 * uniform(g, 0.66, 0.96) - 1 - tall if on_ground else uniform(g, -1, 1) * max(0.1, 1 - 0.8 * tall)
    if on_ground and y - tall < -1.1:  # its head would be outside
        y = -1.1 + tall
    if cuts.bottom:
        y = 1 - tall + uniform(g, 0.03, 0.2) * tall
    if cuts.left or cuts.right:
        x = (1 - wide + uniform(g, 0.03, 0.2) * wide) * (-1 if cuts.left else 1)
    turn = 0.0 if cuts.count else 4.0 if on_ground else 25.0
    geometry = Geometry((zoom, zoom), aspect=0.08, rotation=turn, shift=0.0, slack=0.0, flip=0.0, centre=(x, y))
    return view(rgba, size, geometry, g, fit="contain")


def mirrored(rgba: np.ndarray, cuts: Cuts) -> tuple[np.ndarray, Cuts]:
    """Exchange left and right in a picture and its cuts."""
    return rgba[:, ::-1], replace(cuts, left=cuts.right, right=cuts.left)
