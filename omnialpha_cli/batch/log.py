"""Append to a file of one process: locked, never reached through a link, made again if it is removed in mid-run."""

import errno
import os
import stat
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from ..files import sync_folder
from ..status import OmniAlphaError, UsageError

BLOCK = 2**20
TRIES = 5  # another process may hold the lock for a moment, to see whether it is free


class HeldError(UsageError):
    """Report that another process has the file open."""


class LostError(OmniAlphaError):
    """Report that the file was taken away in mid-run, and cannot be made again."""


class Log:
    """Write the open file. Holds its lock until closed; safe to use from several threads."""

    def __init__(self, path: Path):
        """Open for appending, making the folder. Raises OSError, or HeldError while another process has it."""
        self.path = path
        self._turn = threading.Lock()
        self._descriptor = _open(path)
        try:
            self._size = _end_line(self._descriptor)
            sync_folder(path.parent)
        except BaseException:
            os.close(self._descriptor)  # and with it the lock
            raise

    def append(self, line: bytes, sync: bool) -> None:
        """Append a whole line or nothing; with `sync` it is on the disk after that. Raises OSError or LostError."""
        with self._turn:
            if os.fstat(self._descriptor).st_size < self._size:
                raise LostError(f"{self.path} was cut off by another program while this run wrote to it; run it again")
            try:
                _write(self._descriptor, line)
                if sync:
                    os.fsync(self._descriptor)
            except OSError:
                with suppress(OSError):
                    os.ftruncate(self._descriptor, self._size)
                raise
            self._size += len(line)
            self._keep_in_place()

    def close(self) -> None:
        """Release it; what was removed since the last line is made again. Raises LostError."""
        try:
            self._keep_in_place()
        finally:
            os.close(self._descriptor)

    def _keep_in_place(self) -> None:
        """Make the file again under its name, with all that was in it, if it was removed or moved."""
        if _is_at(self._descriptor, self.path):
            return
        old, new = self._descriptor, None
        try:
            new = _open(self.path)
            _end_line(new)
            os.lseek(old, 0, os.SEEK_SET)
            while block := os.read(old, BLOCK):
                _write(new, block)
            os.fsync(new)
            sync_folder(self.path.parent)
        except (OSError, HeldError) as error:
            if new is not None:
                os.close(new)
            raise LostError(f"{self.path} was removed while this run wrote to it, and cannot be made again "
                            f"({error}); results since then are not recorded") from error  # fmt: skip
        self._descriptor, self._size = new, os.fstat(new).st_size
        os.close(old)


def is_held(path: Path) -> bool:
    """Tell whether a process has the log open for writing."""
    if sys.platform == "win32":
        return False
    import fcntl

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _open(path: Path) -> int:
    """Return a locked descriptor of the file, which is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent.is_symlink():
        raise OSError(errno.ELOOP, f"{path.parent} is a link; remove it")
    more = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | more, 0o666)
        except OSError as error:
            raise OSError(error.errno, f"{path}: {'it is a link' if path.is_symlink() else error.strerror}") from error
        try:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, f"{path} is not a regular file; remove it")
            if not _lock(descriptor):
                raise HeldError(f"another run is writing to {path}")
        except BaseException:
            os.close(descriptor)
            raise
        if _is_at(descriptor, path):
            return descriptor
        os.close(descriptor)  # it was removed before it was locked


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except OSError:
        return False


def _end_line(descriptor: int) -> int:
    """End a line that was torn by a kill; returns the size."""
    size = os.fstat(descriptor).st_size
    if size:
        os.lseek(descriptor, size - 1, os.SEEK_SET)
        if os.read(descriptor, 1) != b"\n":
            size += _write(descriptor, b"\n")
    return size


def _write(descriptor: int, data: bytes) -> int:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    return len(data)


def _lock(descriptor: int) -> bool:
    """Take the file's lock, which ends with the process. Windows refuses a second writer to renamed files itself."""
    if sys.platform == "win32":
        return True
    import fcntl

    for _ in range(TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(0.01)
        else:
            return True
    return False
