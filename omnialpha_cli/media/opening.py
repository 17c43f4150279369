"""Open files with OpenImageIO, alpha as they have it, and say what is wrong with them."""

import os
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import OpenImageIO as oiio
from numpy.typing import NDArray

from ..memory import PIXEL_BYTES, free_memory
from ..status import ItemError

DAMAGED = "{path} is truncated or damaged ({reason}): copy or export it again"
NO_LAYERS = "{path}: its layers cannot be read: {reason}"
SUBSAMPLED = "Subsampled channels are not supported"
_reader_of_exr = threading.Lock()
MAX_PIXELS = 300_000_000
ALWAYS_FREE = 2**29  # a picture that needs less is tried, whatever the system says


@contextmanager
def opened(path: Path, raw: bool = False) -> Iterator[oiio.ImageInput]:
    """Open an existing file in the block, alpha unassociated where it is, colours as in the file if `raw`.

    Raises OSError.
    """
    wanted = oiio.ImageSpec()
    wanted.attribute("oiio:UnassociatedAlpha", 1)
    wanted.attribute("oiio:RawColor", int(raw))
    with spelled(path) as name:
        reader = oiio.ImageInput.open(name, wanted)
        fault = "" if reader else complaint()
        if SUBSAMPLED in fault:
            reader = _open_subsampled(name, wanted)
        if reader is None:
            raise OSError(fault)
        try:
            yield reader
        finally:
            reader.close()


def parts_of(reader: oiio.ImageInput) -> Iterator[tuple[int, oiio.ImageSpec]]:
    """Give numbers and headers of the parts of a file, of which the reader is at each in turn."""
    number = 0
    while reader.seek_subimage(number, 0):
        yield number, reader.spec()
        number += 1
    complaint(reader)  # the seek behind the last part leaves its complaint


def read_samples(reader: oiio.ImageInput, part: int, first: int, end: int, type: Any) -> NDArray[Any]:
    """Read the channels from `first` up to `end` of a part: (H, W, channels). Raises OSError."""
    samples = reader.read_image(part, 0, first, end, type)
    if samples is None:
        raise OSError(complaint(reader))
    return samples


def _open_subsampled(name: str, wanted: oiio.ImageSpec) -> oiio.ImageInput | None:
    """Open a luminance-chroma EXR file, which only OpenImageIO's older reader takes; that is chosen for the process."""
    with _reader_of_exr:
        oiio.attribute("openexr:core", 0)
        try:
            reader = oiio.ImageInput.open(name, wanted)
        finally:
            oiio.attribute("openexr:core", 1)
    complaint()
    return reader


@contextmanager
def spelled(path: Path) -> Iterator[str]:
    """Name an existing file, within the block, so that it can be opened: by a link if its name is not UTF-8."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        with tempfile.TemporaryDirectory(prefix="omnialpha-") as folder:
            link = Path(folder, f"link{path.suffix}" if path.suffix.isascii() else "link")
            link.symlink_to(os.path.realpath(path))
            yield str(link)
    else:
        yield str(path)


NO_TEXT = "its header has names that are not text"


def complaint(reader: oiio.ImageInput | None = None) -> str:
    """Return what a reader complained of last, else what kept a file from being opened; it is forgotten then."""
    try:
        return str(oiio.geterror() if reader is None else reader.geterror())
    except UnicodeDecodeError:
        return NO_TEXT


def printable(text: str) -> str:
    """Return what a file says, fit for a message: without control characters and bytes that are no text."""
    return "".join(c if c.isprintable() or c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)


Admit = Callable[[int], None]  # waits until there is room for so many pixels


def anybody(pixels: int) -> None:
    """Admit a picture at once."""


def check_size(path: Path, width: int, height: int, max_pixels: int = MAX_PIXELS, admit: Admit = anybody) -> None:
    """Refuse sizes before memory is taken for the pixels. Raises `ItemError` `too-small`, `too-large`.

    What is free is weighed after `admit` let the picture in: those that were before it may have left.
    """
    if min(height, width) < 1:
        raise ItemError("too-small", f"{path} is {width}×{height} pixels: there is nothing in it")
    if height * width > max_pixels:
        limit = f"{max_pixels / 1e6:g} megapixels"
        raise ItemError("too-large", f"{path} is {width}×{height} pixels: at most {limit} (--max-pixels)")
    admit(height * width)
    needed, free = height * width * PIXEL_BYTES, free_memory()
    if free is not None and needed > max(free, ALWAYS_FREE):
        raise ItemError(
            "too-large",
            f"{path} is {width}×{height} pixels, for which about {needed / 1e9:.1f} GB of memory are needed, and "
            f"{free / 1e9:.1f} GB are free: make it smaller, or give it more",
        )


@contextmanager
def decoding(path: Path, trouble: str = DAMAGED) -> Iterator[None]:
    """Make every fault within the block, of whichever library decodes the file, an `ItemError` `unreadable`."""
    try:
        yield
    except (ItemError, MemoryError):  # too little memory is no fault of the file
        raise
    except UnicodeDecodeError:
        raise damaged(path, NO_TEXT, trouble) from None
    except Exception as error:  # each library has its own, and damage may lead to any
        raise damaged(path, error, trouble) from error


def damaged(path: Path, fault: object, trouble: str = DAMAGED) -> ItemError:
    """Return what a decoder's complaint becomes; it may quote anything that is in the file, and often its name."""
    words = str(fault).replace(f'("{path}")', "").replace(f"({path})", "")
    reason = " ".join(printable(words).split())[:160] or "its data does not decode"
    return ItemError("unreadable", trouble.format(path=path, reason=reason))
