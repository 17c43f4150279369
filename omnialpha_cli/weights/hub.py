"""Download from the Hugging Face hub into a weights folder, held to the lock and to what the hub says of its files.

`huggingface_hub` transfers: it takes up a broken connection where it broke, shows progress, and heeds HF_TOKEN,
HF_ENDPOINT and HF_HUB_OFFLINE. Its own download drops what it has of a file when the process ends (since version 1.18
every one begins a new file), so its transfer is given a file that is kept, in `.incomplete`: a pull that was ended goes
on with the byte that it was at. A file lies under its own name only when it is whole and as announced.
"""

import hashlib
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..model.config import LORAS, PICKLES
from ..status import WeightsError
from .lock import UNKNOWN, LockedFile, LockedWeights, Source, leads_out

DOCUMENTS = (".md", ".txt", ".png", ".jpg", ".gitattributes")
NEEDED_TEXT = ("merges.txt",)  # of a tokenizer
INCOMPLETE = ".incomplete"


@dataclass(frozen=True)
class Announced:
    """Describe a file as the hub does: `sha256` of large ones, else its git id; `remote` is its path there.

    `source` is at the commit that it stands at.
    """

    source: Source
    path: str
    remote: str
    size: int
    sha256: str | None
    git_id: str | None

    def fault(self, path: Path, hash_file: Callable[[Path], str]) -> str | None:
        """Return what is wrong with what was downloaded."""
        if not path.is_file():
            return "it is missing"
        if (size := path.stat().st_size) != self.size:
            return f"{size} bytes instead of {self.size}"
        if self.sha256 is not None:
            return None if hash_file(path) == self.sha256 else "its sha256 is not the hub's"
        return None if self.git_id in (None, _git_id(path)) else "its content is not the hub's"

    def part(self, folder: Path) -> Path:
        """Name the partial download by the content: another version of the file does not continue it."""
        content = self.sha256 or self.git_id or hashlib.sha256(self.path.encode()).hexdigest()
        return folder / INCOMPLETE / content


def pull(
    locked: LockedWeights, folder: Path, note: Callable[[str], object], hash_file: Callable[[Path], str]
) -> LockedWeights:
    """Download what is missing or not as locked; returns the table with everything known.

    Raises WeightsError: no network or repository, no room, a pickle, a file that is not what it should be.
    """
    wanted = [file for source in locked.sources for file in _listing(source)]
    known = {file.path: file for file in locked.files}
    if gone := sorted(known.keys() - {file.path for file in wanted}):
        raise WeightsError(f"weights {locked.name}: the hub does not have {', '.join(gone)}")
    _refuse_others(locked, wanted)
    _check_room(folder, wanted)
    rows = []
    for file in wanted:
        path, repository = folder / file.path, file.source.repository
        if file.fault(path, hash_file):
            note(f"{repository}: {file.remote}, {file.size / 1e6:.1f} MB")
            part = file.part(folder)
            _fetch(file, part)
            if fault := file.fault(part, hash_file):
                part.unlink()
                raise WeightsError(f"{repository}: {file.path} came damaged ({fault}); it was removed, pull again")
            path.parent.mkdir(parents=True, exist_ok=True)
            part.replace(path)  # in place of a link of an import, or of something else than the hub has
        digest = file.sha256 or hash_file(path)
        if (lock := known.get(file.path)) and lock.known and (lock.size, lock.sha256) != (file.size, digest):
            path.unlink()
            raise WeightsError(f"weights {locked.name}: {file.path} is not the file in weights.lock; it was removed")
        rows.append(LockedFile(file.path, file.size, digest, file.source.licence))
    shutil.rmtree(folder / INCOMPLETE, ignore_errors=True)
    sources = tuple(dict.fromkeys(file.source for file in wanted))
    return replace(locked, files=tuple(sorted(rows, key=lambda row: row.path)), sources=sources)


def _library() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise WeightsError(
            "downloading needs huggingface_hub; install it with: python -m pip install 'omnialpha[full]'"
        ) from error
    return huggingface_hub


def _listing(source: Source) -> list[Announced]:
    """List the files of a source, at the commit that it stands at, that belong to the weights."""
    revision = None if source.revision == UNKNOWN else source.revision
    api = _library().HfApi(endpoint=os.environ.get("HF_ENDPOINT"))
    try:
        info = api.model_info(source.repository, revision=revision, files_metadata=True)
    except Exception as error:
        raise WeightsError(_reason(error, source)) from error
    wanted = {one.rfilename: one for one in info.siblings if _belongs(one.rfilename, source)}
    if not wanted:
        raise WeightsError(f"{source.repository} holds none of {', '.join(source.include)}")
    source = replace(source, revision=info.sha)
    return [
        Announced(source, path, remote, one.size or 0, one.lfs.sha256 if one.lfs else None, one.blob_id)
        for remote, one in wanted.items()
        if (path := _local(remote)) == remote or path not in wanted
    ]


def _local(remote: str) -> str:
    """Return the path in a weights folder of a file of the hub: the LoRA has one name here, and two there."""
    head, slash, rest = remote.partition("/")
    return LORAS[0] + slash + rest if head in LORAS else remote


def _belongs(path: str, source: Source) -> bool:
    name = path.rsplit("/", 1)[-1]
    if name.endswith(DOCUMENTS) and name not in NEEDED_TEXT:
        return False
    return any(fnmatchcase(path, pattern) for pattern in source.include)


def _refuse_others(locked: LockedWeights, wanted: Sequence[Announced]) -> None:
    """Refuse all but safetensors and text, and anything outside the folder."""
    for file in wanted:
        about = f"weights {locked.name}: {file.source.repository}"
        if file.path.endswith(PICKLES):
            raise WeightsError(f"{about} holds the pickle {file.path}; only safetensors are fetched")
        if leads_out(file.path):
            raise WeightsError(f"{about} names a file outside: {file.path}")


def _check_room(folder: Path, wanted: Sequence[Announced]) -> None:
    """Raise WeightsError where the folder has no room for what is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    needed, free = 0, shutil.disk_usage(folder).free
    for file in wanted:
        path, part = folder / file.path, file.part(folder)
        if not (path.is_file() and path.stat().st_size == file.size):
            needed += file.size - (part.stat().st_size if part.is_file() else 0)
    if needed > free:
        raise WeightsError(
            f"{needed / 1e9:.1f} GB are to be downloaded, and {folder} has room for {free / 1e9:.1f} GB; "
            "another place can be given in OMNIALPHA_HOME"
        )


def _fetch(file: Announced, part: Path) -> None:
    """Download what is missing of `part`. What came before a fault stays."""
    hub, source = _library(), file.source
    from huggingface_hub.file_download import http_get

    part.parent.mkdir(parents=True, exist_ok=True)
    endpoint = os.environ.get("HF_ENDPOINT")
    url = hub.hf_hub_url(source.repository, file.remote, revision=source.revision, endpoint=endpoint)
    try:
        with hub.utils.WeakFileLock(part.with_suffix(".lock")), part.open("ab") as there:
            if there.tell() > file.size:
                there.truncate(0)
            http_get(
                url, there, resume_size=there.seek(0, os.SEEK_END), headers=hub.utils.build_hf_headers(),
                expected_size=file.size, displayed_filename=file.path,
            )  # fmt: skip
    except Exception as error:
        raise WeightsError(f"{file.path}: {_reason(error, source)}; the same command goes on from there") from error


def _reason(error: Exception, source: Source) -> str:
    """Return one line of what the library says."""
    lines = (line.strip() for line in str(error).splitlines())
    return f"{source.repository}: {next(filter(None, lines), type(error).__name__)}"


def _git_id(path: Path) -> str:
    """Return the id that git gives a blob with this content."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
