"""Checkpoint gradients: blocks forget their activations and compute them again in the backward pass."""

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import nn
from torch.utils.checkpoint import checkpoint

# Lists of blocks, by the names that the published classes give them: the transformer's, and the VAE's levels.
BLOCK_LISTS = ("transformer_blocks", "down_blocks", "up_blocks")


def recompute_blocks(model: nn.Module) -> None:
    """Make every block of a model recompute, in place; its parameters keep their names."""
    for name, module in model.named_modules():
        if isinstance(module, nn.ModuleList | nn.Sequential) and name.rpartition(".")[2] in BLOCK_LISTS:
            for block in module:
                if not isinstance(block.forward, partial):  # else it does already
                    block.forward = partial(_recomputed, block.forward)


def _recomputed(forward: Callable[..., Any], *arguments: Any) -> Any:
    return checkpoint(forward, *arguments, use_reentrant=False)
