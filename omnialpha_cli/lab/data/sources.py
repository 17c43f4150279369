"""Read pictures where they lie: in files, in tar archives, in tables; one by one, when they are needed."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageDraw
import PIL.ImageFilter
import PIL.ImageOps

from ...media.opening import decoding
from ...status import ItemError, UsageError

Kind = Literal["photo", "cutout", "background", "pair"]
Split = Literal["train", "val"]
Mode = Literal["RGB", "RGBA", "L"]
MASK_LEVELS = 32  # of grey: drawn masks have 2, or some fifteen where they were resized; mattes 200 and more
MASK_BAND, MASK_BAND_WEIGHT = 2, 20  # pixels on each side of a mask's outline, and their weight of 255
ASPECT_TOLERANCE = 0.02  # between a picture and its matte, which is then resized


class Place(Protocol):
    """Name where bytes are."""

    def read(self) -> bytes:
        """Return all of them."""


@dataclass(frozen=True)
class File:
    """Name a file of its own."""

    path: Path

    def read(self) -> bytes:
        """Return its content."""
        return self.path.read_bytes()

    def __str__(self) -> str:
        return str(self.path)


@dataclass(frozen=True)
class Member:
    """Name a file within a tar archive that is not compressed."""

    path: Path
    name: str
    offset: int
    size: int

    def read(self) -> bytes:
        """Return its content."""
        with self.path.open("rb") as file:
            file.seek(self.offset)
            return file.read(self.size)

    def __str__(self) -> str:
        return f"{self.name} in {self.path}"


@dataclass(frozen=True)
class Cell:
    """Name a picture in a Parquet table, as Hugging Face data sets have them: a record with its `bytes`."""

    path: Path
    group: int
    row: int
    column: str

    def read(self) -> bytes:
        """Return its content."""
        value: dict[str, Any] = _row_group(self.path, self.group)[self.column][self.row].as_py()
        return bytes(value["bytes"])

    def __str__(self) -> str:
        return f"{self.column} {self.row} of row group {self.group} in {self.path}"


@dataclass(frozen=True)
class Entry:
    """Describe one picture of a source, with what belongs to it.

    `places` by role: `picture`; of a photograph and some cut-outs `alpha`, else the picture has it; of a pair, which
    shows a scene with an object and without, `background` and `mask` (or `outside`, its inverse), perhaps `effect`, a
    mask of the object with its shadow, and `polygons`, RORD's annotation. `others` tells that the scene shows more
    than one object that could be meant; `tags` are other words for it.

    `source` is the collection that a pack took it from. `photo` identifies the photograph in every pack, "" where names
    mean nothing outside of their folder; of two labels of one photograph the higher `confidence` is taken.
    """

    name: str
    kind: Kind
    places: Mapping[str, Place] = field(hash=False)
    label: str = ""
    split: Split = "train"
    others: bool = False
    tags: tuple[str, ...] = ()
    source: str = ""
    photo: str = ""
    confidence: float = 1.0


@dataclass(frozen=True)
class Picture:
    """Hold a picture: `rgba` uint8 (H, W, 4), straight; `label` a few words or "", `tags` other words for it.

    `weights` uint8 (H, W) are what alpha counts in a loss, 255 fully (`mask_weights`); None where all of it does.
    """

    name: str
    rgba: np.ndarray
    label: str = ""
    tags: tuple[str, ...] = ()
    source: str = ""
    weights: np.ndarray | None = None

    def planes(self) -> np.ndarray:
        """Return RGBA and weights as one uint8 array (H, W, 5)."""
        weights = np.full(self.rgba.shape[:2], 255, np.uint8) if self.weights is None else self.weights
        return np.dstack((self.rgba, weights))


@dataclass(frozen=True, eq=False)
class Pair:
    """Hold a scene with an object and without, uint8 (H, W, 3); `mask` and `effect` (H, W) bool."""

    scene: np.ndarray
    background: np.ndarray
    mask: np.ndarray
    effect: np.ndarray | None


def load(entry: Entry, longest: int | None = None) -> Picture:
    """Return the picture of an entry, its longer side at most `longest`. Raises ItemError where it cannot be read."""
    if "alpha" not in entry.places:
        rgba = decode(entry.places["picture"], "RGBA", longest)
        return Picture(entry.name, rgba, entry.label, entry.tags, entry.source)
    rgb = decode(entry.places["picture"], "RGB", longest)
    matte = decode(entry.places["alpha"], "L")
    alpha = _resized(entry.places["alpha"], matte, rgb)
    weights = mask_weights(alpha) if is_hard_mask(matte) else None
    return Picture(entry.name, np.dstack((rgb, alpha)), entry.label, entry.tags, entry.source, weights)


def is_hard_mask(matte: np.ndarray) -> bool:
    """Tell a mask that somebody drew from a matte, uint8 (H, W): it has at most 32 levels of grey, a matte hundreds."""
    return int((np.bincount(matte.ravel(), minlength=256) > 0).sum()) <= MASK_LEVELS


def mask_weights(mask: np.ndarray) -> np.ndarray:
    """Return what each pixel of a hard mask counts in a loss on alpha: uint8 (H, W) → uint8 (H, W), 255 fully.

    The outline is right to about two pixels, so a band of two pixels on both of its sides counts 8 %. Grey, between a
    quarter and three quarters, is what the annotator left open, and counts nothing.
    """
    inside = PIL.Image.fromarray(((mask > 127) * 255).astype(np.uint8))
    size = 2 * MASK_BAND + 1
    grown, shrunk = inside.filter(PIL.ImageFilter.MaxFilter(size)), inside.filter(PIL.ImageFilter.MinFilter(size))
    weights = np.where(np.asarray(grown) != np.asarray(shrunk), MASK_BAND_WEIGHT, 255).astype(np.uint8)
    weights[(mask > 64) & (mask < 192)] = 0
    return weights


def load_pair(entry: Entry, longest: int | None = None) -> Pair:
    """Return the pictures of a pair, all of the scene's size."""
    places = entry.places
    scene = decode(places["picture"], "RGB", longest)
    background = decode(places["background"], "RGB", longest)
    if background.shape != scene.shape:
        raise _sizes(places["picture"], places["background"])
    if "mask" in places:
        mask = _fitted(places["mask"], scene, longest) > 127
    else:
        mask = _fitted(places["outside"], scene, longest) <= 127
    if "effect" in places:
        return Pair(scene, background, mask, _fitted(places["effect"], scene, longest) > 127)
    if "polygons" in places:  # they outline the object; the mask is coarse, and holds its shadow too
        fine = _polygons(places["polygons"], scene.shape[:2]) & mask
        if fine.any():
            return Pair(scene, background, fine, mask)
    return Pair(scene, background, mask, None)


def decode(place: Place, mode: Mode, longest: int | None = None) -> np.ndarray:
    """Return a picture as uint8 (H, W) or (H, W, C): upright, in sRGB unless it is grey, no larger than `longest`.

    Raises ItemError `unreadable`.
    """
    with decoding(Path(str(place)), "{path}: cannot be read as a picture ({reason})"):
        try:
            image: PIL.Image.Image = PIL.Image.open(io.BytesIO(place.read()))
        except PIL.UnidentifiedImageError:
            raise OSError("of no known format") from None
        if longest:
            image.draft(None, (longest, longest))  # a JPEG is decoded at half the size, where that is enough
        image = PIL.ImageOps.exif_transpose(image)
        if image.mode.startswith("I"):  # 16 bits
            image = PIL.Image.fromarray((np.asarray(image).astype(np.float32) / 257).round().astype(np.uint8))
        image = _in_srgb(image, mode).convert(mode)
        if longest and max(image.size) > longest:
            scale = longest / max(image.size)
            size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
            image = image.resize(size, PIL.Image.Resampling.LANCZOS)
        return np.asarray(image)


def _in_srgb(image: PIL.Image.Image, mode: str) -> PIL.Image.Image:
    """Return colours converted by the picture's own profile; a matte keeps its numbers."""
    profile = image.info.get("icc_profile")
    if mode == "L" or not profile or image.mode not in ("RGB", "RGBA", "CMYK"):
        return image
    try:
        own = PIL.ImageCms.ImageCmsProfile(io.BytesIO(profile))
        wanted = "RGBA" if image.mode == "RGBA" else "RGB"
        converted = PIL.ImageCms.profileToProfile(image, own, PIL.ImageCms.createProfile("sRGB"), outputMode=wanted)
    except (PIL.ImageCms.PyCMSError, OSError):  # a damaged profile
        return image
    return converted or image


def _fitted(place: Place, picture: np.ndarray, longest: int | None) -> np.ndarray:
    """Return a matte at its picture's size, (H, W)."""
    return _resized(place, decode(place, "L", longest), picture)


def _resized(place: Place, matte: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Resize a `matte` to its picture, (H, W). Raises ItemError, which names the place, for other proportions."""
    if matte.shape == picture.shape[:2]:
        return matte
    h, w = picture.shape[:2]
    if abs(matte.shape[0] * w / (matte.shape[1] * h) - 1) > ASPECT_TOLERANCE:
        raise ItemError("unsupported", f"{place} is {matte.shape[1]}×{matte.shape[0]} but its picture {w}×{h} pixels")
    return np.asarray(PIL.Image.fromarray(matte).resize((w, h), PIL.Image.Resampling.BILINEAR))


def _sizes(one: Place, other: Place) -> ItemError:
    return ItemError("unsupported", f"{one} and {other} have different sizes: both have to show the same view")


def _polygons(place: Place, size: tuple[int, int]) -> np.ndarray:
    """Draw RORD's annotation as bool (h, w): the polygons of its movable things, whose class begins with F."""
    import json

    with decoding(Path(str(place)), "{path}: cannot be read as an annotation of RORD ({reason})"):
        annotation = json.loads(place.read())
        width, height = (int(n) for n in str(annotation["Raw_Data_Info."]["Resolution"]).split(","))
        things = [t for t in annotation["Learning_Data_Info."]["Annotation"] if str(t["Class_ID"]).startswith("F")]
        canvas = PIL.Image.new("L", (size[1], size[0]))
        for thing in things:
            points = np.asarray(thing["segmentation"], np.float64).reshape(-1, 2)
            if len(points) >= 3:
                scaled = points * (size[1] / width, size[0] / height)
                PIL.ImageDraw.Draw(canvas).polygon([(float(x), float(y)) for x, y in scaled], fill=255)
    return np.asarray(canvas) > 127


def open_table(path: Path) -> Any:
    """Return a Parquet file."""
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise UsageError(f'{path}: tables need pyarrow; get it with: pip install "omnialpha[parquet]"') from error
    return pyarrow.parquet.ParquetFile(path)


@lru_cache(maxsize=2)
def _row_group(path: Path, group: int) -> Any:
    return open_table(path).read_row_group(group)
