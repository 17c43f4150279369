"""Weights of the transformer's blocks in 8 or 4 bits, through torchao; activations stay as they are."""

from importlib import import_module
from typing import Any, Literal

import torch
from torch import nn

Kind = Literal["none", "int8", "int4", "fp8"]
GROUP = 128  # weights that share a scale in int4

# Bytes a weight, scales included.
BYTES = {"int8": 1.0, "int4": 0.5 + 4 / GROUP, "fp8": 1.0}


def quantise_blocks(blocks: nn.ModuleList, kind: Kind, device: torch.device, leave: bool) -> None:
    """Quantise every linear layer, block by block on `device`, and `leave` the blocks there or bring them back.

    So no more than one block is there in full precision. Raises ImportError without torchao.
    """
    if kind == "none":
        return
    quantize_, config = _torchao(kind)
    for block in blocks:
        home = next(block.parameters()).device
        quantize_(block.to(device), config)
        if not leave:
            block.to(home)


def _torchao(kind: Kind) -> tuple[Any, Any]:
    try:
        quantization = import_module("torchao.quantization")
    except ImportError as error:
        raise ImportError(
            f"--quantize needs torchao ({error}); install it with: python -m pip install 'omnialpha[quantize]'"
        ) from error
    if kind == "int8":
        return quantization.quantize_, quantization.Int8WeightOnlyConfig()
    if kind == "fp8":
        return quantization.quantize_, quantization.Float8WeightOnlyConfig()
    packed = quantization.Int4WeightOnlyConfig(group_size=GROUP, int4_packing_format="tile_packed_to_4d")
    return quantization.quantize_, packed
