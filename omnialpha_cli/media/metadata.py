"""What of a file's metadata its output gets back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import OpenImageIO as oiio

from .image import Metadata, Typed

# What describes the file that was read, not the picture; where the colour is told in other ways; places, serial numbers
# and thumbnails, which are nobody's business.
DROPPED_PREFIXES = ("oiio:", "openexr:", "tiff:", "png:", "jpeg:", "webp:", "targa:", "dpx:", "bmp:", "gif:", "GPS:",
                    "IPTC:", "omnialpha:", "thumbnail", "ICCProfile", "Exif:Pixel", "Exif:Color", "Exif:Maker",
                    "Exif:Interop")  # fmt: skip
DROPPED = {"compression", "planarconfig", "Orientation", "name", "view", "type", "chunkCount", "dataWindow",
           "displayWindow", "tiles", "lineOrder", "channels", "textureformat", "XMP", "Software", "CICP",
           "chromaticities", "layers"}  # fmt: skip
OF_CHANNELS = ("multiView", "cryptomatte/")  # begin the names of what describes channels that a result need not have
PRIVATE = ("serial", "ownername", "documentid")


def kept(spec: oiio.ImageSpec) -> Metadata:
    """Return the attributes of a picture that was read which its output gets back."""
    return {a.name: _value(a) for a in spec.extra_attribs if a.name.isprintable() and _is_kept(a.name)}


def of_channels(spec: oiio.ImageSpec) -> Metadata:
    """Return the attributes that describe channels beside the picture's own."""
    return {a.name: _value(a) for a in spec.extra_attribs if a.name.startswith(OF_CHANNELS)}


def give_back(spec: oiio.ImageSpec, metadata: Metadata) -> None:
    """Set the attributes of a picture to be written."""
    for name, value in metadata.items():
        if isinstance(value, Typed):
            values = value.values[0] if len(value.values) == 1 else value.values
            spec.attribute(name, oiio.TypeDesc(value.type), values)
        else:
            spec.attribute(name, value)


def attributes(spec: oiio.ImageSpec) -> Mapping[str, Any]:
    """Return all attributes by name."""
    return {attribute.name: attribute.value for attribute in spec.extra_attribs}


def _is_kept(name: str) -> bool:
    folded = name.lower()
    return not (
        name in DROPPED or name.startswith((*DROPPED_PREFIXES, *OF_CHANNELS)) or any(word in folded for word in PRIVATE)
    )


def _value(attribute: Any) -> str | int | float | Typed:
    value = _text(attribute.value) if isinstance(attribute.value, str) else attribute.value
    if isinstance(value, str | int | float) and not isinstance(value, bool) and str(attribute.type) in PLAIN:
        return value
    values = tuple(np.ravel(value).tolist()) if not isinstance(value, str) else (value,)
    return Typed(str(attribute.type), tuple(_text(each) if isinstance(each, str) else each for each in values))


def _text(value: str) -> str:
    """Bytes that are not UTF-8, which OpenImageIO gives as half surrogates, are Latin-1: old cameras, and PNG."""
    data = value.encode("utf-8", "surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


PLAIN = ("string", "int", "float")
