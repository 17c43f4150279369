"""Define what a model is made of, whichever weights it has."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from torch import Tensor, nn

from .context import Context
from .sampler import Schedule
from .transformer import Transformer


class VAE(Protocol):
    """Convert RGBA (B, 4, H, W) in [−1, 1] to normalised latents (B, 16, H/8, W/8), and back."""

    def encode(self, rgba: Tensor) -> Tensor:
        """Encode pixels to latents."""

    def decode(self, z: Tensor, clamp: bool = True) -> Tensor:
        """Decode latents to pixels."""


class ContextEncoder(Protocol):
    """Read pictures and prompts; what is read of pictures serves several prompts."""

    def look(self, images: Sequence[Sequence[Tensor]]) -> Any:
        """Encode the pictures of every item, RGBA (4, H, W) in [0, 1]."""

    def read(self, prompts: Sequence[str], encoded: Any) -> Context:
        """Return the context of one prompt an item beside the encoded images."""


Read = Callable[..., nn.Module]  # reads a network from its file, for weights that do so when it is first needed


@dataclass(frozen=True)
class Parts:
    """Hold the networks of a weights folder, and the schedule that its transformer was trained for.

    `specialists` are networks beside the transformer, by name.
    """

    transformer: Transformer | Read
    vae: VAE | Read
    context_encoder: ContextEncoder | Read
    schedule: Schedule
    specialists: Mapping[str, nn.Module | Read] = field(default_factory=dict)
