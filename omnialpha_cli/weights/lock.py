"""Read weights.lock: for every known set of weights its files with size, sha256 and licence, and their source.

What is not known of a file is "unknown" there; the first pull or import records it in the weights' home folder.
"""

import hashlib
import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..files import sha256
from ..status import WeightsError

UNKNOWN = "unknown"
LARGE = 64 * 2**20  # smaller files are hashed every time
LAYOUTS = ("config.json", "transformer/config.json")  # a weights folder has one of these


@dataclass(frozen=True)
class LockedFile:
    """Describe one file of a weights folder; `path` is relative to it, `size` in bytes, None where it is not known."""

    path: str
    size: int | None
    sha256: str
    licence: str

    @property
    def known(self) -> bool:
        """Tell whether size and content are known."""
        return self.size is not None and self.sha256 != UNKNOWN


@dataclass(frozen=True)
class Source:
    """Name a repository on the hub: which of its files belong to the weights (patterns), and about how many bytes."""

    repository: str
    revision: str
    licence: str
    about: int
    include: tuple[str, ...]


@dataclass(frozen=True)
class LockedWeights:
    """Hold one table of weights.lock. Weights without sources are not for downloading."""

    name: str
    title: str
    licence: str
    files: tuple[LockedFile, ...]
    sources: tuple[Source, ...] = ()

    @property
    def size(self) -> int:
        """Return bytes of all files; about, as long as not all are known."""
        return sum(file.size or 0 for file in self.files) if self.known else sum(s.about for s in self.sources)

    @property
    def known(self) -> bool:
        """Tell whether there is a size and a hash of every file."""
        return bool(self.files) and all(file.known for file in self.files)

    @property
    def identity(self) -> str:
        """Return one sha256 (hex) over the names and contents of all files."""
        lines = "".join(f"{file.path} {file.sha256}\n" for file in sorted(self.files, key=lambda file: file.path))
        return hashlib.sha256(lines.encode()).hexdigest()

    def completed(self, recorded: "LockedWeights") -> "LockedWeights":
        """Complete this table by what was recorded; what it knows is kept."""
        rows = (*self.files, *recorded.files, *(file for file in self.files if file.known))
        files = {file.path: file for file in rows}
        pulled = {source.repository: source for source in recorded.sources}
        sources = (pulled.get(s.repository, s) if s.revision == UNKNOWN else s for s in self.sources)
        return replace(self, files=tuple(files[path] for path in sorted(files)), sources=tuple(sources))


def lock_path() -> Path:
    """Tell where weights.lock is: beside the modules in an installed package, at the top of the tree in a checkout."""
    installed = Path(__file__).with_name("weights.lock")
    return installed if installed.exists() else Path(__file__).parents[2] / "weights.lock"


def read_lock(path: Path) -> dict[str, LockedWeights]:
    """Return all tables of a lock file by name. Raises WeightsError if it is missing or is not a lock file."""
    try:
        return dict(_parse_lock(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise WeightsError(f"cannot read {path}: {error.strerror}; reinstall omnialpha") from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise WeightsError(f"{path} is not a lock file ({error}); reinstall omnialpha") from error


@lru_cache(maxsize=4)  # a command asks several times
def _parse_lock(text: str) -> dict[str, LockedWeights]:
    return {name: _weights(name, table) for name, table in tomllib.loads(text).items()}


def write_lock(path: Path, locked: Mapping[str, LockedWeights]) -> None:
    """Write all tables, sorted by name."""
    lines = ["# Written by `omnialpha weights lock`. Loading checks size and sha256 of every file."]
    for name, weights in sorted(locked.items()):
        key = name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else _value(name)  # TOML lets such do without quotes
        lines += ["", f"[{key}]", f"title = {_value(weights.title)}", f"licence = {_value(weights.licence)}"]
        for kind, rows in (("sources", weights.sources), ("files", weights.files)):
            for row in rows:
                values = {name: UNKNOWN if value is None else value for name, value in asdict(row).items()}
                lines += ["", f"[[{key}.{kind}]]", *(f"{name} = {_value(value)}" for name, value in values.items())]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def lock_folder(
    folder: Path, name: str, title: str, licence: str, hash_file: Callable[[Path], str] = sha256
) -> LockedWeights:
    """Return the table for the files that are in a weights folder now. Raises WeightsError for any other folder."""
    if not any((folder / file).is_file() for file in LAYOUTS):
        raise WeightsError(f"{folder} is no weights folder: it has no {' and no '.join(LAYOUTS)}")
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and not _incidental(path.relative_to(folder)))
    files = tuple(
        LockedFile(path.relative_to(folder).as_posix(), path.stat().st_size, hash_file(path), licence) for path in paths
    )
    return LockedWeights(name, title, licence, files)


def verify(folder: Path, locked: LockedWeights, mend: str, hash_file: Callable[[Path], str] = sha256) -> None:
    """Raise WeightsError on the first file that is missing, truncated, altered or not known, with a command."""
    for file in locked.files:
        path = folder / file.path
        if path.is_file() and not file.known:
            raise WeightsError(
                f"weights {locked.name}: nothing is known of {path} yet; "
                f"record what is there with: omnialpha weights lock {locked.name}"
            )
        if fault := _fault(path, file, hash_file):
            raise WeightsError(f"weights {locked.name}: {path} {fault}; mend it with: {mend}")


def _fault(path: Path, file: LockedFile, hash_file: Callable[[Path], str]) -> str | None:
    """Return what is wrong with a file by its lock."""
    if not path.is_file():
        return "is missing"
    if (size := path.stat().st_size) != file.size:
        return f"has {size} bytes instead of {file.size}"
    return None if hash_file(path) == file.sha256 else "is not the file in weights.lock (its sha256 differs)"


def _weights(name: str, table: Mapping[str, Any]) -> LockedWeights:
    files, sources = table.get("files", []), table.get("sources", [])
    if not isinstance(files, list) or not isinstance(sources, list) or not (files or sources):
        raise TypeError(f"{name}.files is not a list of tables")
    return LockedWeights(
        name,
        str(table["title"]),
        str(table["licence"]),
        tuple(_file(file) for file in files),
        tuple(Source(**{**source, "include": tuple(source["include"])}) for source in sources),
    )


def _file(row: Mapping[str, Any]) -> LockedFile:
    file = LockedFile(**{**row, "size": None if row["size"] == UNKNOWN else row["size"]})
    texts = (file.path, file.sha256, file.licence)
    if not all(isinstance(text, str) for text in texts) or not isinstance(file.size, int | None):
        raise TypeError(f"{row} is no file")
    if leads_out(file.path):
        raise ValueError(f"{file.path} lies outside of the weights")
    return file


def leads_out(path: str) -> bool:
    """Tell whether what is to be a path in a weights folder leads out of it."""
    return path.startswith("/") or ".." in Path(path).parts or "\0" in path


def _value(value: object) -> str:
    """Write a TOML value: those of strings, numbers and lists of them are written as in JSON."""
    return json.dumps(value, ensure_ascii=False)


def _incidental(path: Path) -> bool:
    """Tell which files are no part of the weights: hidden ones, caches, the model card."""
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts) or path.suffix in (".md", ".py")


def remembered_sha256(path: Path, memory: Path) -> str:
    """Return the hex digest of a file, of a large one as `memory` has it, unless it was written to since.

    That is a JSON file, by the file's real path, with its inode, size and times of change. Raises OSError.
    """
    stat = path.stat()
    if stat.st_size < LARGE:
        return sha256(path)
    stamp = [stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    key, known = str(path.resolve()), _read_memory(memory)
    if known.get(key, {}).get("stamp") != stamp:
        known[key] = {"stamp": stamp, "sha256": sha256(path)}
        temporary = memory.with_name(f".{memory.name}.{os.getpid()}")
        with suppress(OSError):  # a home that cannot be written to: it is hashed again next time
            temporary.write_text(json.dumps(known, indent=1), encoding="utf-8")
            temporary.replace(memory)
    return str(known[key]["sha256"])


def _read_memory(memory: Path) -> dict[str, dict[str, Any]]:
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    rows = known.items() if isinstance(known, dict) else ()
    return {key: row for key, row in rows if isinstance(row, dict) and isinstance(row.get("sha256"), str)}
