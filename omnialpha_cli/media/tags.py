"""How files tell the encoding of their colours, in OpenImageIO's attributes, and in PNG's cICP numbers."""

from collections.abc import Mapping
from typing import Any

from .colour import PRIMARIES, Encoding, Transfer, primaries_of
from .formats import Depth
from .image import rgb_profile

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
    """The encoding of a file's colours. EXR is linear; without any sign of it, floats are linear and integers sRGB."""
    if kind == "OpenEXR":
        told = attributes.get("chromaticities")
        return Encoding("linear", primaries_of(tuple(told)) if told is not None and len(told) == 8 else None)
    if kind == "Cineon":
        return Encoding("cineon")
    profile = attributes.get("ICCProfile")
    if profile is not None and (icc := rgb_profile(bytes(profile))):
        return Encoding(icc=icc)
    cicp = tuple(attributes.get("CICP", ()))
    if len(cicp) == 4 and cicp[0] in CICP_PRIMARIES and cicp[1] in CICP_TRANSFERS:
        return Encoding(CICP_TRANSFERS[cicp[1]], primaries_of(PRIMARIES[CICP_PRIMARIES[cicp[0]]]))
    if attributes.get("dpx:Transfer") in DPX_TRANSFERS:
        return Encoding(DPX_TRANSFERS[attributes["dpx:Transfer"]])
    words = str(attributes.get("oiio:ColorSpace", "")).lower().split("_")
    if gamma := attributes.get("oiio:Gamma"):
        return Encoding("linear" if gamma == 1 else float(gamma))
    fallback: Transfer = "linear" if depth in ("half", "float") else "srgb"
    primaries = next((PRIMARIES[word] for word in words if word in PRIMARIES), PRIMARIES["rec709"])
    return Encoding(TRANSFERS.get(words[0], fallback), primaries_of(primaries))


def cicp_of(encoding: Encoding) -> tuple[int, int, int, int] | None:
    """The numbers of PNG's cICP chunk that tell an encoding, or None if there are none."""
    if encoding.icc is not None or encoding.space is not None:
        return None
    primaries = next((number for number, name in CICP_PRIMARIES.items()
                      if primaries_of(PRIMARIES[name]) == encoding.primaries), None)  # fmt: skip
    transfer = next((number for number, curve in CICP_TRANSFERS.items() if curve == encoding.transfer), None)
    return None if primaries is None or transfer is None else (primaries, transfer, 0, 1)
