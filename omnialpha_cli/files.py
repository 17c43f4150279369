"""Open only regular files, tell their content apart, make what is made anew, and keep it on the disk."""

import errno
import hashlib
import os
import secrets
import stat
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Self

from .status import ItemError

# Names that the system refuses (too long, with a NUL, in a folder that may not be entered) are nothing.
exists, is_folder, leads_to_file = os.path.exists, os.path.isdir, os.path.isfile
TEMPORARY = ".omnialpha-"  # how the names of temporary files begin; no input or result may be called so
READING = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file for reading, and never wait for a writer. Raises OSError, for refused names too."""
    return os.fdopen(_descriptor(path), "rb")


def read_start(path: Path, size: int) -> bytes:
    """Return the first bytes of a regular file, at most `size`. Raises OSError as `open_regular`."""
    descriptor = _descriptor(path)
    try:
        return os.read(descriptor, size)
    finally:
        os.close(descriptor)


def _descriptor(path: Path) -> int:
    try:
        descriptor = os.open(path, READING)
    except ValueError as error:  # a NUL in the name
        raise OSError(errno.EINVAL, str(error), str(path)) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def sha256(path: Path) -> str:
    """Return the hex digest of a regular file. Raises OSError, for a fifo or a folder too."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@dataclass(frozen=True)
class Stamp:
    """Hold what changes when a file is written to: as long as it is equal, the file need not be hashed again."""

    size: int
    mtime_ns: int
    ctime_ns: int

    @classmethod
    def of(cls, path: Path) -> Self:
        """Return the stamp of a file now. Raises OSError."""
        now = path.stat()
        return cls(now.st_size, now.st_mtime_ns, now.st_ctime_ns)


def is_file(path: Path) -> bool:
    """Tell whether a regular file itself is there, not a link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def spelled_out(path: Path | str) -> str:
    """Return the absolute path without `..`, by its letters alone, as text: much faster than `Path` for many."""
    text = str(path)
    if os.name == "nt":
        return os.path.abspath(text)  # noqa: PTH100
    if not text.startswith("/"):
        text = f"{os.getcwd()}/{text}"  # noqa: PTH109
    plain = "/." not in text and "//" not in text and text[-1] != "/"
    return text if plain else os.path.normpath(text)


def path_below(path: Path | str, folder: Path) -> str:
    """Return a path relative to a folder that it lies below, with forward slashes on every system."""
    place, start = spelled_out(path), spelled_out(folder).rstrip(os.sep) + os.sep
    if not place.startswith(start):
        raise ValueError(f"{path} is not below {folder}")
    return place[len(start) :].replace(os.sep, "/")


def real(path: Path | str) -> str:
    """Return the absolute path without links; by its letters alone where the system refuses the name."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return spelled_out(path)


def folded(text: str) -> str:
    """Return a path in one spelling of its letters: equal where file systems that ignore case know one file."""
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()


class Resolver:
    """Resolve very many paths, looking at each folder once."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def place(self, path: Path | str) -> str:
        """Return the absolute path of a name in its folder: links on the way are followed, itself is not."""
        folder, _, name = spelled_out(path).rpartition(os.sep)
        if folder not in self._folders:
            self._folders[folder] = real(folder + os.sep).rstrip(os.sep) + os.sep
        return self._folders[folder] + name

    def real(self, path: Path | str) -> str:
        """Return the absolute path without links, as `real` does."""
        place = self.place(path)
        return real(place) if os.path.islink(place) else place  # noqa: PTH114


def is_free(path: Path) -> bool:
    """Tell whether a file may be renamed to `path`: nothing is there, or a regular file or a link to replace."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return True
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def create_beside(path: Path, prefix: str, suffix: str | None = None) -> Path:
    """Create an empty file with a new random name beside `path`, by default with its suffix. Raises OSError.

    An existing file or link of that name is never opened; the folder is made too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.with_name(f"{prefix}{secrets.token_hex(8)}{path.suffix if suffix is None else suffix}")
    os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0), 0o666))
    return file


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk, where the system knows how. Raises OSError."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems
            raise
    finally:
        os.close(descriptor)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a hidden temporary file beside `path`; what was written to it is flushed to disk, then renamed to `path`.

    After an error nothing is left. File errors become `ItemError`.
    """
    with naming(path):
        temporary = create_beside(path, f".{path.name[:64]}.", ".tmp")
    try:
        with complete(temporary, path):
            yield temporary
        with naming(path):
            if not is_free(path):
                raise OSError(errno.EINVAL, "what is there is not a regular file")
            temporary.replace(path)
            sync_folder(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def complete(file: Path, shown: Path) -> Iterator[None]:
    """Complete what the block writes to `file` on the disk. Errors become an `ItemError` `write` about `shown`."""
    with naming(shown):
        yield
        with file.open("rb+") as written:
            os.fsync(written.fileno())


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn file errors of the block into an `ItemError` `write` about `path`."""
    try:
        yield
    except OSError as error:
        raise ItemError("write", f"{path} cannot be written: {error.strerror or error}") from error
