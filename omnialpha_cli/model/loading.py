"""Load safetensors files, mapped, not read, into modules on the meta device: all keys and places, or nothing.

The host holds no more of a file than the tensor that is on its way to the device.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from .config import PICKLES

SHOWN = 20  # faults that are named; the others are counted


def shards(folder: Path) -> list[Path]:
    """Return the safetensors files of one part: those that its index names, else all in the folder.

    Raises FileNotFoundError if there is none or one is missing, ValueError if there are only pickles.
    """
    index = next(iter(sorted(folder.glob("*.safetensors.index.json"))), None)
    if index is None:
        files = sorted(folder.glob("*.safetensors"))
    else:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        files = [folder / Path(name).name for name in sorted(names)]
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(f"{file} is missing")
    if not files:
        if pickles := sorted(p for p in folder.glob("*") if p.suffix in PICKLES):
            raise ValueError(f"{pickles[0]} is a pickle, which may run code as it is read; only safetensors are loaded")
        raise FileNotFoundError(f"{folder} holds no safetensors")
    return files


def load_into(
    module: nn.Module,
    files: Sequence[Path],
    device: torch.device | str,
    dtype: torch.dtype,
    rename: Callable[[str], str | None] = lambda key: key,
) -> None:
    """Fill `module` from `files`, each tensor cast to `dtype` on `device`.

    `rename` gives the module's name for a key, None for one that has no use. Raises ValueError, before any tensor
    is read, naming the keys that are missing, left over, there twice or of another shape.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    found: set[str] = set()
    faults: list[str] = []
    for key, shape in _keys(files):
        name = rename(key)
        if name is None:
            continue
        if name not in expected:
            faults.append(f"unknown {key}")
        elif name in found:
            faults.append(f"{key} is there twice")
        elif shape != expected[name]:
            faults.append(f"{key} is {shape}, not {expected[name]}")
        found.add(name)
    faults += [f"missing {name}" for name in sorted(expected.keys() - found)]
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise ValueError(f"the weights do not fit: {'; '.join(faults[:SHOWN])}{more}")
    for path in files:
        with _opened(path) as file:
            for key in file.keys():  # noqa: SIM118 – not a dictionary
                if not (name := rename(key)):
                    continue
                tensor = file.get_tensor(key)
                tensor = tensor.to(device=device, dtype=dtype if tensor.is_floating_point() else tensor.dtype)
                path_to, _, leaf = name.rpartition(".")
                owner = module.get_submodule(path_to)
                if leaf in owner._parameters:
                    owner._parameters[leaf] = nn.Parameter(tensor, requires_grad=False)
                else:
                    owner._buffers[leaf] = tensor


def count(files: Sequence[Path]) -> int:
    """Count the numbers in all tensors of the files, from the headers alone."""
    return sum(math.prod(shape) for _, shape in _keys(files))


def read_state(files: Sequence[Path]) -> dict[str, Tensor]:
    """Return all tensors of the files by key, on the CPU as they are."""
    state: dict[str, Tensor] = {}
    for path in files:
        with _opened(path) as file:
            state |= {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    return state


def _keys(files: Iterable[Path]) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Return every key with its shape, from the headers alone."""
    for path in files:
        with _opened(path) as file:
            for key in file.keys():  # noqa: SIM118
                yield key, tuple(file.get_slice(key).get_shape())


@contextmanager
def _opened(path: Path) -> Iterator[safe_open]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise ValueError(f"{path} is no whole safetensors file: {error}") from error
