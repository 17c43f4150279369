"""Write results in any of the formats."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..files import atomic
from .image import Box, place, trivial
from .samples import Floats
from .target import VISIBLE, Layer, Target, object_box

# Functions of modules in `encoders`, imported when they are used: what writes PSD alone takes a third of a second.
FLAT = {"png": "png.write", "tiff": "tiff.write", "tiff-pages": "tiff.write", "exr": "exr.write",
        "webp": "pillow.write_webp", "jpg": "pillow.write_jpeg"}  # fmt: skip
LAYERED = {
    "tiff": "tiff.write_layers", "tiff-pages": "tiff.write_pages", "exr": "exr.write_layers", "ora": "ora.write_layers",
    "psd": "psd.write_layers",
}  # fmt: skip


def _encoder(place: str) -> Callable[..., None]:
    module, _, function = place.partition(".")
    encode: Callable[..., None] = getattr(import_module(f".encoders.{module}", __package__), function)
    return encode


def write_picture(path: Path, rgba: Floats, target: Target, light: NDArray[np.bool_] | None = None) -> Box:
    """Write one straight RGBA picture (H, W, 4), its colours encoded as `target.encoding` says.

    Integer formats clamp to [0, 1]. Premultiplied ones keep the colours of the pixels `light` (H, W) with alpha 0.
    Where the target has a `ground` the picture is put on it, where it has `trim` it is cropped, where it is `opaque`
    alpha is left out if it is 1 everywhere. Returns the part that is in the file, from the corner of what is shown.
    Raises OSError.
    """
    if target.format != "exr":
        rgba, light = _shown(rgba, target), None
    box = visible_box(rgba, target.trim, light)
    if target.ground is not None:
        rgba = on_ground(rgba, target.ground, light)
    if target.format in FLAT:
        if target.opaque and (rgba[..., 3] == 1).all():
            rgba = rgba[..., :3]
        return _write_flat(path, rgba, target, box, light)
    write_layers(path, [Layer("foreground", rgba)], replace(target, windows=None))
    return box


def write_grey(path: Path, grey: Floats, target: Target) -> Box:
    """Write one channel `grey` (H, W) in [0, 1], data, cropped as a picture of that alpha. Raises OSError."""
    shown = _shown(grey[..., None], target)
    return _write_flat(path, shown, target, object_box(shown[..., 0] >= VISIBLE, target.trim))


def _write_flat(path: Path, pixels: Floats, target: Target, box: Box, light: NDArray[np.bool_] | None = None) -> Box:
    """Write the `box` of pixels (H, W, channels): EXR keeps its place, others tell it. Returns as `write_picture`."""
    encode = _encoder(FLAT[target.format])
    if target.format == "exr":
        encode(path, pixels, target, light, box)
        windows = target.windows or trivial(pixels.shape[:2])
        corner, shown = windows.data, windows.display
        return replace(box, x=box.x + corner.x - shown.x, y=box.y + corner.y - shown.y)
    height, width = pixels.shape[:2]
    told = target.provenance
    if told and (box.width, box.height) != (width, height):
        told = {"place": f"{box.x} {box.y} {width} {height}", **told}
    encode(path, box.crop(pixels), replace(target, windows=None, provenance=told))
    return box


def visible_box(rgba: Floats, trim: int | None, light: NDArray[np.bool_] | None = None) -> Box:
    """Return the box around what is to be seen of a picture (H, W, 4), light without coverage too."""
    visible = rgba[..., 3] >= VISIBLE
    return object_box(visible if light is None else visible | (light & (rgba[..., :3] != 0).any(-1)), trim)


def write_layers(path: Path, layers: Sequence[Layer], target: Target) -> None:
    """Write layers, bottom first, into one file. Raises OSError."""
    shown = [Layer(layer.name, _shown(layer.rgba, target)) for layer in layers]
    _encoder(LAYERED[target.format])(path, shown, target)


def on_ground(rgba: Floats, ground: Sequence[float], light: NDArray[np.bool_] | None) -> Floats:
    """Put a picture (H, W, 4) on one colour: opaque RGBA, to which the pixels `light` (H, W) add theirs."""
    colour, alpha = rgba[..., :3], rgba[..., 3:]
    front = colour * alpha if light is None else np.where(light[..., None], colour, colour * alpha)
    flat = front + (1 - alpha) * np.asarray(ground, np.float32)
    return np.concatenate((flat, np.ones_like(alpha)), -1)


def _shown(pixels: Floats, target: Target) -> Floats:
    """Return the pixels (H, W, channels) that a file holds: those of the display window, unless it is EXR."""
    if target.windows is None or target.format == "exr":
        return pixels
    return place(pixels, target.windows.data, target.windows.display)


def write_png(path: Path, rgba: Floats, depth: Literal["8", "16"] = "8", software: str = "") -> None:
    """Write straight sRGB `rgba` (H, W, 4) as a PNG file of its own, which names its `software` if given.

    Raises `ItemError` `write`.
    """
    with atomic(path) as temporary:
        _encoder(FLAT["png"])(temporary, rgba, Target(depth=depth, metadata={"Software": software} if software else {}))
