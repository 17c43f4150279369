"""Define what a model is made of, whichever weights it has, and the context between its parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Context:
    """Hold the context of a batch: `tokens` (B, L, joint), and `mask` (B, L), bool, true where a token counts.

    `positions` (B, L, 3) are (z, y, x) in the transformer's units, or None for the published diagonal.
    """

    tokens: Tensor
    mask: Tensor
    positions: Tensor | None = None


def join(contexts: Sequence[Context]) -> Context:
    """Join contexts of several batches to one batch, one after the other; the shorter ones padded on the right."""
    tokens = [row for context in contexts for row in context.tokens]
    mask = [row for context in contexts for row in context.mask]
    positions = [row for context in contexts if context.positions is not None for row in context.positions]
    return Context(pad(tokens)[0], pad(mask)[0], pad(positions)[0] if positions else None)


def pad(rows: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Pad rows (l_i, …) with zeros on the right to (B, max l, …), with the mask (B, max l) of what is real."""
    padded = nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
    lengths = torch.tensor([len(r) for r in rows], device=padded.device)
    return padded, torch.arange(padded.shape[1], device=padded.device)[None] < lengths[:, None]


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
