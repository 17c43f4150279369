"""Say how a result is to be written."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from . import metadata
from .colour import LINEAR, SRGB, Encoding, convert, find_space
from .formats import SOURCE, Depth, Format, choose_format
from .image import Box, Image, Metadata, Windows
from .rest import Taken
from .samples import Floats

Compression = Literal["none", "fast", "small"]


@dataclass(frozen=True)
class Target:
    """Hold everything about a file but its pixels. `encoding` is that of the colours given to the encoder.

    `premultiplied` tells that a TIFF file shall be; `parts` that an EXR file shall have one a layer. `windows` are
    where the pixels lie; formats that have none get the display window. `rest` names what an EXR file shall keep of its
    source. `ground` is the colour, so encoded, that a picture is put on; `opaque` tells that one picture gets no alpha
    channel unless something shows through it; `trim` is the margin that is left around an object. `provenance` is
    what made it (`provenance.py`), empty where that is not to be told.
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


def encoding_for(row: Format, depth: Depth, source: Image | None) -> Encoding:
    """Return how a file encodes colours: as its source does where it can say so, else sRGB, or, in EXR, linear light.

    Layers are solved in that space, where they are composited. Integers do not get linear light from a float source.
    """
    own = SRGB if source is None else source.encoding
    if row.name == "exr":
        return own if own.is_linear else LINEAR
    return own if source is not None and _can_tell(row, depth, source) else SRGB


def _can_tell(row: Format, depth: Depth, source: Image) -> bool:
    own = source.encoding
    if own.space is not None:
        return False
    if own.icc is not None:
        return "icc" in row.holds
    if own.is_linear and depth in ("8", "16") and source.depth not in ("8", "16"):
        return False
    if own.primaries is not None or own.transfer in ("pq", "hlg"):
        return "cicp" in row.holds and metadata.cicp_of(own) is not None
    kind = own.transfer if isinstance(own.transfer, str) else "power"
    return kind in row.holds and (kind != "linear" or row.name == "png" or depth in ("half", "float"))


def target_for(format: str | None, source: Image | None, depth: Depth | None, space: str | None = None) -> Target:
    """Return the target of a result, in the format and depth wanted, by default its source's. Raises UsageError.

    `space` is the colour space wanted, by a name of OpenColorIO's, or `SOURCE` for the source's own. A log of 16
    bits or fewer fits into half when it is linearised.
    """
    own: Depth = "8" if source is None else source.depth
    if source is not None and own in ("8", "16") and format in (None, "exr") and source.encoding.is_log:
        own = "half"
    row = choose_format(format, own, depth)
    chosen = row.depth_for(own, depth)
    metadata: Metadata = {} if source is None else source.metadata
    windows = None if source is None else source.windows
    if space is None or (space == SOURCE and source is None):
        encoding = encoding_for(row, chosen, source)
    else:
        encoding = source.encoding if source is not None and space == SOURCE else find_space(space)
    return Target(row.name, chosen, encoding, metadata, windows=windows)


def ground_of(colour: str | None, encoding: Encoding) -> tuple[float, ...] | None:
    """Return a colour `#rrggbb`, which is sRGB, in an encoding."""
    if colour is None:
        return None
    srgb = np.frombuffer(bytes.fromhex(colour[1:]), np.uint8).astype(np.float32) / np.float32(255)
    return tuple(convert(srgb[None, None], SRGB, encoding)[0, 0].tolist())


VISIBLE = 0.5 / 255  # least alpha of a pixel that counts when a picture is trimmed


def object_box(visible: NDArray[Any], margin: int | None) -> Box:
    """Return the smallest box around the pixels `visible` (H, W), with a margin; all of it without either."""
    height, width = visible.shape
    if margin is None or not visible.any():
        return Box(0, 0, width, height)
    rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
    left, top = max(0, int(columns[0]) - margin), max(0, int(rows[0]) - margin)
    right, bottom = min(width, int(columns[-1]) + 1 + margin), min(height, int(rows[-1]) + 1 + margin)
    return Box(left, top, right - left, bottom - top)


@dataclass(frozen=True, eq=False)
class Layer:
    """Hold straight RGBA (H, W, 4) on the canvas that all layers share."""

    name: str
    rgba: Floats

    def box(self, margin: int | None) -> Box:
        """Return the part of the canvas with the object, and a margin around it; all of it without a margin."""
        return object_box(self.rgba[..., 3] >= VISIBLE, margin)

    def part(self, margin: int | None) -> tuple[Floats, Box]:
        """Return the pixels of `box`, and the box."""
        box = self.box(margin)
        return box.crop(self.rgba), box
