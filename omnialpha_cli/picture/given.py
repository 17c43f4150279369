"""Read a picture as a Python user gives it: a path, the bytes of a file, an open one, a PIL image, or an array."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..media.image import Image, from_array
from ..media.read import read_image
from ..status import ItemError

Picture = Any  # arrays as `media.image.from_array` takes them


def read_given(picture: Picture, argument: str) -> Image:
    """Read or take a picture given as an `argument`, by whose name messages call it unless it is a file."""
    if isinstance(picture, (str, os.PathLike)):
        return read_image(Path(picture))
    if hasattr(picture, "read") and not hasattr(picture, "getexif"):  # an open file, and no PIL image
        picture = picture.read()
    if isinstance(picture, bytes | bytearray | memoryview):
        return _decoded(picture, argument)
    try:
        return replace(from_array(picture), path=Path(argument))
    except ItemError as error:
        raise ItemError(error.code, f"{argument}: {error}") from None


def _decoded(data: bytes | bytearray | memoryview, argument: str) -> Image:
    """Read a picture from the bytes of its file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, argument)
        path.write_bytes(data)
        try:
            image = read_image(path)
        except ItemError as error:
            raise ItemError(error.code, str(error).replace(str(path), argument)) from None
    notes = tuple(note.replace(str(path), argument) for note in image.notes)
    return replace(image, path=Path(argument), notes=notes)
