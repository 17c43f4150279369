"""Convert by ICC profiles: matrix profiles in floating point, all others through littlecms at 8 bits.

Matrix profiles (ICC.1:2022, 8.3.3: Display P3, Adobe RGB, ProPhoto and nearly all of cameras and monitors) are three
curves and a matrix. They are done here, because Pillow's littlecms takes 8 bits only, and files have up to 32.
"""

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .samples import Floats

UNUSABLE = (KeyError, ValueError, ArithmeticError, struct.error)  # what damaged tags lead to
Function = Callable[[Floats], Floats]


@dataclass(frozen=True, eq=False)
class MatrixProfile:
    """Hold `to_xyz` (3, 3), from linear RGB to XYZ relative to D50, and a curve for each channel with its inverse."""

    to_xyz: NDArray[np.float64]
    decode: tuple[Function, ...]
    encode: tuple[Function, ...]


def profile_space(icc: bytes | None) -> str | None:
    """Return which samples the profile describes: `RGB`, `CMYK`, `GRAY`, … (ICC.1:2022, header, bytes 16 to 19)."""
    return icc[16:20].decode("ascii", "replace").strip() if icc and len(icc) >= 128 else None


def rgb_profile(icc: bytes | None) -> bytes | None:
    """Return the profile, if it describes RGB: those of CMYK and grey files do not fit the RGB they are read as."""
    return icc if profile_space(icc) == "RGB" else None


@lru_cache(32)
def read_matrix_profile(icc: bytes) -> MatrixProfile | None:
    """Return the profile's curves and matrix, or None if it has none (it is a table, not RGB, or damaged)."""
    try:
        tags = _tags(icc)
        columns = [struct.unpack_from(">3i", tags[name], 8) for name in ("rXYZ", "gXYZ", "bXYZ")]
        curves = [read_curve(tags[name]) for name in ("rTRC", "gTRC", "bTRC")]
    except UNUSABLE:
        return None
    matrix = np.array(columns).T / 65536
    if abs(np.linalg.det(matrix)) < 1e-9:
        return None
    return MatrixProfile(matrix, tuple(decode for decode, _ in curves), tuple(encode for _, encode in curves))


@lru_cache(32)
def read_grey_curve(icc: bytes) -> Function | None:
    """Return the curve from samples to linear light of a greyscale profile that has one."""
    if profile_space(icc) != "GRAY":
        return None
    try:
        return read_curve(_tags(icc)["kTRC"])[0]
    except UNUSABLE:
        return None


def read_curve(tag: bytes) -> tuple[Function, Function]:
    """Return a `curv` or `para` tag (ICC.1:2022, 10.6 and 10.18) and its inverse. Raises one of `UNUSABLE`."""
    if tag[:4] == b"para":
        (kind,) = struct.unpack_from(">H", tag, 8)
        counts = (1, 3, 4, 5, 7)
        if kind >= len(counts):
            raise ValueError(f"parametric curve of kind {kind}")
        parameters = [value / 65536 for value in struct.unpack_from(f">{counts[kind]}i", tag, 12)]
        if parameters[0] <= 0 or (kind > 0 and parameters[1] <= 0):
            raise ValueError("a parametric curve that does not rise")
        return _parametric(kind, parameters)
    if tag[:4] != b"curv":
        raise ValueError("not a curve")
    (count,) = struct.unpack_from(">I", tag, 8)
    if count == 0:
        return power(1.0)
    if count == 1:
        (exponent,) = struct.unpack_from(">H", tag, 12)
        if exponent == 0:
            raise ValueError("a curve that does not rise")
        return power(exponent / 256)
    table = np.array(struct.unpack_from(f">{count}H", tag, 12)) / 65535
    return _table(table)


def power(exponent: float) -> tuple[Function, Function]:
    """Return x^exponent and its inverse, odd functions, so that values below 0 survive."""
    return (
        lambda x: np.copysign(np.abs(x) ** np.float32(exponent), x),
        lambda y: np.copysign(np.abs(y) ** np.float32(1 / exponent), y),
    )


def by_littlecms(
    samples: NDArray[np.uint8], source: bytes | None, target: bytes | None = None, mode: str = "RGB"
) -> NDArray[np.uint8]:
    """Convert samples (H, W, channels) of a PIL `mode` from one profile to another, RGB one (H, W, 3); None is sRGB.

    The intent is relative colorimetric, with black point compensation. Raises ValueError if a profile cannot be used
    for that.
    """
    from PIL import Image, ImageCms

    srgb = ImageCms.createProfile("sRGB")
    try:
        one, other = (srgb if icc is None else ImageCms.ImageCmsProfile(io.BytesIO(icc)) for icc in (source, target))
        intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
        transform = ImageCms.buildTransform(one, other, mode, "RGB", intent, flags)
    except (ImageCms.PyCMSError, OSError) as error:
        raise ValueError(str(error)) from error
    height, width = samples.shape[:2]
    picture = Image.frombytes(mode, (width, height), np.ascontiguousarray(samples).tobytes())
    converted: Any = ImageCms.applyTransform(picture, transform)
    return np.asarray(converted)


@lru_cache(32)
def is_usable(icc: bytes) -> bool:
    """Tell whether colours can be converted by an RGB profile."""
    if read_matrix_profile(icc) is None:
        try:
            by_littlecms(np.zeros((1, 1, 3), np.uint8), icc)
        except ValueError:
            return False
    return True


def srgb_profile() -> bytes:
    """Return littlecms's own sRGB profile, always with the same date (ICC.1:2022, header, bytes 24 to 35)."""
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return profile[:24] + struct.pack(">6H", 2000, 1, 1, 0, 0, 0) + profile[36:]


def _tags(icc: bytes) -> dict[str, bytes]:
    """Return the profile's tags by signature (ICC.1:2022, 7.3)."""
    (count,) = struct.unpack_from(">I", icc, 128)
    if count > 1000:
        raise ValueError("too many tags")
    rows = (struct.unpack_from(">4sII", icc, 132 + 12 * i) for i in range(count))
    return {name.decode("latin-1"): icc[start : start + size] for name, start, size in rows}


def _parametric(kind: int, p: list[float]) -> tuple[Function, Function]:
    """Return Y = (aX + b)^g + e from X = d on, cX + f below; the kinds leave out some (ICC.1:2022, table 68)."""
    if kind == 0:
        return power(p[0])
    g, a, b, *more = p
    if kind in (1, 2):
        c, d = 0.0, -b / a
        e = f = more[0] if more else 0.0
    else:
        c, d, e, f = (*more, 0.0, 0.0)[:4]
    limit = max(a * d + b, 0) ** g + e

    def decode(x: Floats) -> Floats:
        return np.where(x >= d, np.maximum(a * x + b, 0) ** np.float32(g) + e, c * x + f).astype(np.float32)

    def encode(y: Floats) -> Floats:
        below = (y - f) / c if c else np.full_like(y, d)
        return np.where(y >= limit, (np.maximum(y - e, 0) ** np.float32(1 / g) - b) / a, below).astype(np.float32)

    return decode, encode


def _table(table: NDArray[np.float64]) -> tuple[Function, Function]:
    """Interpolate between the entries of a table over [0, 1], which may not fall; cut off outside."""
    places = np.linspace(0, 1, len(table))
    rising = np.maximum.accumulate(table)
    return (
        lambda x: np.interp(x, places, table).astype(np.float32),
        lambda y: np.interp(y, rising, places).astype(np.float32),
    )
