"""What decoders say of files: they quote the files' own bytes, which need not be text."""

import OpenImageIO as oiio

NO_TEXT = "its header has names that are not text"


def complaint(reader: oiio.ImageInput | None = None) -> str:
    """What a reader complained of last, or, without one, what kept a file from being opened; it is forgotten then."""
    try:
        return str(oiio.geterror() if reader is None else reader.geterror())
    except UnicodeDecodeError:
        return NO_TEXT


def printable(text: str) -> str:
    """Return what a file says, fit for a message: without control characters and bytes that are no text."""
    return "".join(c if c.isprintable() or c.isspace() else "\N{REPLACEMENT CHARACTER}" for c in text)
