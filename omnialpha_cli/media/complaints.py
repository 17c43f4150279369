"""What OpenImageIO complains of: it quotes the file's own bytes, which need not be text."""

import OpenImageIO as oiio

NO_TEXT = "its header has names that are not text"


def complaint(reader: oiio.ImageInput | None = None) -> str:
    """What a reader complained of last, or, without one, what kept a file from being opened; it is forgotten then."""
    try:
        return str(oiio.geterror() if reader is None else reader.geterror())
    except UnicodeDecodeError:
        return NO_TEXT
