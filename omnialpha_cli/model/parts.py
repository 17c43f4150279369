"""What a model is made of, whichever weights it has."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor

from .context import Context
from .mini.detail import Detail
from .mini.effects import Effects
from .mini.generator import Generator
from .mini.inpainter import Inpainter
from .sampler import Schedule
from .transformer import Transformer


class VAE(Protocol):
    """RGBA (B, 4, H, W) in [−1, 1] ↔ normalised latents (B, 16, H/8, W/8)."""

    def encode(self, rgba: Tensor) -> Tensor:
        """To latents."""

    def decode(self, z: Tensor, clamp: bool = True) -> Tensor:
        """To pixels."""


class ContextEncoder(Protocol):
    """Reads pictures and prompts; what it saw of pictures serves several prompts."""

    def look(self, images: Sequence[Sequence[Tensor]]) -> Any:
        """See the pictures of every item, RGBA (4, H, W) in [0, 1]."""

    def read(self, prompts: Sequence[str], seen: Any) -> Context:
        """The context of one prompt an item beside what was seen."""


@dataclass(frozen=True)
class Parts:
    """The networks, and the schedule that the transformer was trained for. Embedded weights may have
    `effects`, a matte's `detail`, an `inpainter` and a `generator`.
    """

    transformer: Transformer
    vae: VAE
    context_encoder: ContextEncoder
    schedule: Schedule
    effects: Effects | None = None
    detail: Detail | None = None
    inpainter: Inpainter | None = None
    generator: Generator | None = None
