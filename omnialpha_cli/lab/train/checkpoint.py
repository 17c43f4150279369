"""Keep checkpoints: one file of what training changes, complete for any number of processes, replaced in one piece."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .distributed import Group, placed, whole
from .lora import Adapted

FILE = "checkpoint.pt"

State = Mapping[str, Tensor]


def trained(model: nn.Module) -> dict[str, Tensor]:
    """Return what training changes of a model: parameters with gradients, and buffers."""
    state: dict[str, Tensor] = model.state_dict(keep_vars=True)
    return {name: t for name, t in state.items() if not isinstance(t, nn.Parameter) or t.requires_grad}


@torch.no_grad()
def restore(model: nn.Module, state: State) -> None:
    """Put back what `trained` or `keep` gave, sharded or whole."""
    for name, tensor in trained(model).items():
        tensor.copy_(placed(state[name], tensor))


@contextmanager
def averaged(model: nn.Module, ema: State) -> Iterator[None]:
    """Give the model its averaged weights, evaluating, for a moment."""
    own = {name: tensor.detach().clone() for name, tensor in trained(model).items()}
    restore(model, ema)
    model.eval()
    try:
        yield
    finally:
        restore(model, own)
        model.train()


def save(folder: Path, model: nn.Module, optimiser: torch.optim.Optimizer, ema: State, step: int, group: Group) -> None:
    """Write the state after so many steps. All processes have to come here; the first one writes."""
    state = {"model": trained(model), "ema": ema, "optimiser": optimiser.state_dict(), "step": step}
    write(_whole(state), folder / FILE, group)


def load(folder: Path, model: nn.Module, optimiser: torch.optim.Optimizer, ema: dict[str, Tensor]) -> int:
    """Take up the state that `save` wrote, if there is one. Returns the steps that are done."""
    path = folder / FILE
    if not path.exists():
        return 0
    state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    restore(model, state["model"])
    for name, tensor in ema.items():
        tensor.copy_(placed(state["ema"][name], tensor))
    parameters = [p for group in optimiser.param_groups for p in group["params"]]
    for number, moments in state["optimiser"]["state"].items():
        for key in moments.keys() - {"step"}:
            moments[key] = placed(moments[key], parameters[number])
    optimiser.load_state_dict(state["optimiser"])
    return int(state["step"])


def keep(model: nn.Module, path: Path, group: Group) -> None:
    """Write what a training leaves: all of a model, or, where the base lies elsewhere, the adapters beside it."""
    adapted = any(isinstance(module, Adapted) for module in model.modules())
    write(_whole(trained(model) if adapted else model.state_dict()), path, group)


def write(state: Any, path: Path, group: Group) -> None:
    """Write a file in one piece. All processes have to come here; the first one writes."""
    if group.first:
        torch.save(state, path.with_suffix(".tmp"))
        path.with_suffix(".tmp").replace(path)
    group.wait()


def _whole(state: Any) -> Any:
    if isinstance(state, Tensor):
        return whole(state)
    if isinstance(state, Mapping):
        return {key: _whole(value) for key, value in state.items()}
    return state
