"""Define the interface of a loaded model, as pictures and batches need it."""

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from torch import Tensor

from ..model.config import Defaults
from ..model.mini.sketch import Drawing
from ..model.request import Request


class Model(Protocol):
    """Run a loaded model; `model.omnialpha.OmniAlpha` is one."""

    @property
    def defaults(self) -> Defaults:
        """Return canvas, steps and guidance where the user did not choose."""

    @property
    def tasks(self) -> Collection[str]:
        """Return the names of those that it was trained on."""

    @property
    def window(self) -> int:
        """Return how many batches suit a call: more than one where each call costs more than its requests do."""

    def run_batches(
        self,
        requests: Sequence[Request],
        steps: int | None = None,
        guidance: float | None = None,
        batch_size: int | None = None,
    ) -> Iterator[tuple[Sequence[int], list[list[Tensor]]]]:
        """Yield places of some requests, and for each its layers (4, h, w) in [0, 1], in order, float32 on the CPU."""

    def run(
        self, requests: Sequence[Request], steps: int | None = None, guidance: float | None = None
    ) -> list[list[Tensor]]:
        """Return the layers of all requests."""

    def shadow_gains(self, picture: Tensor, mask: Tensor) -> Tensor | None:
        """Return factors (3, h, w) that take an object's shadows out of RGBA (4, h, w); None if the model has none.

        The object, where the `mask` (h, w) is white, is painted over in it.
        """

    def refined(self, plate: Tensor, colours: Tensor, alpha: Tensor, trimap: Tensor | None) -> Tensor | None:
        """Refine alpha (h, w) by the pixels of a plate (3, h, w), sRGB in [0, 1]; None if the model cannot.

        `colours` (6, h, w) are those that object and background are likely to have in it; a trimap is (h, w).
        """

    def drawing(self, words: str, task: str) -> Drawing | None:
        """Return which known name words alone are drawn as in a task; None where that cannot be told."""

    def subject(self, words: str) -> str:
        """Return what of the words for a scene is an object before a background, "" if there is none."""

    def relevance(self, picture: Tensor, words: str) -> Tensor:
        """Return logits (h, w) of how relevant each place of RGBA (4, H, W) is to `words`."""
