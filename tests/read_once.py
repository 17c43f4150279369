"""Files of weights that commands of one process read again and again: each is hashed and built once."""

import json
from collections.abc import Callable
from copy import copy
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from omnialpha_cli.model.mini import load
from omnialpha_cli.weights import lock

SHARED = ("context", "vae", "segmenter", "detail", "effects", "inpainter")
# What LoRAs may change, for one; the other specialists share parts of their model.
COPIED = ("transformer",)

_sha256, _read = lock.sha256, load._read
_made: dict[tuple, Any] = {}


def _of_file(path: Path, *more: object, make: Callable[[], Any]) -> Any:
    stat = path.stat()
    key = (path, stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, *more)
    if key not in _made:
        _made[key] = make()
    return _made[key]


def _hashed(path: Path) -> str:
    return _of_file(path, make=lambda: _sha256(path)) if path.is_file() else _sha256(path)


def _copied(network: nn.Module) -> nn.Module:
    """Return the network with parameters of its own, quicker than `deepcopy`, which took an eighth of a command."""
    twin = copy(network)
    twin._parameters = {
        name: p if p is None else nn.Parameter(p.clone(), p.requires_grad) for name, p in network._parameters.items()
    }
    twin._modules = {name: module if module is None else _copied(module) for name, module in network._modules.items()}
    return twin


def _network(path: Path, build: load.Build, config: Any, *how: Any) -> nn.Module:
    def make() -> nn.Module:
        return _read(path, build, config, *how)

    if path.stem not in SHARED + COPIED:
        return make()
    device, dtype, _ = how
    network = _of_file(path, json.dumps(config, sort_keys=True), device, dtype, make=make)
    return _copied(network) if path.stem in COPIED else network


def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands of this test take what was made of the same files for another one."""
    monkeypatch.setattr(lock, "sha256", _hashed)
    monkeypatch.setattr(load, "_read", _network)
