"""LoRA files that a user adds to the weights, as they are written on the command line. No torch: a plan needs them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ..status import UsageError
from .lock import sha256


@dataclass(frozen=True)
class Adapter:
    """One file and its strength."""

    path: Path
    strength: float = 1.0

    @property
    def identity(self) -> str:
        """Return what decides about pixels: the content and the strength. Reads the file."""
        return f"{self.strength:g}·{sha256(self.path)}"


def parse(text: str) -> Adapter:
    """Return `PATH` or `PATH:STRENGTH`. Raises UsageError unless it is a safetensors file that exists."""
    place, colon, number = text.rpartition(":")
    path, strength = Path(text), 1.0
    if colon and not path.is_file():
        with suppress(ValueError):  # else the colon is part of the name
            path, strength = Path(place), float(number)
    if not path.is_file():
        raise UsageError(f"LoRA {path} does not exist")
    if path.suffix != ".safetensors":
        raise UsageError(f"LoRA {path}: only safetensors files are read")
    return Adapter(path, strength)


def identity(adapters: Sequence[Adapter]) -> str | None:
    """Of all together, for the journal; None without any."""
    return ", ".join(adapter.identity for adapter in adapters) or None
