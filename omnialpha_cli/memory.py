"""Measure how much memory this process may still take."""

import sys
from contextlib import suppress
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
# That a pixel takes in all stages together, for one picture: measured on 24 megapixels, 47 for a matte, 72 for a
# removal, 92 for a decomposition.
PIXEL_BYTES = 64


def free_memory() -> int | None:
    """Return the bytes that the machine has left, within the limits of container (cgroup 2) and process (ulimit -v).

    None where the system does not tell.
    """
    if not sys.platform.startswith("linux"):
        return None
    import resource

    found = []
    with suppress(OSError, ValueError, KeyError, IndexError):
        found.append(_kilobytes(Path("/proc/meminfo"), "MemAvailable"))
    with suppress(OSError, ValueError, KeyError):
        limit = int((CGROUP / "memory.max").read_text())  # or the word max
        inactive = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())["inactive_file"]
        found.append(limit - int((CGROUP / "memory.current").read_text()) + int(inactive))
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        with suppress(OSError, ValueError, KeyError, IndexError):
            found.append(limit - _kilobytes(Path("/proc/self/status"), "VmSize"))
    return max(0, min(found)) if found else None


def _kilobytes(file: Path, name: str) -> int:
    """Return the bytes of a line `NAME: 123 kB`."""
    rows = dict(line.split(":", 1) for line in file.read_text().splitlines() if ":" in line)
    return int(rows[name].split()[0]) * 1024
