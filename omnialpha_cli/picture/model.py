"""What the runner needs of a loaded model."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

from torch import Tensor

from ..model.omnialpha import Defaults, Request

# From a plate (3, h, w), sRGB in [0, 1], colours (6, h, w) that object and background are likely to have in it, alpha
# (h, w) and a trimap (h, w), or none, to a better alpha (h, w).
Look = Callable[[Tensor, Tensor, Tensor, Tensor | None], Tensor]


class Model(Protocol):
    """What the runner needs of a loaded model; `model.omnialpha.OmniAlpha` is one."""

    @property
    def defaults(self) -> Defaults:
        """Canvas, steps and guidance where the user did not choose."""

    @property
    def tasks(self) -> Collection[str]:
        """Names of those that it was trained on."""

    @property
    def window(self) -> int:
        """Batches that a call is best given: more than one where each call costs more than its requests do."""

    def run_batches(
        self,
        requests: Sequence[Request],
        steps: int | None = None,
        guidance: float | None = None,
        batch_size: int | None = None,
    ) -> Iterator[tuple[Sequence[int], list[list[Tensor]]]]:
        """Places of some requests, and for each its layers (4, h, w) in [0, 1], in order, float32 on the CPU."""

    def run(
        self, requests: Sequence[Request], steps: int | None = None, guidance: float | None = None
    ) -> list[list[Tensor]]:
        """The layers of all requests."""

    def gains(self, picture: Tensor, mask: Tensor) -> Tensor | None:
        """By how much (3, h, w) RGBA (4, h, w) would be lighter without the effects of what was painted over in it
        where the `mask` (h, w) is white; None where the model cannot tell.
        """

    @property
    def better(self) -> Look | None:
        """Its second look at a matte; None where it takes none."""

    def subject(self, words: str) -> str:
        """What of the words for a scene is an object before a background, "" if there is none."""

    def relevance(self, picture: Tensor, words: str) -> Tensor:
        """Logits (h, w) of how relevant each place of RGBA (4, H, W) is to `words`."""
