"""Return what of a file's metadata its output gets back."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import OpenImageIO as oiio

from .colour import PRIMARIES, Encoding, Transfer, primaries_of
from .formats import Depth
from .icc import rgb_profile
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
NUMBERS = {"ICCProfile": "uint8[", "chromaticities": "float["}  # what their types begin with
PLAIN = ("string", "int", "float")  # types of values that need no `Typed`
PRIVATE = ("serial", "ownername", "documentid")


def kept(spec: oiio.ImageSpec) -> Metadata:
    """Return the attributes of a picture that was read which its output gets back."""
    return {a.name: _value(a) for a in spec.extra_attribs if _is_kept(a.name)}


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
    """Return all attributes by name, but for those of EXR files whose type is not what their name says."""
    return {a.name: a.value for a in spec.extra_attribs if str(a.type).startswith(NUMBERS.get(a.name, ""))}


def _is_kept(name: str) -> bool:
    if not name.isprintable() or name in DROPPED or name.startswith((*DROPPED_PREFIXES, *OF_CHANNELS)):
        return False
    return not any(word in name.lower() for word in PRIVATE)


def _value(attribute: Any) -> str | int | float | Typed:
    value = _text(attribute.value) if isinstance(attribute.value, str) else attribute.value
    if isinstance(value, str | int | float) and not isinstance(value, bool) and str(attribute.type) in PLAIN:
        return value
    values = tuple(np.ravel(value).tolist()) if not isinstance(value, str) else (value,)
    return Typed(str(attribute.type), tuple(_text(each) if isinstance(each, str) else each for each in values))


def _text(value: str) -> str:
    """Decode bytes that are not UTF-8, which OpenImageIO gives as half surrogates, as Latin-1: old cameras, and PNG."""
    data = value.encode("utf-8", "surrogateescape")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")


# OpenImageIO's names of colour spaces begin with the transfer and name the primaries: `pq_p3d65_display`.
TRANSFERS: dict[str, Transfer] = {"lin": "linear", "linear": "linear", "scene": "linear", "srgb": "srgb",
                                  "rec709": "rec709", "kodaklog": "cineon", "pq": "pq", "hlg": "hlg", "g18": 1.8,
                                  "g22": 2.2, "g24": 2.4, "g26": 2.6}  # fmt: skip
# ITU-T H.273, as in PNG's cICP chunk.
CICP_PRIMARIES = {1: "rec709", 9: "rec2020", 12: "p3d65"}
CICP_TRANSFERS: dict[int, Transfer] = {1: "rec709", 4: 2.2, 6: "rec709", 8: "linear", 13: "srgb", 14: "rec709",
                                       15: "rec709", 16: "pq", 18: "hlg"}  # fmt: skip
DPX_TRANSFERS: dict[str, Transfer] = {"Logarithmic": "cineon", "Printing density": "cineon", "Linear": "linear",
                                      "ITU-R 709-4": "rec709", "SMPTE 274M": "rec709"}  # fmt: skip


def encoding_of(attributes: Mapping[str, Any], kind: str, depth: Depth) -> Encoding:
    """Return the encoding of a file's colours. Without any sign of it, EXR and floats are linear, integers sRGB."""
    if kind == "OpenEXR":
        xy = attributes.get("chromaticities")
        return Encoding("linear", primaries_of(tuple(xy)) if xy is not None and len(xy) == 8 else None)
    if kind == "Cineon":
        return Encoding("cineon")
    profile = attributes.get("ICCProfile")
    if profile is not None and (icc := rgb_profile(bytes(profile))):
        return Encoding(icc=icc)
    cicp = tuple(attributes.get("CICP", ()))
    if len(cicp) == 4 and cicp[0] in CICP_PRIMARIES and cicp[1] in CICP_TRANSFERS:
        return Encoding(CICP_TRANSFERS[cicp[1]], primaries_of(PRIMARIES[CICP_PRIMARIES[cicp[0]]]))
    if transfer := DPX_TRANSFERS.get(attributes.get("dpx:Transfer", "")):
        return Encoding(transfer)
    words = str(attributes.get("oiio:ColorSpace", "")).lower().split("_")
    if gamma := attributes.get("oiio:Gamma"):
        return Encoding("linear" if gamma == 1 else float(gamma))
    primaries = next((primaries_of(PRIMARIES[word]) for word in words if word in PRIMARIES), None)
    return Encoding(TRANSFERS.get(words[0], "linear" if depth in ("half", "float") else "srgb"), primaries)


def cicp_of(encoding: Encoding) -> tuple[int, int, int, int] | None:
    """Return the numbers of PNG's cICP chunk that name an encoding, or None if there are none."""
    if encoding.icc is not None or encoding.space is not None:
        return None
    primaries = next((number for number, name in CICP_PRIMARIES.items()
                      if primaries_of(PRIMARIES[name]) == encoding.primaries), None)  # fmt: skip
    transfer = next((number for number, curve in CICP_TRANSFERS.items() if curve == encoding.transfer), None)
    return None if primaries is None or transfer is None else (primaries, transfer, 0, 1)
