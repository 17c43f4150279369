"""Training packs: photographs with mattes, cut-outs and backgrounds, held in memory as bytes of pixels."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .data.layouts import find
from .data.sources import Entry, Picture, load

LONGEST = 512  # pixels of the longer side of what is trained on


@dataclass(frozen=True)
class Packs:
    """Photographs with mattes (alpha belongs to the photograph's own subject), cut-outs, and empty backgrounds."""

    photos: list[Picture]
    photos_val: list[Picture]
    cutouts: list[Picture]
    backgrounds: list[Picture]


def read_packs(photos: Path | None, cutouts: Path | None = None, backgrounds: Path | None = None) -> Packs:
    """Read tars, or folders of a layout that `data.layouts` knows; of cut-outs and backgrounds the split `train`."""
    with ThreadPoolExecutor(2) as pool:

        def read(entries: Iterable[Entry], longest: int | None = LONGEST) -> list[Picture]:
            return list(pool.map(lambda entry: load(entry, longest), entries))

        found = find(photos, "photo") if photos else None
        return Packs(
            photos=read(found.of("train")) if found else [],
            photos_val=read(found.of("val"), None) if found else [],
            cutouts=read(find(cutouts, "cutout").of("train")) if cutouts else [],
            backgrounds=read(find(backgrounds, "background").of("train")) if backgrounds else [],
        )
