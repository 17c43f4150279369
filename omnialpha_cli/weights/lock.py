"""weights.lock: for every known set of weights its files with size, sha256 and licence. Reading, verifying, writing."""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..status import WeightsError


@dataclass(frozen=True)
class LockedFile:
    """One file of a weights folder; `path` is relative to it, `size` in bytes."""

    path: str
    size: int
    sha256: str
    licence: str


@dataclass(frozen=True)
class LockedWeights:
    """One table of weights.lock."""

    name: str
    title: str
    licence: str
    files: tuple[LockedFile, ...]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def identity(self) -> str:
        """One sha256 (hex) over the names and contents of all files."""
        lines = "".join(f"{file.path} {file.sha256}\n" for file in sorted(self.files, key=lambda file: file.path))
        return hashlib.sha256(lines.encode()).hexdigest()


def lock_path() -> Path:
    """Where weights.lock is: beside the modules in an installed package, at the top of the tree in a checkout."""
    installed = Path(__file__).with_name("weights.lock")
    return installed if installed.exists() else Path(__file__).parents[2] / "weights.lock"


def read_lock(path: Path) -> dict[str, LockedWeights]:
    """All tables of a lock file by name. Raises WeightsError if it is missing or is not a lock file."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: _weights(name, table) for name, table in tables.items()}
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}; reinstall omnialpha") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise WeightsError(f"{path} is not a lock file ({error}); reinstall omnialpha") from error


def write_lock(path: Path, locked: Mapping[str, LockedWeights]) -> None:
    """Write all tables, sorted by name."""
    lines = ["# Written by `omnialpha weights lock`. Loading checks size and sha256 of every file."]
    for name, weights in sorted(locked.items()):
        key = name if _bare(name) else _quoted(name)
        lines += ["", f"[{key}]", f"title = {_quoted(weights.title)}", f"licence = {_quoted(weights.licence)}"]
        for file in weights.files:
            lines += ["", f"[[{key}.files]]", f"path = {_quoted(file.path)}", f"size = {file.size}"]
            lines += [f"sha256 = {_quoted(file.sha256)}", f"licence = {_quoted(file.licence)}"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def lock_folder(folder: Path, name: str, title: str, licence: str) -> LockedWeights:
    """The table for the files that are in a weights folder now. Raises WeightsError if it holds no config.json."""
    if not (folder / "config.json").is_file():
        raise WeightsError(f"{folder} is no weights folder: it has no config.json")
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not _incidental(path.relative_to(folder)))
    files = (
        LockedFile(path.relative_to(folder).as_posix(), path.stat().st_size, sha256(path), licence) for path in paths
    )
    return LockedWeights(name, title, licence, tuple(files))


def verify(folder: Path, locked: LockedWeights, mend: str) -> None:
    """Raise WeightsError on the first file that is missing, truncated or altered, with the command `mend`."""
    for file in locked.files:
        path = folder / file.path
        if not path.is_file():
            raise WeightsError(f"weights {locked.name}: {path} is missing; mend it with: {mend}")
        if (size := path.stat().st_size) != file.size:
            raise WeightsError(
                f"weights {locked.name}: {path} has {size} bytes instead of {file.size}; mend it with: {mend}"
            )
        if sha256(path) != file.sha256:
            raise WeightsError(
                f"weights {locked.name}: {path} is not the file in weights.lock (its sha256 differs); "
                f"mend it with: {mend}"
            )


def sha256(path: Path) -> str:
    """Hex digest of a file. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights(name: str, table: Mapping[str, object]) -> LockedWeights:
    files = table["files"]
    if not isinstance(files, list):
        raise TypeError(f"{name}.files is not a list of tables")
    return LockedWeights(
        name, str(table["title"]), str(table["licence"]), tuple(LockedFile(**file) for file in files)
    )


def _quoted(text: str) -> str:
    """A TOML basic string: its escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False)


def _bare(name: str) -> bool:
    """Whether TOML lets a key stand without quotes."""
    return name.isascii() and name.replace("-", "").replace("_", "").isalnum()


def _incidental(path: Path) -> bool:
    """Files that are no part of the weights: hidden ones, caches, the model card."""
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts) or path.suffix in (".md", ".py")
