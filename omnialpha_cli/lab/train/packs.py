"""Training packs: photographs with mattes, cut-outs and backgrounds, held in memory as bytes of pixels."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...status import UsageError
from ..data.layouts import find
from ..data.sources import Entry, Picture, load

LONGEST = 512  # pixels of the longer side of what is trained on


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


HELD_OUT = {
    "photo": ("photographs", "name a folder above them val, or say so in index.csv, in a column split"),
    "cutout": ("cut-outs", "they are held out by their words, a tenth of them, or where a folder above is named val"),
}


def read_held_out(place: Path, kind: Literal["photo", "cutout"]) -> list[Picture]:
    """What no training sees of a pack, at its own size. Raises UsageError where nothing is held out."""
    with ThreadPoolExecutor() as pool:
        pictures = list(pool.map(load, find(place, kind).of("val")))
    if not pictures:
        what, how = HELD_OUT[kind]
        raise UsageError(f"{place} holds no {what} that are held out from training: {how}")
    return pictures


def read_packs(photos: Path | None, cutouts: Path | None = None, backgrounds: Path | None = None) -> Packs:
    """Read tars, or folders of a layout that `data.layouts` knows."""
    with ThreadPoolExecutor() as pool:

        def read(entries: Iterable[Entry], longest: int | None = LONGEST) -> list[Picture]:
            return list(pool.map(lambda entry: load(entry, longest), entries))

        shot = find(photos, "photo") if photos else None
        cut = find(cutouts, "cutout") if cutouts else None
        return Packs(
            photos=read(shot.of("train")) if shot else [],
            photos_val=read(shot.of("val"), None) if shot else [],
            cutouts=read(cut.of("train")) if cut else [],
            cutouts_val=read(cut.of("val"), None) if cut else [],
            backgrounds=read(find(backgrounds, "background").of("train")) if backgrounds else [],
        )
