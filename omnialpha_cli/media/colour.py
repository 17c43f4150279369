"""Convert between the encodings of colours in files. Alpha is never converted.

Everything meets in linear light with the primaries of Rec. 709 (those of sRGB), 1 being the white of a display.
Values outside [0, 1] are carried along.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from . import icc as profiles
from . import ocio
from .samples import Floats

Chromaticities = tuple[float, float, float, float, float, float, float, float]  # x and y of red, green, blue, white

D50 = np.array([0.96422, 1.0, 0.82521])  # XYZ of the ICC's connection space (ICC.1:2022, 7.2.16)
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])

REC709: Chromaticities = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)  # ITU-R BT.709, and sRGB
PRIMARIES: dict[str, Chromaticities] = {
    "rec709": REC709,
    "p3d65": (0.680, 0.320, 0.265, 0.690, 0.150, 0.060, 0.3127, 0.3290),  # SMPTE EG 432-1
    "rec2020": (0.708, 0.292, 0.170, 0.797, 0.131, 0.046, 0.3127, 0.3290),  # ITU-R BT.2020
    "adobergb": (0.64, 0.33, 0.21, 0.71, 0.15, 0.06, 0.3127, 0.3290),  # Adobe RGB (1998)
    "ap0": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.0770, 0.32168, 0.33767),  # SMPTE ST 2065-1
    "ap1": (0.713, 0.293, 0.165, 0.830, 0.128, 0.044, 0.32168, 0.33767),  # ACEScg
}
WORST_CONDITION = 1e5  # of the matrix of primaries; wide ones have 10
CLOSE = 1e-3  # chromaticities that differ by less are the same

# A number is the exponent of a power curve.
Transfer = Literal["srgb", "linear", "rec709", "pq", "hlg", "cineon"] | float

SAME = 2e-3  # encodings that differ by less are one
BEYOND_WHITE = 1.5  # times the white of a display

PQ_WHITE, HLG_WHITE = 203.0, 0.75  # diffuse white in cd/m² and as HLG signal (ITU-R BT.2408)


@dataclass(frozen=True)
class Encoding:
    """Describe how numbers encode colour: by a profile, if there is one, else by a transfer curve and primaries.

    `primaries` None are those of Rec. 709. A `space` is one of OpenColorIO's, by its name, and stands for all three.
    """

    transfer: Transfer = "srgb"
    primaries: Chromaticities | None = None
    icc: bytes | None = None
    space: str | None = None

    @property
    def is_linear(self) -> bool:
        """Tell whether the numbers are proportional to light."""
        return self.icc is None and self.space is None and self.transfer == "linear"

    @property
    def is_log(self) -> bool:
        """Tell whether numbers up to 1 reach far beyond the white of a display: those of film scans and cameras."""
        if self.space is None:
            return self.icc is None and self.transfer == "cineon"
        return bool(to_linear(np.ones((1, 3), np.float32), self).max() > BEYOND_WHITE)


SRGB, LINEAR = Encoding(), Encoding("linear")


def convert(rgb: Floats, source: Encoding, target: Encoding) -> Floats:
    """Convert colours (…, 3) of one encoding to another; an equal encoding returns the array itself."""
    if source == target:
        return rgb
    if source == replace(target, transfer=source.transfer) and source.icc is None and source.space is None:
        decode, _ = _curve(source.transfer)  # the primaries stay
        _, encode = _curve(target.transfer)
        return encode(decode(rgb))
    return from_linear(to_linear(rgb, source), target)


def to_linear(rgb: Floats, source: Encoding) -> Floats:
    """Return colours (…, 3) in linear light with the primaries of Rec. 709."""
    if source.space is not None:
        meeting, primaries = ocio.find_meeting()
        return times(ocio.convert(rgb, source.space, meeting), to_rec709(PRIMARIES[primaries]))
    if source.icc is None:
        decode, _ = _curve(source.transfer)
        return times(decode(rgb), to_rec709(source.primaries))
    profile = profiles.read_matrix_profile(source.icc)
    if profile is None:
        return to_linear(_by_littlecms(rgb, source.icc, None), SRGB)
    light = np.stack([curve(rgb[..., i]) for i, curve in enumerate(profile.decode)], axis=-1)
    return times(light, np.linalg.inv(to_xyz(REC709)) @ profile.to_xyz)


def from_linear(light: Floats, target: Encoding) -> Floats:
    """Return the reverse of `to_linear`."""
    if target.space is not None:
        meeting, primaries = ocio.find_meeting()
        return ocio.convert(times(light, np.linalg.inv(to_rec709(PRIMARIES[primaries]))), meeting, target.space)
    if target.icc is None:
        _, encode = _curve(target.transfer)
        return encode(times(light, np.linalg.inv(to_rec709(target.primaries))))
    profile = profiles.read_matrix_profile(target.icc)
    if profile is None:
        return _by_littlecms(from_linear(light, SRGB), None, target.icc)
    light = times(light, np.linalg.inv(profile.to_xyz) @ to_xyz(REC709))
    return np.stack([curve(light[..., i]) for i, curve in enumerate(profile.encode)], axis=-1)


@cache
def find_space(name: str) -> Encoding:
    """Return the encoding of a space by its name, alias or role. Raises UsageError, which lists the near ones.

    Scene-linear spaces with known primaries, and sRGB, are encodings that files can tell of without a name.
    """
    ocio.check_name(name)
    encoding = Encoding(space=name)
    colours = np.concatenate([np.eye(3), np.linspace(0, 1, 16)[:, None].repeat(3, 1)]).astype(np.float32)  # (19, 3)
    meant = to_linear(colours, encoding)
    known = [Encoding("linear", primaries_of(primaries)) for primaries in PRIMARIES.values()]
    for other in (SRGB, *known):
        if np.allclose(convert(colours, other, LINEAR), meant, atol=SAME):
            return other
    return encoding


def primaries_of(chromaticities: Chromaticities) -> Chromaticities | None:
    """Return the primaries, or None for those of Rec. 709."""
    return None if np.allclose(chromaticities, REC709, atol=CLOSE) else chromaticities


def are_usable(chromaticities: Chromaticities) -> bool:
    """Tell whether colours can be converted from and to these primaries."""
    if not np.isfinite(chromaticities).all():
        return False
    with np.errstate(all="ignore"):
        try:
            matrix = to_xyz(chromaticities)
        except np.linalg.LinAlgError:
            return False
    return bool(np.isfinite(matrix).all()) and float(np.linalg.cond(matrix)) < WORST_CONDITION


def to_xyz(chromaticities: Chromaticities) -> NDArray[np.float64]:
    """Return the matrix (3, 3) from linear RGB to XYZ relative to D50, by Bradford's method (ICC.1:2022, annex E)."""
    xy = np.array(chromaticities).reshape(4, 2)
    xyz = np.column_stack([xy, 1 - xy.sum(1)]).T / np.maximum(xy[:, 1], 1e-9)  # (3, 4), Y = 1
    primaries, white = xyz[:, :3], xyz[:, 3]
    matrix = primaries * np.linalg.solve(primaries, white)
    cone = (BRADFORD @ D50) / (BRADFORD @ white)
    adapted: NDArray[np.float64] = np.linalg.inv(BRADFORD) @ np.diag(cone) @ BRADFORD @ matrix
    return adapted


def times(rgb: Floats, matrix: NDArray[np.floating]) -> Floats:
    """Return colours (…, 3) times a matrix; as they are if it is the identity."""
    return rgb if np.allclose(matrix, np.eye(3), atol=1e-6) else rgb @ matrix.T.astype(np.float32)


def to_rec709(chromaticities: Chromaticities | None) -> NDArray[np.float64]:
    """Return the matrix (3, 3) from linear light with these primaries to that with those of Rec. 709 (None: those)."""
    return np.linalg.inv(to_xyz(REC709)) @ to_xyz(chromaticities or REC709)


def _by_littlecms(rgb: Floats, source: bytes | None, target: bytes | None) -> Floats:
    """Convert colours (…, 3) between profiles, None being sRGB, at 8 bits; as they are if one cannot be used."""
    flat = rgb.reshape(1, -1, 3)
    samples = (np.clip(np.nan_to_num(flat), 0, 1) * 255 + 0.5).astype(np.uint8)
    try:
        changed = profiles.by_littlecms(samples, source, target)
    except ValueError:
        return rgb
    return np.divide(changed, 255, dtype=np.float32).reshape(rgb.shape)


def _curve(transfer: Transfer) -> tuple[profiles.Function, profiles.Function]:
    """Return the functions to linear light, and back."""
    return CURVES[transfer] if isinstance(transfer, str) else profiles.power(transfer)


def _odd(curve: Callable[[Floats], Floats]) -> profiles.Function:
    """Mirror the curve for values below 0."""
    return lambda x: np.copysign(curve(np.abs(x)), x).astype(np.float32)


def _pieces(
    limit: float, slope: float, scale: float, offset: float, exponent: float
) -> tuple[profiles.Function, profiles.Function]:
    """Return a camera curve: `slope`·light up to `limit`, then scale·light^exponent − offset; its inverse first."""
    knee = slope * limit
    return (
        _odd(lambda v: np.where(v <= knee, v / slope, ((v + offset) / scale) ** np.float32(1 / exponent))),
        _odd(lambda y: np.where(y <= limit, y * slope, scale * y ** np.float32(exponent) - offset)),
    )


def _pq() -> tuple[profiles.Function, profiles.Function]:
    """Return the curve of SMPTE ST 2084."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128

    def decode(v: Floats) -> Floats:
        root = np.clip(v, 0, 1) ** (1 / m2)
        return (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) * (10000 / PQ_WHITE)

    def encode(y: Floats) -> Floats:
        root = np.clip(y * (PQ_WHITE / 10000), 0, 1) ** m1
        return ((c1 + c2 * root) / (1 + c3 * root)) ** m2

    return decode, encode


def _hlg() -> tuple[profiles.Function, profiles.Function]:
    """Return the camera's curve of ITU-R BT.2100, scaled to diffuse white."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    white = (np.exp((HLG_WHITE - c) / a) + b) / 12
    return (
        _odd(lambda v: np.where(v <= 0.5, v * v / 3, (np.exp((v - c) / a) + b) / 12) / white),
        _odd(lambda y: np.where(y * white <= 1 / 12, np.sqrt(3 * y * white),
                                a * np.log(np.maximum(12 * y * white - b, 1e-9)) + c)),
    )  # fmt: skip


def _cineon() -> tuple[profiles.Function, profiles.Function]:
    """Return the curve of film scans (Kodak's Cineon): 10-bit code 685 is white, 95 black, .002 density a code."""
    gain = 0.002 / 0.6  # codes to decades of light, at the film's gamma
    black = 10 ** ((95 - 685) * gain)
    return (
        lambda v: ((10 ** ((v * 1023 - 685) * gain) - black) / (1 - black)).astype(np.float32),
        lambda y: ((np.log10(np.maximum(y * (1 - black) + black, 1e-9)) / gain + 685) / 1023).astype(np.float32),
    )


CURVES: dict[str, tuple[profiles.Function, profiles.Function]] = {
    "linear": (lambda v: v, lambda y: y),
    "srgb": _pieces(0.0031308, 12.92, 1.055, 0.055, 1 / 2.4),  # IEC 61966-2-1
    "rec709": _pieces(0.018, 4.5, 1.099, 0.099, 0.45),  # ITU-R BT.709
    "pq": _pq(),
    "hlg": _hlg(),
    "cineon": _cineon(),
}
