"""What a model is made of, whichever weights it has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from .context import Context
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
        """Return the context of one prompt an item beside what was seen."""


@dataclass(frozen=True)
class Parts:
    """The networks of a weights folder, and the schedule that its transformer was trained for.

    `specialists` are networks beside the transformer by name, or what reads them when they are needed.
    """

    transformer: Transformer
    vae: VAE
    context_encoder: ContextEncoder
    schedule: Schedule
    specialists: Mapping[str, nn.Module | Callable[[], nn.Module]] = field(default_factory=dict)
