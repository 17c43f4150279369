"""Remembered hashes of large files."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from omnialpha_cli.weights import lock
from omnialpha_cli.weights.lock import remembered_sha256


def hashed(home: Path, file: Path) -> str:
    return remembered_sha256(file, home / "hashes.json")


@pytest.fixture
def read(monkeypatch):
    """The files that were read to be hashed."""
    seen, sha256 = [], lock.sha256
    monkeypatch.setattr(lock, "sha256", lambda path: (seen.append(path), sha256(path))[1])
    monkeypatch.setattr(lock, "LARGE", 4)
    return seen


def test_a_large_file_is_read_again_only_after_it_was_written_to(tmp_path, read):
    file = tmp_path / "m.safetensors"
    file.write_bytes(b"0123456789")
    for _ in range(2):
        assert hashed(tmp_path, file) == hashlib.sha256(b"0123456789").hexdigest()
    assert len(read) == 1
    before = file.stat()
    file.write_bytes(b"012345678X")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # size and time of change look the same
    assert hashed(tmp_path, file) == hashlib.sha256(b"012345678X").hexdigest()


def test_small_files_are_always_read(tmp_path, read):
    file = tmp_path / "config.json"
    file.write_bytes(b"{}")
    hashed(tmp_path, file), hashed(tmp_path, file)
    assert len(read) == 2


def test_a_damaged_or_unwritable_memory_does_no_harm(tmp_path, read):
    file = tmp_path / "m.safetensors"
    file.write_bytes(b"0123456789")
    stat = file.stat()
    stamp = [stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
    memories = (json.dumps({str(file.resolve()): row}) for row in (1, {"stamp": stamp}, {"stamp": stamp, "sha256": 1}))
    for memory in ("[" * 9999, *memories, "["):
        (tmp_path / "hashes.json").write_text(memory)
        assert hashed(tmp_path, file) == hashlib.sha256(b"0123456789").hexdigest()
    assert hashed(tmp_path, file) == hashed(tmp_path / "nowhere", file)
