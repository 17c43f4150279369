"""Encode prompts and input images as the tokens of the transformer's context stream."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad


@dataclass(frozen=True)
class Context:
    """Hold the context of a batch.

    `tokens` (B, L, joint); `mask` (B, L) bool, true where a token counts; `positions` (B, L, 3) as (z, y, x) in the
    transformer's units, or None for the published diagonal.
    """

    tokens: Tensor
    mask: Tensor
    positions: Tensor | None = None


def join(contexts: Sequence[Context]) -> Context:
    """Join contexts of several batches to one batch, one after the other; the shorter ones padded on the right."""
    length = max(context.tokens.shape[1] for context in contexts)

    def widened(tensor: Tensor, dims: int) -> Tensor:
        return pad(tensor, (0, 0) * (dims - 2) + (0, length - tensor.shape[1]))

    positions = [widened(context.positions, 3) for context in contexts if context.positions is not None]
    return Context(
        torch.cat([widened(context.tokens, 3) for context in contexts]),
        torch.cat([widened(context.mask, 2) for context in contexts]),
        torch.cat(positions) if positions else None,
    )
