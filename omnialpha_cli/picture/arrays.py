"""Take pictures from Python users, and give them finished layers as arrays."""

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..media.image import Image, from_array
from ..media.opening import decoding
from ..media.read import note_nonfinite, read_image
from ..media.samples import to_samples
from ..media.write import on_ground, visible_box
from ..status import ItemError
from .prepare import Prepared

Picture = Any  # arrays as `media.image.from_array` takes them
Pixels = NDArray[Any]


class Trimmed(np.ndarray):
    """Hold a cropped picture; `offset` is where its upper left corner lies in the whole one: left, top."""

    offset: tuple[int, int] = (0, 0)


def to_pixels(layer: Tensor, prepared: Prepared) -> Pixels:
    """Return a finished layer (4, H, W) as straight RGBA (H, W, 4) of its picture's depth, as its target wants it.

    That is on a colour, or cropped to what is visible, as a `Trimmed` array.
    """
    rgba = layer.permute(1, 2, 0).contiguous().numpy()
    target = prepared.target
    box = visible_box(rgba, target.trim)
    if target.ground is not None:
        rgba = on_ground(rgba, target.ground, None)
    pixels: Pixels = box.crop(rgba)
    depth = "8" if prepared.source is None else prepared.source.depth
    if depth not in ("half", "float"):
        pixels = to_samples(pixels, depth)
    if target.trim is None:
        return pixels
    trimmed = pixels.view(Trimmed)
    trimmed.offset = box.x, box.y
    return trimmed


def is_picture(value: Any) -> bool:
    """Tell whether a value is one picture itself, and not several."""
    if isinstance(value, np.ndarray):
        return value.ndim == 2 or (value.ndim == 3 and value.shape[2] <= 4)
    return (
        isinstance(value, (str, os.PathLike, bytes, bytearray, memoryview))
        or hasattr(value, "read")
        or hasattr(value, "getexif")
    )


def read_given(picture: Picture, argument: str) -> Image:
    """Read or take a picture given as an `argument`, by whose name messages call it unless it is a file.

    Raises ItemError as `media.read.read_image`, and `unsupported` for an array that is no picture.
    """
    if isinstance(picture, (str, os.PathLike)):
        return read_image(Path(picture))
    if hasattr(picture, "read") and not hasattr(picture, "getexif"):  # an open file, and no PIL image
        picture = picture.read()
    if isinstance(picture, bytes | bytearray | memoryview):
        return _decoded(picture, argument)
    try:
        with decoding(Path(argument), "it cannot be read: {reason}"):  # PIL decodes as it is asked for pixels
            image = from_array(picture)
            return replace(image, path=Path(argument), notes=tuple(note_nonfinite(argument, image.rgb, image.depth)))
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
