"""Weights by a name → a loaded model, with the faults of a run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from ..status import DeviceError, WeightsError
from ..weights import store
from .devices import check_compiler, choose_device, is_out_of_memory

M = TypeVar("M")


def load_model(load: Callable[..., M], name_or_folder: str | Path, device: str | torch.device, **options: Any) -> M:
    """Load weights by a name in weights.lock, whose files are verified first, or from a folder.

    `load` is `model.omnialpha.OmniAlpha.load`, of that class or a subclass; `options` are what it takes beside folder
    and device. Raises WeightsError or DeviceError.
    """
    weights = store.find(str(name_or_folder))
    weights.verify()
    place = choose_device(str(device))
    if options.get("compile_blocks"):  # otherwise every item would fail by itself
        check_compiler(place)
    try:
        return load(weights.folder, place, **options)
    except Exception as error:  # each file format has its own
        if is_out_of_memory(error):
            raise DeviceError(f"weights {weights.name} do not fit into the memory of {place}") from error
        raise WeightsError(f"weights {weights.name} in {weights.folder} do not load: {error}") from error
