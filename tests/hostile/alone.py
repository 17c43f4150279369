"""Reads every file of the corpus in a process of its own, with little memory and time; prints a record of each.

Run as `python -m hostile.alone FOLDER`. Forks are fast, because what they need is imported already.
"""

import json
import os
import resource
import sys
from pathlib import Path

import numpy as np

from omnialpha_cli.media import pillow  # noqa: F401 (loaded before the limits)
from omnialpha_cli.media.colour import LINEAR, SRGB, convert
from omnialpha_cli.media.read import read_image
from omnialpha_cli.media.signatures import depth_of
from omnialpha_cli.status import ItemError

from . import write_corpus

SECONDS, MEMORY = 5, 2 << 30


def read(path: Path) -> tuple[str, str]:
    """What becomes of a file: `read`, `refused`, `odd`, and words about it."""
    try:
        depth_of(path)
        image = read_image(path)
        shown = convert(convert(image.rgb, image.encoding, SRGB), SRGB, LINEAR)
    except ItemError as error:
        return "refused", str(error)
    except BaseException as error:
        return "odd", f"{type(error).__name__}: {error}"
    if np.isfinite(image.rgb).all() and not np.isfinite(shown).all():
        return "odd", "its colours are no numbers in sRGB"
    return "read", "; ".join(image.notes)


def limited(path: Path, pipe: int) -> None:
    """Read it within the limits, and tell."""
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.write(pipe, json.dumps(read(path)).encode()[:60_000])
    os._exit(0)


def outcome(path: Path) -> dict[str, object]:
    """Read it in a fork."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        limited(path, writing)
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123 (a descriptor)
        told = pipe.read()
    _, status, used = os.wait4(child, 0)
    kind, words = json.loads(told) if told and not status else ("died", f"status {status}")
    return {"name": path.name, "outcome": kind, "words": words, "seconds": used.ru_utime + used.ru_stime,
            "megabytes": used.ru_maxrss / 1024}  # fmt: skip


if __name__ == "__main__":
    for path in write_corpus(Path(sys.argv[1])):
        print(json.dumps(outcome(path)))
