"""Convert linear light between the primaries of colour spaces, by way of XYZ."""

import numpy as np
from numpy.typing import NDArray

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
