"""Write results: whole files or none, in any of the formats."""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..files import create_beside, is_free, sync_folder
from ..status import ItemError
from .encoders.layer import Layer
from .samples import Floats
from .target import Target
from .windows import place

# Functions of modules in `encoders`, imported when they are used: what writes PSD alone takes a third of a second.
FLAT = {"png": "png.write", "tiff": "tiff.write", "tiff-pages": "tiff.write", "exr": "exr.write", "webp": "webp.write",
        "jpg": "jpeg.write"}  # fmt: skip
LAYERED = {
    "tiff": "tiff.write_layers", "tiff-pages": "tiff.write_pages", "exr": "exr.write_layers", "ora": "ora.write_layers",
    "psd": "psd.write_layers",
}  # fmt: skip


def _encoder(place: str) -> Callable[..., None]:
    module, _, function = place.partition(".")
    encode: Callable[..., None] = getattr(import_module(f".encoders.{module}", __package__), function)
    return encode


def write_picture(path: Path, rgba: Floats, target: Target, light: NDArray[np.bool_] | None = None) -> None:
    """Write one straight RGBA picture (H, W, 4), its colours encoded as `target.encoding` says.

    Integer formats clamp to [0, 1]. Premultiplied ones keep the colours of the pixels `light` (H, W) with alpha 0.
    Where the target has a `ground` the picture is put on it. Raises OSError.
    """
    if target.format != "exr":
        rgba, light, target = _shown(rgba, target), None, replace(target, windows=None)
    if target.ground is not None:
        rgba = _on_ground(rgba, target.ground, light)
    if target.format == "exr":
        _encoder(FLAT["exr"])(path, rgba, target, light)
    elif target.format in FLAT:
        _encoder(FLAT[target.format])(path, rgba, target)
    else:
        write_layers(path, [Layer("foreground", rgba)], target)


def write_grey(path: Path, grey: Floats, target: Target) -> None:
    """Write one channel `grey` (H, W) in [0, 1]: data, with no encoding of colour. Raises OSError."""
    _encoder(FLAT[target.format])(path, _shown(grey[..., None], target), target)


def write_layers(path: Path, layers: Sequence[Layer], target: Target) -> None:
    """Write layers, bottom first, into one file. Raises OSError."""
    shown = [Layer(layer.name, _shown(layer.rgba, target)) for layer in layers]
    _encoder(LAYERED[target.format])(path, shown, target)


def _on_ground(rgba: Floats, ground: Sequence[float], light: NDArray[np.bool_] | None) -> Floats:
    """Put a picture (H, W, 4) on one colour: opaque RGBA, to which the pixels `light` (H, W) add theirs."""
    colour, alpha = rgba[..., :3], rgba[..., 3:]
    front = colour * alpha if light is None else np.where(light[..., None], colour, colour * alpha)
    flat = front + (1 - alpha) * np.asarray(ground, np.float32)
    return np.concatenate((flat, np.ones_like(alpha)), -1)


def _shown(pixels: Floats, target: Target) -> Floats:
    """Return the pixels (H, W, channels) that a file of the target's format holds.

    Without windows they are those of the display window, 0 where there are none.
    """
    if target.windows is None or target.format == "exr":
        return pixels
    return place(pixels, target.windows.data, target.windows.display)


def write_png(path: Path, rgba: Floats, depth: Literal["8", "16"] = "8", software: str = "") -> None:
    """Write straight sRGB `rgba` (H, W, 4) as a PNG file of its own, which names its `software` if given.

    Raises `ItemError` `write`.
    """
    with atomic(path) as temporary:
        _encoder(FLAT["png"])(temporary, rgba, Target(depth=depth, metadata={"Software": software} if software else {}))


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Give a hidden temporary file beside `path`; what was written to it is flushed to disk, then renamed to `path`.

    After an error nothing is left. File errors become `ItemError`.
    """
    with naming(path):
        temporary = create_beside(path, f".{path.name[:64]}.", ".tmp")
    try:
        with complete(temporary, path):
            yield temporary
        with naming(path):
            if not is_free(path):
                raise OSError(errno.EINVAL, "what is there is not a regular file")
            temporary.replace(path)
            sync_folder(path.parent)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def complete(file: Path, shown: Path) -> Iterator[None]:
    """Complete what the block writes to `file` on the disk. Errors become an `ItemError` `write` about `shown`."""
    with naming(shown):
        yield
        with file.open("rb+") as written:
            os.fsync(written.fileno())


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn file errors of the block into an `ItemError` `write` about `path`."""
    try:
        yield
    except OSError as error:
        raise ItemError("write", f"{path} cannot be written: {error.strerror or error}") from error
