"""Quantise weights of the transformer's blocks to 8 or 4 bits, which become numbers again in each pass.

That is a few operations an entry of the weights, where a picture's thousands of tokens cost thousands; kernels that
multiply weights as they are stored are made for a token at a time (torchao's of 4 bits took eleven times as long as
bfloat16 on an H200). Only fp8 is multiplied as such, where the device can: then activations are in it, too.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .config import Quantize

GROUP = 128  # weights that share two numbers in int4
LEVELS = 15  # steps from the smallest of them to the largest
FP8 = torch.float8_e4m3fn
FP8_SIDES = 16  # both sides of a matrix have to be multiples of it
FP8_FROM = 9  # the major compute capability from which on rows may have scales of their own

# Bytes a weight, scales included.
BYTES = {"int8": 1.0, "int4": 0.5 + 4 / GROUP, "fp8": 1.0}


class EightBitLinear(nn.Module):
    """Multiply by weights of 8 bits, whole numbers or of another `kind`, times a scale for each output."""

    entries: Tensor
    scale: Tensor

    def __init__(self, base: nn.Linear, kind: torch.dtype = torch.int8):
        super().__init__()
        entries, scale = in_range(base.weight.detach(), torch.finfo(kind).max if kind.is_floating_point else 127)
        self.register_buffer("entries", (entries if kind.is_floating_point else entries.round()).to(kind))  # (out, in)
        self.register_buffer("scale", scale[:, 0])  # (out,), float32
        self.bias = base.bias

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        product, scale = F.linear(x, self.entries.to(x)), self.scale.to(x)
        return product * scale if self.bias is None else torch.addcmul(self.bias, product, scale)


class Fp8Linear(EightBitLinear):
    """Multiply by weights of floats of 8 bits (e4m3), times a scale for each output.

    Where the device multiplies in fp8, tokens are in it too, with a scale each.
    """

    def __init__(self, base: nn.Linear):
        super().__init__(base, FP8)
        self.fits = base.in_features % FP8_SIDES == 0 and base.out_features % FP8_SIDES == 0

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        tokens = x.ndim > 2 and x.dtype == torch.bfloat16  # one row a picture is not worth it
        return self.multiplied(x) if tokens and self.fits and multiplies_fp8(x.device) else super().forward(x)

    def multiplied(self, x: Tensor) -> Tensor:
        """Multiply in fp8: (..., in) bfloat16 to (..., out)."""
        entries, scale = in_range(x.flatten(0, -2).float(), torch.finfo(FP8).max)  # (n, in), (n, 1)
        product = torch._scaled_mm(
            entries.to(FP8), self.entries.T, scale_a=scale, scale_b=self.scale[None], bias=self.bias, out_dtype=x.dtype,
            use_fast_accum=True,
        )  # fmt: skip
        return product.unflatten(0, x.shape[:-1])


def multiplies_fp8(device: torch.device) -> bool:
    """Tell whether a device multiplies matrices in fp8 whose rows have scales of their own."""
    return device.type == "cuda" and torch.cuda.get_device_properties(device).major >= FP8_FROM


def in_range(rows: Tensor, most: float) -> tuple[Tensor, Tensor]:
    """Return numbers (n, in) as float32 from −`most` to `most`, and the scales (n, 1) that make of them what they were.

    The scales are numbers of the rows' own type: rounded afterwards they would fit less well.
    """
    scale = (rows.abs().amax(1, keepdim=True).float() / most).to(rows.dtype).float().clamp(min=1e-12)
    return (rows.float() / scale).clamp(-most, most), scale


class Int4Linear(nn.Module):
    """Multiply by weights at one of 16 levels, evenly from the smallest to the largest of their group.

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
        """Return (out, in), in the dtype of what it was made from."""
        levels = torch.cat((self.levels & LEVELS, self.levels >> 4), dim=2)  # (out, groups, GROUP)
        return torch.addcmul(self.low, levels.to(self.step), self.step).flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        return F.linear(x, self.weight(), self.bias)


LAYERS: dict[str, type[EightBitLinear | Fp8Linear | Int4Linear]] = {
    "int8": EightBitLinear, "fp8": Fp8Linear, "int4": Int4Linear,
}  # fmt: skip


def quantise_blocks(blocks: nn.ModuleList, kind: Quantize, device: torch.device, leave: bool) -> None:
    """Quantise every linear layer, block by block on `device`, and `leave` the blocks there or bring them back.

    So no more than one block is there in full precision. In int4 layers stay whole whose inputs do not make groups.
    """
    if kind == "none":
        return
    for block in blocks:
        home = next(block.parameters()).device
        block.to(device)
        for name, layer in list(block.named_modules()):
            if isinstance(layer, nn.Linear) and (kind != "int4" or layer.in_features % GROUP == 0):
                block.set_submodule(name, LAYERS[kind](layer))
        if not leave:
            block.to(home)
