"""Where weights are: `mini` in the package, other locked names below a home folder, or any folder by its path."""

import json
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..status import WeightsError
from .lock import LockedWeights, lock_folder, lock_path, read_lock, verify

EMBEDDED = "mini"


@dataclass(frozen=True)
class Weights:
    """Weights that were asked for: `locked` is None for a folder given by its path, which nothing vouches for."""

    name: str
    folder: Path
    locked: LockedWeights | None

    @cached_property
    def config(self) -> dict[str, Any]:
        """The content of config.json. Raises WeightsError."""
        path = self.folder / "config.json"
        try:
            return dict(json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise WeightsError(f"weights {self.name}: {path} is missing; mend it with: {self.mend}") from None
        except (OSError, ValueError, TypeError) as error:
            raise WeightsError(f"weights {self.name}: {path} is damaged; mend it with: {self.mend}") from error

    @cached_property
    def identity(self) -> str:
        """One sha256 (hex) that stands for all files: as locked, or as they are now."""
        return (self.locked or lock_folder(self.folder, self.name, "", "")).identity

    @property
    def present(self) -> bool:
        """Whether the folder is there, verified or not."""
        return (self.folder / "config.json").is_file()

    @property
    def tasks(self) -> tuple[str, ...]:
        """Names of the tasks that the weights were trained on. Raises WeightsError."""
        return tuple(self.config.get("tasks", ()))

    @property
    def mend(self) -> str:
        """The command that brings the locked files back."""
        if self.locked is None:
            return f"copy the folder {self.folder} again"
        if self.name == EMBEDDED:
            return "python -m pip install --force-reinstall --no-deps . (in the omnialpha checkout)"
        return f"copy its files to {self.folder}"

    def verify(self) -> None:
        """Raise WeightsError unless every locked file is there with its size and sha256."""
        if self.locked is not None:
            verify(self.folder, self.locked, self.mend)


def home() -> Path:
    """The folder that holds weights other than the embedded ones: $OMNIALPHA_HOME, or the user's cache folder."""
    if given := os.environ.get("OMNIALPHA_HOME"):
        return Path(given)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return base / "omnialpha"


def known() -> list[Weights]:
    """All weights of weights.lock, present or not."""
    return [Weights(name, folder_of(name), locked) for name, locked in read_lock(lock_path()).items()]


def find(name_or_folder: str) -> Weights:
    """The weights of a locked name, or of a folder with a config.json. Reads nothing else; raises WeightsError."""
    weights = {one.name: one for one in known()}
    if name_or_folder in weights:
        return weights[name_or_folder]
    folder = Path(name_or_folder)
    if (folder / "config.json").is_file():
        return Weights(name_or_folder, folder, None)
    names = ", ".join(sorted(weights)) or "none"
    what = "a folder without config.json" if folder.is_dir() else "neither a name in weights.lock nor a folder"
    raise WeightsError(f"weights {name_or_folder}: {what}; names: {names} (see `omnialpha weights list`)")


def folder_of(name: str) -> Path:
    """Where the weights of a locked name belong."""
    return Path(__file__).with_name(name) if name == EMBEDDED else home() / name
