"""Read the depth of a picture file from its header alone: planning asks it of thousands of files."""

from contextlib import suppress
from pathlib import Path

from ..status import ItemError
from .formats import Depth
from .signatures import check_header, kind_of, read_head

# Where a format has several, its header is read.
LOG_SUFFIXES = (".dpx", ".cin", ".cineon")
ALWAYS: dict[str, Depth] = {"JPEG": "8", "WebP": "8", "BMP": "8", "TGA": "8", "GIF": "8", "AVIF": "8"}


def depth_of(path: Path) -> Depth | None:
    """Return the depth, or None where the file is broken, or no picture: reading it will say so.

    Of an EXR file it is that of all its channels together, so `float` may turn out to be `half`. Raises `ItemError` as
    `read_head`.
    """
    head = read_head(path)
    kind = kind_of(head, path)
    if kind in ALWAYS:
        return ALWAYS[kind]
    if kind == "PNG":
        return "16" if head[24:25] == b"\x10" else "8"
    if kind == "HEIC":
        from .pillow import heic_depth

        return heic_depth(path)
    if kind is None:
        return None
    from .image import SAMPLES
    from .opening import opened

    with suppress(ItemError, OSError, KeyError):
        check_header(path, kind)
        with opened(path) as reader:
            return SAMPLES[str(reader.spec().format)][0]
    return None


def is_log(path: Path) -> bool:
    """Tell by its header whether a file is a film scan, or a frame of a camera, whose numbers are a log of light."""
    if not str(path).lower().endswith(LOG_SUFFIXES):
        return False
    from .metadata import attributes, encoding_of
    from .opening import opened

    with suppress(ItemError, OSError):
        kind = kind_of(read_head(path), path)
        if kind != "DPX":
            return kind == "Cineon"
        with opened(path) as reader:
            return encoding_of(attributes(reader.spec()), kind, "16").is_log
    return False
