"""What has a picture's name and is no picture file."""

import os
from pathlib import Path


def make(folder: Path) -> list[Path]:
    """Make them in a folder; their paths."""
    (folder / "a-folder.png").mkdir()
    os.mkfifo(folder / "a-pipe.png")
    (folder / "no-permission.png").write_bytes(b"\x89PNG")
    (folder / "no-permission.png").chmod(0)
    links = {
        "link-to-nowhere.png": "not there",
        "link-to-itself.png": "link-to-itself.png",
        "link-to-a-folder.png": ".",
        "link-to-zeros.png": "/dev/zero",
        "link-to-nothing.png": "/dev/null",
        "link-to-noise.jpg": "/dev/urandom",
        "link-to-a-pipe.exr": "a-pipe.png",
        "link-to-a-process.tif": "/proc/self/mem",
        "link-to-text.exr": "/proc/self/status",
    }
    for name, target in links.items():
        (folder / name).symlink_to(target)
    return [folder / name for name in ("a-pipe.png", "no-permission.png", "a-folder.png", *links)]
