"""Context encoders: prompts and input images → the tokens of the transformer's context stream."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Context:
    """Context of a batch.

    `tokens` (B, L, joint); `mask` (B, L) bool, true where a token counts; `positions` (B, L, 3) as (z, y, x) in the
    transformer's units, or None for the published diagonal.
    """

    tokens: Tensor
    mask: Tensor
    positions: Tensor | None = None
