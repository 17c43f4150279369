"""Weights of the transformer's blocks in 8 or 4 bits; activations stay as they are.

8 bits are torchao's. Its kernels for 4 bits multiply weights as they are, which is made for a token at a time: for the
thousands of a picture a step took eleven times as long as in bfloat16 (H200). Here 4 bits become numbers again in each
pass, by a few operations an entry of the weights instead of thousands.
"""

from importlib import import_module
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Kind = Literal["none", "int8", "int4", "fp8"]
GROUP = 128  # weights that share two numbers in int4
LEVELS = 15  # steps from the smallest of them to the largest

# Bytes a weight, scales included.
BYTES = {"int8": 1.0, "int4": 0.5 + 4 / GROUP, "fp8": 1.0}


class Int4Linear(nn.Module):
    """A linear layer whose weights are at one of 16 levels, evenly from the smallest to the largest of their group.

    Groups are `GROUP` inputs of one output, which has to be a share of all inputs.
    """

    levels: Tensor
    low: Tensor
    step: Tensor

    def __init__(self, base: nn.Linear):
        super().__init__()
        groups = base.weight.detach().unflatten(1, (-1, GROUP))  # (out, groups, GROUP)
        low, high = groups.amin(2, keepdim=True), groups.amax(2, keepdim=True)
        step = ((high - low) / LEVELS).clamp(min=torch.finfo(groups.dtype).tiny)
        levels = ((groups.float() - low) / step).round().clamp(0, LEVELS).byte()
        first, second = levels.chunk(2, dim=2)
        self.register_buffer("levels", first | second << 4)  # (out, groups, GROUP / 2)
        self.register_buffer("low", low)  # (out, groups, 1)
        self.register_buffer("step", step)
        self.bias = base.bias

    def weight(self) -> Tensor:
        """(out, in), in the dtype of what it was made from."""
        levels = torch.cat((self.levels & LEVELS, self.levels >> 4), dim=2)  # (out, groups, GROUP)
        return torch.addcmul(self.low, levels.to(self.step), self.step).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """(..., in) → (..., out)."""
        return F.linear(x, self.weight(), self.bias)


def quantise_blocks(blocks: nn.ModuleList, kind: Kind, device: torch.device, leave: bool) -> None:
    """Quantise every linear layer, block by block on `device`, and `leave` the blocks there or bring them back.

    So no more than one block is there in full precision. Raises ImportError without torchao where that is needed.
    """
    if kind == "none":
        return
    quantise = _int4 if kind == "int4" else _torchao(kind)
    for block in blocks:
        home = next(block.parameters()).device
        quantise(block.to(device))
        if not leave:
            block.to(home)


def _int4(block: nn.Module) -> None:
    for name, layer in list(block.named_modules()):
        if isinstance(layer, nn.Linear) and layer.in_features % GROUP == 0:
            parent, _, child = name.rpartition(".")
            setattr(block.get_submodule(parent), child, Int4Linear(layer))


def _torchao(kind: Kind) -> Any:
    try:
        quantization = import_module("torchao.quantization")
    except ImportError as error:
        raise ImportError(
            f"--quantize {kind} needs torchao ({error}); install it with: python -m pip install 'omnialpha[quantize]'"
        ) from error
    config = quantization.Int8WeightOnlyConfig() if kind == "int8" else quantization.Float8WeightOnlyConfig()
    return lambda block: quantization.quantize_(block, config)
