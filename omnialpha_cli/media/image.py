"""Record a picture: its pixels as float32, and what its file was."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..status import ItemError
from .colour import SRGB, Encoding
from .formats import Depth
from .icc import rgb_profile
from .samples import Floats

AlphaKind = Literal["straight", "premultiplied"]

# Sample type, as numpy or OpenImageIO calls it → depth, and what white is in that type.
SAMPLES: dict[str, tuple[Depth, float]] = {
    "uint8": ("8", 255.0),
    "uint16": ("16", 65535.0),
    "float16": ("half", 1.0),
    "half": ("half", 1.0),
    "float": ("float", 1.0),
    "float32": ("float", 1.0),
    "float64": ("float", 1.0),
    "double": ("float", 1.0),
}

# EXIF orientation → (swap rows and columns, then reverse rows, then reverse columns) that makes the picture upright.
ORIENTATIONS = {
    1: (False, False, False),
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}
EXIF_ORIENTATION_TAG = 0x0112


class Typed(NamedTuple):
    """Hold metadata that is not a plain number or text: OpenImageIO's name of its type, and the values."""

    type: str
    values: tuple[Any, ...]


Metadata = Mapping[str, str | int | float | Typed]


@dataclass(frozen=True)
class Box:
    """Hold a rectangle of pixels; `x` and `y` are those of its upper left one."""

    x: int
    y: int
    width: int
    height: int

    def overlaps(self, other: "Box") -> bool:
        """Tell whether a pixel lies in both."""
        return (
            max(self.x, other.x) < min(self.x + self.width, other.x + other.width)
            and max(self.y, other.y) < min(self.y + self.height, other.y + other.height)
        )  # fmt: skip

    def union(self, other: "Box") -> "Box":
        """Return the smallest box around both."""
        x, y = min(self.x, other.x), min(self.y, other.y)
        right = max(self.x + self.width, other.x + other.width)
        bottom = max(self.y + self.height, other.y + other.height)
        return Box(x, y, right - x, bottom - y)


@dataclass(frozen=True)
class Windows:
    """Hold `data`, where a file has pixels, and `display`, what is shown; both on one plane, y downwards."""

    data: Box
    display: Box


@dataclass(frozen=True, eq=False)
class Image:
    """Hold a picture, upright, with straight alpha.

    `rgb` (H, W, 3) is float32 as the `encoding` says, 1 being the white of integer formats; half and float files
    may go beyond [0, 1], and may hold NaN and infinities. Where a premultiplied file has alpha 0, it is light
    without coverage. `alpha` (H, W) is float32 in [0, 1], or None if the file has none. `depth` and `alpha_kind`
    are those of the file. `metadata` is what the writer gives back under the same names, `notes` what the user
    should be told, one line each. `windows` are those of an EXR file where `rgb` is its data window. `part` and
    `channels` are what was taken of a file that has several, `left_out` the names of its other channels.
    """

    rgb: Floats
    alpha: Floats | None = None
    depth: Depth = "8"
    encoding: Encoding = SRGB
    alpha_kind: AlphaKind = "straight"
    path: Path | None = None
    metadata: Metadata = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    windows: Windows | None = None
    part: int = 0
    channels: tuple[int, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def size(self) -> tuple[int, int]:
        """Return height and width in pixels."""
        return self.rgb.shape[0], self.rgb.shape[1]


def from_array(picture: Any) -> Image:
    """Return an `Image` from a numpy array or a PIL image.

    Arrays are (H, W), (H, W, 1), (H, W, 2: grey and alpha), (H, W, 3) or (H, W, 4), of uint8, uint16, floats with
    white at 1, or booleans, straight alpha. A PIL image brings its EXIF orientation, which is applied, and its profile.
    Raises `ItemError`.
    """
    orientation, icc = 1, None
    if hasattr(picture, "convert") and hasattr(picture, "mode"):  # PIL, without importing it
        orientation = picture.getexif().get(EXIF_ORIENTATION_TAG, 1)
        icc = rgb_profile(picture.info.get("icc_profile"))
        if not picture.mode.startswith("I;16"):
            transparent = picture.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in picture.info
            picture = picture.convert("RGBA" if transparent else "RGB")
    array = np.asarray(picture)
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    if array.dtype.name not in SAMPLES:
        raise ItemError(
            "unsupported", f"an array of {array.dtype} is not a picture: give uint8, uint16, floats or booleans"
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)) or 0 in array.shape:
        raise ItemError("unsupported", f"an array of shape {array.shape} is not a picture: give (H, W) or (H, W, 1…4)")
    array = upright(array.reshape(*array.shape[:2], -1), orientation)  # (H, W, channels)
    has_alpha = array.shape[2] in (2, 4)
    rgb, alpha = split(array, array.shape[2] - 1 if has_alpha else None)
    return Image(rgb, alpha, SAMPLES[array.dtype.name][0], Encoding(icc=icc))


def split(samples: NDArray[Any], alpha_channel: int | None) -> tuple[Floats, Floats | None]:
    """Split samples (H, W, channels) of a type in `SAMPLES` into colour (H, W, 3) and alpha (H, W) or None, float32.

    One or two channels are grey, with or without alpha. Where alpha is NaN it becomes 0.
    """
    white = SAMPLES[samples.dtype.name][1]
    grey = samples.shape[2] < 3
    colour = samples[..., :1] if grey else samples[..., :3]
    rgb = np.empty((*samples.shape[:2], 3), np.float32)
    np.divide(colour, np.float32(white), out=rgb, casting="unsafe", dtype=np.float32)  # grey goes to all three
    if alpha_channel is None:
        return rgb, None
    alpha = np.divide(samples[..., alpha_channel], np.float32(white), dtype=np.float32, casting="unsafe")
    return rgb, np.clip(np.nan_to_num(alpha, copy=False), 0, 1)


def upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn an (H, W, channels) array, as a view, as its EXIF orientation says; unknown values change nothing."""
    swap, reverse_rows, reverse_columns = ORIENTATIONS.get(orientation, ORIENTATIONS[1])
    if swap:
        array = array.swapaxes(0, 1)
    return array[:: -1 if reverse_rows else 1, :: -1 if reverse_columns else 1]
