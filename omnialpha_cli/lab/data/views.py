"""Draw samples of a data set for training, all pictures of one in the same random view."""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ...status import UsageError
from ..train.augment import Geometry, choice, view
from .shards import Sample, Shards

T = TypeVar("T")
DRAWS = 1000  # at most, until one serves
PICKS = 4  # of which the one is taken whose shape is nearest to the canvas
NAMES = ("scene", "foreground", "background")


def until(draw: Callable[[], T], serves: Callable[[T], bool], wanted: str) -> T:
    """Draw until it serves. UsageError where nothing does."""
    for _ in range(DRAWS):
        one = draw()
        if serves(one):
            return one
    raise UsageError(f"{wanted}: of {DRAWS} that were drawn, none serves")


def draw_sample(
    shards: Shards,
    usable: Callable[[dict[str, Any]], bool],
    size: tuple[int, int],
    geometry: Geometry,
    g: torch.Generator,
) -> tuple[Sample, dict[str, Tensor]]:
    """Draw a sample whose record is `usable`, and views of its pictures of `size`: RGBA (4, h, w) in [0, 1]."""

    def pick() -> tuple[int, dict[str, Any]]:
        number = choice(g, len(shards))
        return number, shards.record(number)

    picks = [until(pick, lambda one: usable(one[1]), f"{shards.path}: triplets of the kind that the task needs")
             for _ in range(PICKS)]  # fmt: skip
    wanted = size[0] / size[1]
    number, _ = min(picks, key=lambda one: abs(one[1]["size"][1] / one[1]["size"][0] - wanted))
    sample = shards.read(number, NAMES)
    state = g.get_state()

    def view_of(picture: np.ndarray) -> Tensor:
        g.set_state(state)
        opaque = np.full(picture.shape[:2], 255, np.uint8)
        return view(
            picture if picture.shape[2] == 4 else np.dstack((picture, opaque)), size, geometry, g, fit="stretch"
        )

    return sample, {name: view_of(picture) for name, picture in sample.pictures.items()}
