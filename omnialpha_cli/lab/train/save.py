"""Write tensors as a safetensors file."""

import os
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor


def save_tensors(state: dict[str, Tensor], path: Path, metadata: dict[str, str] | None = None) -> None:
    """Write the tensors for all who may read a new file: the library itself writes for its owner alone."""
    save_file(state, path, metadata)
    hidden = os.umask(0)
    os.umask(hidden)
    path.chmod(0o666 & ~hidden)
