"""Judge pictures made from words: beside their words, and as a set beside true pictures."""

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...status import ItemError
from .backgrounds import composites
from .judge import Judged
from .panels import panel
from .sets import Sets

Array = NDArray[Any]
Load = Callable[[], Array]  # a picture (H, W, 4) in [0, 1], read when it is needed


class WordScore(Protocol):
    """Score how well pictures (K, H, W, 3) go with one text, their mean."""

    def __call__(self, pictures: Array, words: str) -> float:
        """Return the mean score."""


class Generation:
    """Judge pictures one after the other; `sets` then holds all. `unreadable` true pictures could not be read."""

    def __init__(self, sets: Sets, truth: Sequence[Load], words: WordScore | None, names: Sequence[str] = ()):
        """Read all of `truth`, which may be empty. `names` are those of the pictures that are to be like each."""
        self.sets, self.words = sets, words
        self.truth: list[Load] = []
        self.own: dict[str, int] = {}
        self.unreadable: list[ItemError] = []
        features = []
        for name, load in zip_longest(names, truth):
            try:
                features.append(sets.add_known(load()))
                if name is not None:
                    self.own[name] = len(self.truth)
                self.truth.append(load)
            except ItemError as error:
                self.unreadable.append(error)
        self.known = np.array(features)  # (M, 9, D)

    def judge(self, name: str, rgba: Array, prompt: str | None) -> Judged:
        """Return one picture: how it goes with its words, and how far from it the nearest true picture is.

        The nearest shows whether a picture is like any true one, and whether it is one of them learnt by heart. The
        distance is that of features, the mean over the backgrounds. Where a true picture is its own, of the same words,
        it also tells how many of the others are farther.
        """
        scores: dict[str, float] = {}
        panels = {"result": panel(rgba)}
        features = self.sets.add_found(rgba)
        if self.words is not None and prompt is not None:
            scores["clip"] = self.words(composites(rgba), prompt)
        if self.truth:
            distances = np.linalg.norm(features - self.known, axis=2).mean(1)  # (M,)
            nearest = int(np.argmin(distances))
            scores["nearest"] = float(distances[nearest])
            if name in self.own and len(distances) > 1:
                scores["own"] = _beats(distances, self.own[name])
            panels["nearest truth"] = panel(self.truth[nearest]())
        return Judged(name if prompt is None else f"{name}: {prompt}", rgba.shape[:2], scores, panels)


def _beats(distances: Array, own: int) -> float:
    """Return the share of others that are farther than one; what is equally far counts half."""
    others = np.delete(distances, own)
    return float(((others > distances[own]) + 0.5 * (others == distances[own])).mean())
