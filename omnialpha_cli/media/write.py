"""Say how results are to be written, by a `Target`, and write them in any of the formats."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ..files import atomic
from .colour import LINEAR, SRGB, Encoding, convert, find_space
from .formats import SOURCE, Depth, Format, choose_format
from .image import Box, Image, Metadata, Taken, Windows, place, trivial
from .metadata import cicp_of
from .provenance import PLACE
from .samples import Floats

# Functions of modules in `encoders`, imported when they are used: what writes PSD alone takes a third of a second.
FLAT = {"png": "png.write", "tiff": "tiff.write", "tiff-pages": "tiff.write", "exr": "exr.write",
        "webp": "pillow.write_webp", "jpg": "pillow.write_jpeg"}  # fmt: skip
LAYERED = {
    "tiff": "tiff.write_layers", "tiff-pages": "tiff.write_pages", "exr": "exr.write_layers", "ora": "ora.write_layers",
    "psd": "psd.write_layers",
}  # fmt: skip
VISIBLE = 0.5 / 255  # least alpha of a pixel that counts when a picture is trimmed

Compression = Literal["none", "fast", "small"]


@dataclass(frozen=True)
class Target:
    """Hold everything about a file but its pixels. `encoding` is that of the colours given to the encoder.

    `premultiplied` tells that a TIFF file shall be; `parts` that an EXR file shall have one a layer. `windows` are
    where the pixels lie; formats that have none get the display window. `rest` is what was taken of an EXR source
    whose other channels and parts the file shall keep. `ground` is the colour, so encoded, that a picture is put on;
    `opaque` tells that one picture gets no alpha channel unless something shows through it; `trim` is the margin that
    is left around an object. `provenance` is what made it (`provenance.py`), empty where that is not to be told.
    """

    format: str = "png"
    depth: Depth = "8"
    encoding: Encoding = SRGB
    metadata: Metadata = field(default_factory=dict)
    premultiplied: bool = False
    parts: bool = False
    windows: Windows | None = None
    rest: Taken | None = None
    compression: Compression = "fast"
    ground: tuple[float, ...] | None = None
    opaque: bool = False
    trim: int | None = None
    provenance: Mapping[str, str] = field(default_factory=dict)


def target_for(format: str | None, source: Image | None, depth: Depth | None, space: str | None = None) -> Target:
    """Return the target of a result, in the format and depth wanted, by default its source's. Raises UsageError.

    `space` is the colour space wanted, by a name of OpenColorIO's, or `SOURCE` for the source's own. A log of 16
    bits or fewer fits into half when it is linearised.
    """
    if source is None:  # as of 8 bits, sRGB
        source, space = Image(np.empty((0, 0, 3), np.float32)), None if space == SOURCE else space
    own = source.depth
    if own in ("8", "16") and format in (None, "exr") and source.encoding.is_log:
        own = "half"
    row = choose_format(format, own, depth)
    chosen = row.depth_for(own, depth)
    if space is None:
        encoding = encoding_for(row, chosen, source)
    else:
        encoding = source.encoding if space == SOURCE else find_space(space)
    return Target(row.name, chosen, encoding, source.metadata, windows=source.windows)


def encoding_for(row: Format, depth: Depth, source: Image) -> Encoding:
    """Return how a file encodes colours: as its source does where it can say so, else sRGB, or, in EXR, linear light.

    Layers are solved in that space, where they are composited. Integers do not get linear light from a float source.
    """
    own = source.encoding
    if row.name == "exr":
        return own if own.is_linear else LINEAR
    return own if _can_tell(row, depth, source) else SRGB


def _can_tell(row: Format, depth: Depth, source: Image) -> bool:
    own = source.encoding
    if own.space is not None:
        return False
    if own.icc is not None:
        return "icc" in row.holds
    if own.is_linear and depth in ("8", "16") and source.depth not in ("8", "16"):
        return False
    if own.primaries is not None or own.transfer in ("pq", "hlg"):
        return "cicp" in row.holds and cicp_of(own) is not None
    kind = own.transfer if isinstance(own.transfer, str) else "power"
    return kind in row.holds and (kind != "linear" or row.name == "png" or depth in ("half", "float"))


def ground_of(colour: str | None, encoding: Encoding) -> tuple[float, ...] | None:
    """Return a colour `#rrggbb`, which is sRGB, in an encoding."""
    if colour is None:
        return None
    srgb = np.frombuffer(bytes.fromhex(colour[1:]), np.uint8).astype(np.float32) / np.float32(255)
    return tuple(convert(srgb[None, None], SRGB, encoding)[0, 0].tolist())


@dataclass(frozen=True, eq=False)
class Layer:
    """Hold straight RGBA (H, W, 4) on the canvas that all layers share."""

    name: str
    rgba: Floats

    def part(self, margin: int | None) -> tuple[Floats, Box]:
        """Return the pixels of the part with the object and a margin, and where that is, as `visible_box` says."""
        box = visible_box(self.rgba, margin)
        return box.crop(self.rgba), box


def visible_box(pixels: Floats, margin: int | None, light: NDArray[np.bool_] | None = None) -> Box:
    """Return the smallest box around what is to be seen, with a margin; all of the picture without either.

    The last channel of `pixels` (H, W, channels) is alpha; colours of the pixels `light` (H, W) are seen without it.
    """
    height, width = pixels.shape[:2]
    whole = Box(0, 0, width, height)
    if margin is None:
        return whole
    visible = pixels[..., -1] >= VISIBLE
    if light is not None:
        visible |= light & (pixels[..., :3] != 0).any(-1)
    rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
    if not rows.size:
        return whole
    left, top = max(0, int(columns[0]) - margin), max(0, int(rows[0]) - margin)
    right, bottom = min(width, int(columns[-1]) + 1 + margin), min(height, int(rows[-1]) + 1 + margin)
    return Box(left, top, right - left, bottom - top)


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
    return _write_flat(path, shown, target, visible_box(shown, target.trim))


def write_layers(path: Path, layers: Sequence[Layer], target: Target) -> None:
    """Write layers, bottom first, into one file. Raises OSError."""
    shown = [Layer(layer.name, _shown(layer.rgba, target)) for layer in layers]
    _encoder(LAYERED[target.format])(path, shown, target)


def write_png(path: Path, rgba: Floats, depth: Literal["8", "16"] = "8", software: str = "") -> None:
    """Write straight sRGB `rgba` (H, W, 4) as a PNG file of its own, which names its `software` if given.

    Raises `ItemError` `write`.
    """
    with atomic(path) as temporary:
        _encoder(FLAT["png"])(temporary, rgba, Target(depth=depth, metadata={"Software": software} if software else {}))


def on_ground(rgba: Floats, ground: Sequence[float], light: NDArray[np.bool_] | None) -> Floats:
    """Put a picture (H, W, 4) on one colour: opaque RGBA, to which the pixels `light` (H, W) add theirs."""
    colour, alpha = rgba[..., :3], rgba[..., 3:]
    front = colour * alpha if light is None else np.where(light[..., None], colour, colour * alpha)
    flat = front + (1 - alpha) * np.asarray(ground, np.float32)
    return np.concatenate((flat, np.ones_like(alpha)), -1)


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
        told = {PLACE: f"{box.x} {box.y} {width} {height}", **told}
    encode(path, box.crop(pixels), replace(target, windows=None, provenance=told))
    return box


def _shown(pixels: Floats, target: Target) -> Floats:
    """Return the pixels (H, W, channels) that a file holds: those of the display window, unless it is EXR."""
    if target.windows is None or target.format == "exr":
        return pixels
    return place(pixels, target.windows.data, target.windows.display)


def _encoder(place: str) -> Callable[..., None]:
    module, _, function = place.partition(".")
    encode: Callable[..., None] = getattr(import_module(f".encoders.{module}", __package__), function)
    return encode
