"""Downloads from the Hugging Face hub into a weights folder, held to the lock and to what the hub says of its files.

`huggingface_hub` transfers: it takes up a broken connection where it broke, shows progress, and heeds HF_TOKEN,
HF_ENDPOINT and HF_HUB_OFFLINE. A file lies under its own name only when it is whole, so a pull that was ended goes on
with the file that it was at; what is not as announced is removed.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..status import WeightsError
from .lock import UNKNOWN, LockedFile, LockedWeights, Source, sha256

PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
DOCUMENTS = (".md", ".txt", ".png", ".jpg", ".gitattributes")
NEEDED_TEXT = ("merges.txt",)  # of a tokenizer


@dataclass(frozen=True)
class Announced:
    """A file as the hub describes it: `sha256` of large ones, else the git object id of the content."""

    path: str
    size: int
    sha256: str | None
    git_id: str | None

    def fault(self, path: Path, hash_file: Callable[[Path], str]) -> str | None:
        """What is wrong with what was downloaded."""
        if (size := path.stat().st_size) != self.size:
            return f"{size} bytes instead of {self.size}"
        if self.sha256 is not None:
            return None if hash_file(path) == self.sha256 else "its sha256 is not the hub's"
        return None if self.git_id in (None, _git_id(path)) else "its content is not the hub's"


def pull(
    locked: LockedWeights,
    folder: Path,
    note: Callable[[str], None],
    hash_file: Callable[[Path], str] = sha256,
) -> LockedWeights:
    """Download what is missing or not as locked; returns the table with everything known.

    Raises WeightsError: no network or repository, no room, a pickle, a file that is not what it should be.
    """
    hub = _library()
    endpoint = os.environ.get("HF_ENDPOINT")
    listings = [(source, *_listing(hub, source, endpoint)) for source in locked.sources]
    wanted = [(source, commit, file) for source, commit, files in listings for file in files]
    known = {file.path: file for file in locked.files}
    if gone := sorted(known.keys() - {file.path for _, _, file in wanted}):
        raise WeightsError(f"weights {locked.name}: the hub does not have {', '.join(gone)}")
    _refuse_others(locked, wanted)
    _check_room(folder, [file for _, _, file in wanted if not _have(folder, file)])
    rows = []
    for source, commit, file in wanted:
        path = folder / file.path
        if not (_have(folder, file) and file.fault(path, hash_file) is None):
            note(f"{source.repository}: {file.path}, {file.size / 1e6:.1f} MB")
            _fetch(hub, source, commit, file.path, folder, endpoint)
            if fault := file.fault(path, hash_file):
                path.unlink()
                raise WeightsError(
                    f"{source.repository}: {file.path} came damaged ({fault}); it was removed, pull again"
                )
        digest = file.sha256 or hash_file(path)
        if (lock := known.get(file.path)) and lock.known and (lock.size, lock.sha256) != (file.size, digest):
            path.unlink()
            raise WeightsError(f"weights {locked.name}: {file.path} is not the file in weights.lock; it was removed")
        rows.append(LockedFile(file.path, file.size, digest, source.licence))
    sources = tuple(replace(source, revision=commit) for source, commit, _ in listings)
    return replace(locked, files=tuple(sorted(rows, key=lambda row: row.path)), sources=sources)


def _library() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise WeightsError(
            "downloading needs huggingface_hub; install it with: python -m pip install 'omnialpha[full]'"
        ) from error
    return huggingface_hub


def _listing(hub: Any, source: Source, endpoint: str | None) -> tuple[str, list[Announced]]:
    """The commit that a source stands at, and its files that belong to the weights."""
    revision = None if source.revision == UNKNOWN else source.revision
    try:
        info = hub.HfApi(endpoint=endpoint).model_info(source.repository, revision=revision, files_metadata=True)
    except Exception as error:
        raise WeightsError(_reason(error, source)) from error
    files = [
        Announced(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else None, one.blob_id)
        for one in info.siblings
        if _belongs(one.rfilename, source)
    ]
    if not files:
        raise WeightsError(f"{source.repository} holds none of {', '.join(source.include)}")
    return info.sha, files


def _belongs(path: str, source: Source) -> bool:
    name = path.rsplit("/", 1)[-1]
    if name.endswith(DOCUMENTS) and name not in NEEDED_TEXT:
        return False
    return any(fnmatchcase(path, pattern) for pattern in source.include)


def _refuse_others(locked: LockedWeights, wanted: list[tuple[Source, str, Announced]]) -> None:
    """Nothing but safetensors and text is fetched, and nothing outside the folder."""
    for source, _, file in wanted:
        if file.path.endswith(PICKLES):
            raise WeightsError(
                f"weights {locked.name}: {source.repository} holds the pickle {file.path}; only safetensors are fetched"
            )
        if file.path.startswith("/") or ".." in Path(file.path).parts:
            raise WeightsError(f"weights {locked.name}: {source.repository} names a file outside: {file.path}")


def _have(folder: Path, file: Announced) -> bool:
    path = folder / file.path
    return path.is_file() and path.stat().st_size == file.size


def _check_room(folder: Path, missing: list[Announced]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = sum(file.size for file in missing), shutil.disk_usage(folder).free
    if needed > free:
        raise WeightsError(
            f"{needed / 1e9:.1f} GB are to be downloaded, and {folder} has room for {free / 1e9:.1f} GB; "
            "another place can be given in OMNIALPHA_HOME"
        )


def _fetch(hub: Any, source: Source, commit: str, file: str, folder: Path, endpoint: str | None) -> None:
    path = folder / file
    if path.is_symlink() or path.exists():  # a link of an import, or something else than the hub has
        path.unlink()
    try:
        hub.hf_hub_download(source.repository, file, revision=commit, local_dir=folder, endpoint=endpoint)
    except Exception as error:
        raise WeightsError(f"{file}: {_reason(error, source)}; the same command goes on from there") from error


def _reason(error: Exception, source: Source) -> str:
    """One line of what the library says."""
    lines: Iterator[str] = (line.strip() for line in str(error).splitlines())
    return f"{source.repository}: {next((line for line in lines if line), type(error).__name__)}"


def _git_id(path: Path) -> str:
    """The id that git gives a blob with this content."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
