"""The sha256 of large files, remembered as long as nothing wrote to them: hashing 60 GB takes minutes."""

import json
import os
from pathlib import Path
from typing import Any

from .lock import sha256

LARGE = 64 * 2**20  # smaller files are hashed every time
MEMORY = "hashes.json"


class Hashes:
    """Remembers in `<home>/hashes.json`, by the file's real path, with its inode, size and times of change."""

    def __init__(self, home: Path):
        self.path = home / MEMORY

    def __call__(self, path: Path) -> str:
        """Hex digest of a file. Raises OSError."""
        stat = path.stat()
        if stat.st_size < LARGE:
            return sha256(path)
        stamp = [stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]
        key, known = str(path.resolve()), self._read()
        if known.get(key, {}).get("stamp") != stamp:
            known[key] = {"stamp": stamp, "sha256": sha256(path)}
            self._write(known)
        return str(known[key]["sha256"])

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            known = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return known if isinstance(known, dict) else {}

    def _write(self, known: dict[str, dict[str, Any]]) -> None:
        temporary = self.path.with_name(f".{MEMORY}.{os.getpid()}")
        try:
            temporary.write_text(json.dumps(known, indent=1), encoding="utf-8")
            temporary.replace(self.path)
        except OSError:
            pass  # a home that cannot be written to: it is hashed again next time
