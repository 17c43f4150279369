"""Training packs: tar files of pictures with an `index.csv`, held in memory as bytes of pixels."""

import csv
import io
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import numpy as np

from ..status import UsageError

try:
    from PIL import Image as PILImage
except ImportError as error:
    raise UsageError('training packs need Pillow; get it with: pip install "omnialpha[train]"') from error


@dataclass(frozen=True)
class Picture:
    """`rgba` uint8 (H, W, 4), straight; `label` a few words or ""."""

    name: str
    rgba: np.ndarray
    label: str = ""


@dataclass(frozen=True)
class Packs:
    """Photographs with mattes (alpha belongs to the photograph's own subject), cut-outs, and empty backgrounds.

    No training sees what is in `photos_val` and `cutouts_val`.
    """

    photos: list[Picture]
    photos_val: list[Picture]
    cutouts: list[Picture]
    cutouts_val: list[Picture]
    backgrounds: list[Picture]


def _read_tar(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]


def _index(files: dict[str, bytes]) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(files["index.csv"].decode())))


def _decode(data: bytes, mode: str, longest: int | None = None) -> np.ndarray:
    image: PILImage.Image = PILImage.open(io.BytesIO(data))
    if longest and max(image.size) > longest:
        scale = longest / max(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), PILImage.Resampling.LANCZOS)
    return np.asarray(image.convert(mode))


def _photo(files: dict[str, bytes], name: str, label: str) -> Picture:
    rgb, alpha = _decode(files[f"{name}.jpg"], "RGB"), _decode(files[f"{name}.png"], "L")
    return Picture(name, np.dstack((rgb, alpha)), label)


def read_packs(
    photos: Path | None, cutouts: Path | None = None, backgrounds: Path | None = None, min_confidence: float = 0.0
) -> Packs:
    """Read the tars that are given.

    `photos` holds `NAME.jpg` and `NAME.png` (alpha) with a split `train` or `val`, `cutouts` RGBA files with a label,
    `backgrounds` any pictures. A tenth of the cut-outs is held out, all with a label or none.
    """
    train: list[Picture] = []
    val: list[Picture] = []
    cut: list[Picture] = []
    cut_val: list[Picture] = []
    back: list[Picture] = []
    with ThreadPoolExecutor(2) as pool:
        if photos is not None:
            files = _read_tar(photos)
            rows = [r for r in _index(files) if r["split"] == "val" or float(r["confidence"]) >= min_confidence]
            pictures = pool.map(lambda r: _photo(files, r["name"], r["label"]), rows)
            for row, picture in zip(rows, pictures, strict=True):
                (val if row["split"] == "val" else train).append(picture)
        if cutouts is not None:
            files = _read_tar(cutouts)
            rows = _index(files)
            decoded = pool.map(lambda r: _decode(files[r["file"]], "RGBA"), rows)
            for row, pixels in zip(rows, decoded, strict=True):
                held_out = crc32(row["label"].encode()) % 10 == 0
                (cut_val if held_out else cut).append(Picture(row["file"], pixels, row["label"]))
        if backgrounds is not None:
            files = _read_tar(backgrounds)
            names = sorted(files)
            decoded = pool.map(lambda n: _decode(files[n], "RGBA", 512), names)
            back = [Picture(n, p) for n, p in zip(names, decoded, strict=True)]
    return Packs(train, val, cut, cut_val, back)
