"""Train LoRA adapters: put them beside the linear layers that a pattern names, and save them as loading reads them.

The base's weights stay frozen in their own dtype; the factors are float32, `down` normal with deviation 1/rank, `up`
zero, so that training starts from the base. Files have the keys and the metadata of diffusers and peft.
"""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...status import UsageError
from .distributed import Group, whole
from .save import save_tensors

FILE = Path("lora") / "pytorch_lora_weights.safetensors"  # in a weights folder of the published layout


@dataclass(frozen=True)
class LoRA:
    """Name what to adapt: linear layers whose whole name the pattern `modules` matches."""

    modules: str
    rank: int
    alpha: float


class Adapted(nn.Module):
    """Add a trained adapter to a frozen linear layer: base(x) + alpha/rank · up(down(x))."""

    def __init__(self, base: nn.Linear, rank: int, alpha: float, generator: torch.Generator):
        super().__init__()
        self.base = base.requires_grad_(False)
        self.scale = alpha / rank
        self.on = True
        device = base.weight.device
        self.down = nn.Parameter(torch.empty(rank, base.in_features, device=device))
        self.up = nn.Parameter(torch.zeros(base.out_features, rank, device=device))
        if device.type != "meta":  # drawn on the CPU: the same everywhere
            self.down.data.copy_(torch.randn(self.down.shape, generator=generator, device="cpu") / rank)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        y = self.base(x)
        if not self.on:
            return y
        return y + self.scale * F.linear(F.linear(x, self.down.to(y.dtype)), self.up.to(y.dtype))


def adapt(model: nn.Module, lora: LoRA, seed: int = 0) -> None:
    """Freeze `model` and put adapters beside its layers. Raises UsageError if the pattern names none."""
    model.requires_grad_(False)
    layers = {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear)}
    chosen = [name for name in layers if re.fullmatch(lora.modules, name)]
    if not chosen:
        raise UsageError(f"[lora] modules = {lora.modules!r} names no linear layer; there is e.g. {next(iter(layers))}")
    generator = torch.Generator().manual_seed(seed)
    for name in chosen:
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, Adapted(layers[name], lora.rank, lora.alpha, generator))


@contextmanager
def without_adapters(model: nn.Module) -> Iterator[None]:
    """Turn the adapters off for a moment."""
    adapters = [m for m in model.modules() if isinstance(m, Adapted)]
    for adapter in adapters:
        adapter.on = False
    try:
        yield
    finally:
        for adapter in adapters:
            adapter.on = True


def save(model: nn.Module, lora: LoRA, path: Path, group: Group) -> None:
    """Write the adapters of a transformer as a safetensors file that `model.lora` and diffusers read.

    All processes have to come here; the first one writes.
    """
    state: dict[str, Tensor] = {}
    layers = [(name, m) for name, m in model.named_modules() if isinstance(m, Adapted)]
    for name, layer in layers:
        state[f"transformer.{name}.lora_A.weight"] = whole(layer.down).contiguous()
        state[f"transformer.{name}.lora_B.weight"] = whole(layer.up).contiguous()
    settings = {
        "r": lora.rank,
        "lora_alpha": lora.alpha,
        "rank_pattern": {},  # no layer has others; diffusers 0.36 does not load a file that leaves them out
        "alpha_pattern": {},
        "target_modules": [name for name, _ in layers],
    }
    metadata = {f"transformer.{key}": value for key, value in settings.items()}
    if not group.first:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    save_tensors(state, path, {"format": "pt", "lora_adapter_metadata": json.dumps(metadata, sort_keys=True)})
