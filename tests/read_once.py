"""Networks that commands of one process read again and again from the same file, read once."""

import json
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from omnialpha_cli.model.mini import load

# The transformer may be changed, by LoRAs for example, and the generator shares parts of its model.
SHARED = ("context", "vae", "segmenter", "detail", "effects", "inpainter")

_read = load._read
_networks: dict[tuple, nn.Module] = {}


def _once(path: Path, build: load.Build, config: Any, *how: Any) -> nn.Module:
    if path.stem not in SHARED:
        return _read(path, build, config, *how)
    file, (device, dtype, _) = path.stat(), how
    key = (path, file.st_ino, file.st_mtime_ns, file.st_size, json.dumps(config, sort_keys=True), device, dtype)
    if key not in _networks:
        _networks[key] = _read(path, build, config, *how)
    return _networks[key]


def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands of this test take networks that another one read."""
    monkeypatch.setattr(load, "_read", _once)
