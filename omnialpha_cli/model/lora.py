"""Add low-rank adapters (LoRA, arXiv 2106.09685) to the linear layers of any module.

An adapter adds strength · alpha/rank · up·down to a weight (alpha = rank where a file has none). `merge` writes that
sum into the weights; `attach` leaves the weights as they are and computes the product beside them. Keys are
`{layer}.lora_A.weight` (or `lora_down`), `….lora_B.weight` (or `lora_up`), `….alpha`, with any of the prefixes that
diffusers, peft and ComfyUI put before the layer, or with a layer as the kohya trainers write it (`lora_unet_a_b_c`).
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from .loading import read_state

State = Mapping[str, Tensor]

_METADATA = "lora_adapter_metadata"  # the safetensors entry in which diffusers keeps the adapter's configuration
_KEY = re.compile(r"(?P<layer>.+)\.(?:(?P<part>lora_A|lora_B|lora_down|lora_up)(?:\.default)?\.weight|alpha)")
_PARTS = {"lora_A": "down", "lora_down": "down", "lora_B": "up", "lora_up": "up", None: "alpha"}
_PREFIXES = ("", "transformer.", "diffusion_model.", "model.diffusion_model.", "base_model.model.")
_KOHYA = "lora_unet_"


class AdaptedLinear(nn.Module):
    """Add adapters to a linear layer; several are one, their ranks laid end to end."""

    def __init__(self, base: nn.Linear):
        super().__init__()
        self.base = base
        self.down = nn.Parameter(base.weight.new_zeros(0, base.in_features), requires_grad=False)
        self.up = nn.Parameter(base.weight.new_zeros(base.out_features, 0), requires_grad=False)

    def add(self, down: Tensor, up: Tensor) -> None:
        """Put one more adapter beside those that are there: `down` (rank, in), `up` (out, rank)."""
        self.down.data = torch.cat([self.down, down.to(self.down)])
        self.up.data = torch.cat([self.up, up.to(self.up)], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        return self.base(x) + F.linear(F.linear(x, self.down), self.up)


def read(path: Path) -> dict[str, Tensor]:
    """Read a LoRA file (safetensors). An alpha that only its metadata tells is put into the state as `{layer}.alpha`.

    Raises OSError, or ValueError, which names the file: it is damaged, or an adapter whose scale is another
    (rank-stabilised).
    """
    state = read_state([path])
    with safe_open(path, framework="pt") as file:
        told = (file.metadata() or {}).get(_METADATA, "{}")
    try:
        settings = {key.removeprefix("transformer."): value for key, value in json.loads(told).items()}
        alphas = _alphas(state, settings)
    except (ValueError, TypeError, AttributeError, RecursionError, re.error) as error:
        raise ValueError(f"{path} has a damaged configuration ({error})") from error
    if settings.get("use_rslora"):
        raise ValueError(f"{path}: rank-stabilised adapters are not supported")
    return alphas | state


def _alphas(state: State, settings: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the alpha of every layer, by its key, where a configuration tells it."""
    if "lora_alpha" not in settings:
        return {}
    found = {}
    for layer in {match["layer"] for key in state if (match := _KEY.fullmatch(key))}:
        rows = (settings.get("alpha_pattern") or {}).items()
        own = (value for pattern, value in rows if re.fullmatch(rf"(.*\.)?({pattern})", layer))
        found[f"{layer}.alpha"] = torch.tensor(float(next(own, settings["lora_alpha"])))
    return found


def add(model: nn.Module, path: Path, strength: float, into_weights: bool) -> None:
    """Add the adapter of a file by `merge`, or else by `attach`. Raises as they and `read` do, naming the file."""
    state = read(path)
    try:
        if into_weights:
            merge(model, state, strength)
        else:
            attach(model, [(state, strength)])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def merge(model: nn.Module, state: State, strength: float = 1.0) -> None:
    """Add an adapter to the weights, in place; the sum is taken in float32 and rounded to each weight's dtype.

    Raises ValueError, before anything is changed, naming every key that fits no linear layer of `model`.
    """
    layers = _linears(model)
    for name, (down, up) in _match(layers, state, strength).items():
        weight = _base(layers[name]).weight
        delta = up.to(weight.device) @ down.to(weight.device)  # (out, in)
        weight.data = (weight.data.float() + delta).to(weight.dtype)


def attach(model: nn.Module, adapters: Iterable[tuple[State, float]]) -> None:
    """Run adapters, each (state, strength), beside the weights of `model`, besides those attached before.

    The layers they touch become `AdaptedLinear`; the factors take their dtype and device. Raises ValueError, before
    anything is changed, naming every key that fits no linear layer.
    """
    layers = _linears(model)
    for matched in [_match(layers, state, strength) for state, strength in adapters]:
        for name, factors in matched.items():
            layer = layers[name]
            if not isinstance(layer, AdaptedLinear):
                layers[name] = layer = AdaptedLinear(layer)
                model.set_submodule(name, layer)
            layer.add(*factors)


def _linears(model: nn.Module) -> dict[str, nn.Linear | AdaptedLinear]:
    return {name: m for name, m in model.named_modules() if isinstance(m, nn.Linear | AdaptedLinear)}


def _match(
    layers: Mapping[str, nn.Linear | AdaptedLinear], state: State, strength: float
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return factors by the name of the layer in the model, float32: (rank, in), (out, rank) with all scales in it."""
    parts: dict[str, dict[str, Tensor]] = {}
    faults = []
    kohya = {_KOHYA + name.replace(".", "_"): name for name in layers}
    for key, tensor in state.items():
        match = _KEY.fullmatch(key)
        written = match["layer"] if match else key
        candidates = [written.removeprefix(prefix) for prefix in _PREFIXES if written.startswith(prefix)]
        layer = next((name for name in candidates if name in layers), kohya.get(written))
        if match is None or layer is None:
            faults.append(f"{key} matches no linear layer")
        else:
            parts.setdefault(layer, {})[_PARTS[match["part"]]] = tensor

    matched = {}
    for layer, tensors in parts.items():
        base = _base(layers[layer])
        missing = [part for part in ("down", "up") if part not in tensors]
        if missing:
            faults.append(f"{layer} has no {' and no '.join(missing)} factor")
            continue
        down, up = tensors["down"].float(), tensors["up"].float()
        rank = len(down) if down.ndim else 0
        if not rank or (down.shape, up.shape) != ((rank, base.in_features), (base.out_features, rank)):
            faults.append(
                f"{layer} is {base.in_features} → {base.out_features}, "
                f"its factors are {tuple(down.shape)} and {tuple(up.shape)}"
            )
            continue
        alpha = tensors.get("alpha", torch.tensor(float(rank)))
        if alpha.numel() != 1:
            faults.append(f"{layer} has an alpha of {alpha.numel()} numbers")
            continue
        matched[layer] = down, up * (strength * float(alpha) / rank)
    if faults:
        raise ValueError(f"the adapter does not fit: {'; '.join(faults)}")
    return matched


def _base(layer: nn.Linear | AdaptedLinear) -> nn.Linear:
    return layer.base if isinstance(layer, AdaptedLinear) else layer
