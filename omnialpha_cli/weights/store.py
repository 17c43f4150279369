"""Find weights: `mini` in the package, others by a locked name below a home folder, or by a folder's path.

A weights folder has a config.json (the embedded layout), or the published layout, a folder a part.
"""

import json
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

from ..files import leads_to_file, open_regular, sha256
from ..model.config import LORAS, PUBLISHED_CONFIG, base_alone, by_task, is_published, one_target
from ..status import UsageError, WeightsError
from ..tasks import Task, passes
from .lock import LAYOUTS, LockedWeights, lock_folder, lock_path, read_lock, remembered_sha256, verify, write_lock

EMBEDDED = "mini"
CONFIG_BYTES = 2**24  # of a config.json, at most
WHOLE_NUMBERS, LARGEST = ("steps", "canvas", "multiple"), 100_000
RECORDED = "weights.lock"  # in the home folder: what was pulled or imported, where the package does not know


@dataclass(frozen=True)
class Weights:
    """Name weights that were asked for: `locked` is None for a folder given by its path, which no lock vouches for."""

    name: str
    folder: Path
    locked: LockedWeights | None

    @cached_property
    def config(self) -> dict[str, Any]:
        """Read tasks and defaults from config.json, which the published layout may lack. Raises WeightsError."""
        path = self.folder / "config.json"
        if not path.is_file() and self.published:
            path = PUBLISHED_CONFIG
        try:
            with open_regular(path) as file:
                return _checked(json.loads(file.read(CONFIG_BYTES)))
        except FileNotFoundError:
            raise WeightsError(f"weights {self.name}: {path} is missing; mend it with: {self.mend}") from None
        except (OSError, ValueError, TypeError, RecursionError) as error:
            reason = " ".join(str(error).split())[:120]
            what = f"{path} is damaged ({reason}); mend it with: {self.mend}"
            raise WeightsError(f"weights {self.name}: {what}") from error

    def defaults(self, task: str) -> dict[str, Any]:
        """Return what the weights work best with, for one task. Raises WeightsError."""
        values = {"dtype": "float32", **self.config.get("defaults", {})}
        own = values.pop("commands", {})
        return values | by_task(own, task)

    @cached_property
    def identity(self) -> str:
        """Return one sha256 (hex) that stands for all files: as locked, or as they are now."""
        if self.locked and self.locked.known:
            return self.locked.identity
        return lock_folder(self.folder, self.name, "", "", hash_file).identity

    @property
    def published(self) -> bool:
        """Tell whether they are in the published layout."""
        return bool(self.locked and self.locked.sources) or is_published(self.folder)

    @property
    def caution(self) -> str | None:
        """Return what a run should not begin without saying: that its weights lack what makes them OmniAlpha."""
        if not base_alone(self.folder):
            return None
        return (
            f"weights {self.name}: {self.folder} holds no LoRA ({'/ or '.join(LORAS)}/), so the base model "
            "answers, which was not trained on these tasks; put the LoRA there, or give it with --lora"
        )

    def refuse_several(self, task: Task) -> None:
        """Raise UsageError where a task wants several images at once of weights that make one at a time."""
        first = (passes(task, self.tasks) or (task,))[0]
        if len(first.outputs) > 1 and one_target(self.folder):
            raise UsageError(
                f"weights {self.name} make one image at a time (zero_cond_t of their transformer), and {task.name} "
                f"wants {len(first.outputs)}; use another base, or matte and remove"
            )

    @property
    def present(self) -> bool:
        """Tell whether the folder is there, verified or not."""
        return any(leads_to_file(self.folder / file) for file in LAYOUTS)

    @property
    def tasks(self) -> tuple[str, ...]:
        """Return the names of the tasks that the weights were trained on. Raises WeightsError."""
        return tuple(self.config.get("tasks", ()))

    @property
    def mend(self) -> str:
        """Return the command that brings the locked files back."""
        if self.locked is None:
            return f"copy the folder {self.folder} again"
        if self.name == EMBEDDED:
            return "python -m pip install --force-reinstall --no-deps . (in the omnialpha checkout)"
        if self.locked.sources:
            return f"omnialpha weights pull {self.name}"
        return f"copy its files to {self.folder}"

    def require(self) -> None:
        """Raise WeightsError, with what it takes to get them, if weights that can be pulled are not there."""
        if self.locked and self.locked.sources and not self.present:
            if fault := unreadable_home():
                raise WeightsError(f"weights {self.name}: {fault}; another place can be given in OMNIALPHA_HOME")
            raise WeightsError(
                f"weights {self.name} are not here; get them with: {self.mend} "
                f"({self.locked.size / 1e9:.1f} GB to download, and as much disk in {self.folder})"
            )

    def verify(self, anew: bool = False) -> None:
        """Raise WeightsError unless every locked file is there with its size and sha256.

        Large files that nothing wrote to since they were hashed are not read again, unless `anew`.
        """
        self.require()
        if self.locked is not None:
            verify(self.folder, self.locked, self.mend, sha256 if anew else hash_file)


def _checked(config: Any) -> dict[str, Any]:
    """Return the content of a config.json. Raises ValueError or TypeError where no run could begin with it."""
    if not isinstance(config, dict):
        raise TypeError("it is no object")
    tasks, defaults = config.get("tasks", []), config.get("defaults", {})
    if not isinstance(tasks, list) or not all(isinstance(task, str) for task in tasks):
        raise TypeError("tasks is no list of names")
    commands = defaults.get("commands", {}) if isinstance(defaults, dict) else None
    if not isinstance(commands, dict) or not all(isinstance(own, dict) for own in commands.values()):
        raise TypeError("defaults is no object of settings")
    for own in (defaults, *commands.values()):
        for name, value in own.items():
            if name == "commands":
                continue
            if not isinstance(value, str | int | float | None) or (isinstance(value, float) and not isfinite(value)):
                raise TypeError(f"the default of {name} is no setting")
            if name in WHOLE_NUMBERS and not (type(value) is int and 0 < value < LARGEST):
                raise ValueError(f"the default of {name} is no number from 1 to {LARGEST}")
    return config


def home() -> Path:
    """Return the folder of weights other than the embedded ones: $OMNIALPHA_HOME, or the user's cache folder."""
    if given := os.environ.get("OMNIALPHA_HOME"):
        return Path(given)
    user = Path(os.path.expanduser("~"))  # noqa: PTH111 – that of pathlib fails for a user without a home
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or user / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = user / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or user / ".cache"
    return Path(base) / "omnialpha"


def unreadable_home() -> str | None:
    """Return what keeps this user out of the home folder of the weights, if anything does."""
    try:
        home().stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{home()} cannot be read: {error.strerror}"
    return None


def hash_file(path: Path) -> str:
    """Return the sha256 of a file, of a large one as remembered in the home folder. Raises OSError."""
    return remembered_sha256(path, home() / "hashes.json")


def known() -> list[Weights]:
    """List all weights of weights.lock, present or not, with what was recorded of those pulled or imported."""
    recorded = read_recorded()
    tables = read_lock(lock_path())
    return [
        Weights(name, folder_of(name), locked.completed(recorded[name]) if name in recorded else locked)
        for name, locked in tables.items()
    ]


def read_recorded() -> dict[str, LockedWeights]:
    """Return what was pulled or imported on this machine."""
    path = home() / RECORDED
    return read_lock(path) if leads_to_file(path) else {}


def record(locked: LockedWeights) -> Path:
    """Hold every later load to these files. Returns the file that says so."""
    path = home() / RECORDED
    write_lock(path, {**read_recorded(), locked.name: locked})
    return path


def find(name_or_folder: str) -> Weights:
    """Return the weights of a locked name, or of a weights folder. Reads nothing else; raises WeightsError."""
    weights = {one.name: one for one in known()}
    if name_or_folder in weights:
        return weights[name_or_folder]
    given = Weights(name_or_folder, Path(name_or_folder), None)
    if given.present:
        return given
    names = ", ".join(sorted(weights)) or "none"
    what = "a folder without config.json" if given.folder.is_dir() else "neither a name in weights.lock nor a folder"
    raise WeightsError(f"weights {name_or_folder}: {what}; names: {names} (see `omnialpha weights list`)")


def folder_of(name: str) -> Path:
    """Tell where the weights of a locked name belong."""
    return Path(__file__).with_name(name) if name == EMBEDDED else home() / name


Adapter = tuple[Path, float]  # a file of a LoRA, and its strength


def parse_adapter(text: str) -> Adapter:
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
    return path, strength


def identity_of(adapters: Sequence[Adapter]) -> str | None:
    """Return what decides about pixels, contents and strengths, for the journal; None without any. Reads the files."""
    return ", ".join(f"{strength:g}·{sha256(path)}" for path, strength in adapters) or None
