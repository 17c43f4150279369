"""Read with Pillow what OpenImageIO does not: AVIF, HEIC, and CMYK in JPEG files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL.AvifImagePlugin import AvifImageFile
from PIL.JpegImagePlugin import JpegImageFile

from ..status import ItemError
from .colour import Encoding
from .formats import Depth
from .icc import rgb_profile
from .image import Image, from_array
from .opening import Admit, check_size, decoding

HEIC_MISSING = 'is HEIC: install what reads it, python -m pip install "omnialpha[heic]", or convert it to PNG first'
HIGH_BITDEPTH = 0x40  # in the third byte of an av1C box (AV1-ISOBMFF, 2.3.3): 10 or 12 bits
BOX_SEARCH = 65536  # bytes from the start


def read_heif(path: Path, kind: str, max_pixels: int, admit: Admit) -> Image:
    """Read the first picture of an AVIF or HEIC file. Raises `ItemError`: `unreadable`, `unsupported`, `too-large`."""
    with decoding(path):
        if kind == "HEIC":
            file = _open_heic(path)
            width, height = file.size
            check_size(path, width, height, max_pixels, admit)
            image = replace(
                from_array(np.asarray(file)), encoding=Encoding(icc=rgb_profile(file.info.get("icc_profile")))
            )
            several, is_cut = len(file) > 1, False
        else:
            with AvifImageFile(path) as picture:
                check_size(path, picture.width, picture.height, max_pixels, admit)
                image = from_array(picture)
                several, is_cut = getattr(picture, "n_frames", 1) > 1, _has_high_bitdepth(path)
    notes = [f"{path} holds several pictures: the first one is used"] if several else []
    if is_cut:
        notes.append(f"{path} has more than 8 bits a channel, of which the 8 highest are read")
    return replace(image, path=path, notes=tuple(notes))


def read_cmyk(path: Path, max_pixels: int) -> NDArray[np.uint8]:
    """Read the inks (H, W, 4) of a CMYK JPEG file, 255 being all ink. Raises `ItemError` `unreadable`, `too-large`."""
    with decoding(path), JpegImageFile(path) as picture:
        check_size(path, picture.width, picture.height, max_pixels)
        return np.asarray(picture.convert("CMYK"))


def heic_depth(path: Path) -> Depth | None:
    """Return the depth of a HEIC file, or None where it cannot be read, or not in the memory that is left."""
    try:
        with decoding(path):
            return "16" if _open_heic(path).info.get("bit_depth", 8) > 8 else "8"
    except (ItemError, MemoryError):
        return None


def _open_heic(path: Path) -> Any:
    try:
        import pillow_heif
    except ImportError:
        raise ItemError("unsupported", f"{path} {HEIC_MISSING}") from None
    return pillow_heif.open_heif(path, convert_hdr_to_8bit=False)


def _has_high_bitdepth(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(BOX_SEARCH)
    place = head.find(b"av1C")
    return 0 <= place < len(head) - 6 and bool(head[place + 6] & HIGH_BITDEPTH)
