"""Record a picture: its pixels as float32, what its file was, and where its windows lie."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..status import ItemError
from .colour import SRGB, Encoding
from .formats import Depth
from .icc import rgb_profile
from .samples import DEPTH_OF, Floats, split

AlphaKind = Literal["straight", "premultiplied"]

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
ASPECT_TOLERANCE = 0.01


class Typed(NamedTuple):
    """Hold metadata that is not a plain number or text: OpenImageIO's name of its type, and the values."""

    type: str
    values: tuple[Any, ...]


Metadata = Mapping[str, str | int | float | Typed]
Taken = tuple[Path, int, tuple[int, ...]]  # a file, and the part and channels of its picture


@dataclass(frozen=True)
class Box:
    """Hold a rectangle of pixels; `x` and `y` are those of its upper left one."""

    x: int
    y: int
    width: int
    height: int

    def overlaps(self, other: "Box") -> bool:
        """Tell whether a pixel lies in both."""
        across = max(self.x, other.x) < min(self.x + self.width, other.x + other.width)
        return across and max(self.y, other.y) < min(self.y + self.height, other.y + other.height)

    def union(self, other: "Box") -> "Box":
        """Return the smallest box around both."""
        x, y = min(self.x, other.x), min(self.y, other.y)
        right = max(self.x + self.width, other.x + other.width)
        bottom = max(self.y + self.height, other.y + other.height)
        return Box(x, y, right - x, bottom - y)

    def crop(self, pixels: NDArray[Any]) -> NDArray[Any]:
        """Return the pixels (H, W, …) of a picture in this box within it."""
        return pixels[self.y : self.y + self.height, self.x : self.x + self.width]


@dataclass(frozen=True)
class Windows:
    """Hold `data`, where an EXR file has pixels, and `display`, what is shown; both on one plane, y downwards."""

    data: Box
    display: Box


@dataclass(frozen=True, eq=False)
class Image:
    """Hold a picture, upright, with straight alpha.

    `rgb` (H, W, 3) is float32 as the `encoding` says, 1 being the white of integer formats; half and float files
    may go beyond [0, 1], and may hold NaN and infinities. Where a premultiplied file has alpha 0, it is light
    without coverage. `alpha` (H, W) is float32 in [0, 1], or None if the file has none. `depth` and `alpha_kind`
    are those of the file. `metadata` is what the writer gives back under the same names, `notes` what the user
    should be told, one line each. `windows` are those of an EXR file where `rgb` is its data window. `left_out` are
    the names of a file's other channels, and `taken` what was taken of an EXR file that has some.
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
    left_out: tuple[str, ...] = ()
    taken: Taken | None = None

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
    if array.dtype.name not in DEPTH_OF:
        raise ItemError(
            "unsupported", f"an array of {array.dtype} is not a picture: give uint8, uint16, floats or booleans"
        )
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)) or 0 in array.shape:
        raise ItemError("unsupported", f"an array of shape {array.shape} is not a picture: give (H, W) or (H, W, 1…4)")
    array = upright(array.reshape(*array.shape[:2], -1), orientation)  # (H, W, channels)
    has_alpha = array.shape[2] in (2, 4)
    rgb, alpha = split(array, array.shape[2] - 1 if has_alpha else None)
    return Image(rgb, alpha, DEPTH_OF[array.dtype.name], Encoding(icc=icc))


def upright(array: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Turn an (H, W, channels) array, as a view, as its EXIF orientation says; unknown values change nothing."""
    swap, reverse_rows, reverse_columns = ORIENTATIONS.get(orientation, ORIENTATIONS[1])
    if swap:
        array = array.swapaxes(0, 1)
    return array[:: -1 if reverse_rows else 1, :: -1 if reverse_columns else 1]


def trivial(size: tuple[int, int]) -> Windows:
    """Return the windows of a picture (height, width) that has none of its own: all is data, and all is shown."""
    box = Box(0, 0, size[1], size[0])
    return Windows(box, box)


def place(pixels: NDArray[Any], box: Box, target: Box) -> NDArray[Any]:
    """Put pixels (H, W, …), which lie in `box`, on the `target` box: 0 where there are none."""
    if box == target:
        return pixels
    placed = np.zeros((target.height, target.width, *pixels.shape[2:]), pixels.dtype)
    if box.overlaps(target):
        top, left = box.y - target.y, box.x - target.x
        rows, columns = slice(max(0, top), max(0, top + box.height)), slice(max(0, left), max(0, left + box.width))
        shown = placed[rows, columns]
        part = pixels[max(0, -top) :, max(0, -left) :]
        shown[...] = part[: shown.shape[0], : shown.shape[1]]
    return placed


def on_display(image: Image) -> Image:
    """Crop or pad a picture to its display window; one without windows stays as it is."""
    if image.windows is None:
        return image
    data, display = image.windows.data, image.windows.display
    alpha = None if image.alpha is None else place(image.alpha, data, display)
    return replace(image, rgb=place(image.rgb, data, display), alpha=alpha, windows=None)


def align(image: Image, source: Image) -> Image:
    """Bring a hint or a clean plate to the data window of its source, at the resolution that it has.

    Both are laid upon one another by their display windows; a picture without windows is the display window, unless it
    has the size of the data window. Within its own display window a hint without data is 0, beyond it goes on as it
    ends there. One whose proportions fit neither window is given back as it is.
    """
    own, theirs = image.windows or trivial(image.size), source.windows or trivial(source.size)
    as_shown = image.size == (theirs.display.height, theirs.display.width)
    if own == theirs or (image.windows is None and image.size == source.size and not as_shown):
        return image
    display, shown = own.display, theirs.display
    across, down = display.width / shown.width, display.height / shown.height
    if abs(across - down) > ASPECT_TOLERANCE * across:
        return image
    left, top = round((theirs.data.x - shown.x) * across), round((theirs.data.y - shown.y) * down)
    width, height = max(1, round(theirs.data.width * across)), max(1, round(theirs.data.height * down))
    target = Box(display.x + left, display.y + top, width, height)
    known = own.data.union(own.display)

    def brought(pixels: NDArray[Any]) -> NDArray[Any]:
        return _continued(place(pixels, own.data, known), known, target)

    alpha = None if image.alpha is None else brought(image.alpha)
    return replace(image, rgb=brought(image.rgb), alpha=alpha, windows=None)


def _continued(pixels: NDArray[Any], box: Box, target: Box) -> NDArray[Any]:
    """Return the pixels (H, W, …) of `box` on the `target` box, which may reach beyond it: there the nearest ones."""
    rows = np.clip(np.arange(target.y, target.y + target.height) - box.y, 0, box.height - 1)
    columns = np.clip(np.arange(target.x, target.x + target.width) - box.x, 0, box.width - 1)
    return pixels[rows][:, columns]
