"""Read training packs: photographs with mattes, cut-outs and backgrounds, held in memory as bytes of pixels."""

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ...status import UsageError
from ..data.layouts import find
from ..data.sources import Entry, Picture, load

LONGEST = 512  # pixels of the longer side of what is trained on
BERKELEY = ("sod_", "bsds_")  # prefixes of two collections that number the same photographs alike


@dataclass(frozen=True)
class Packs:
    """Hold photographs with mattes (alpha belongs to the photograph's own subject), cut-outs, and empty backgrounds.

    No training uses what is in `photos_val` and `cutouts_val`.
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


def read_held_out(places: Sequence[Path], kind: Literal["photo", "cutout"]) -> list[Picture]:
    """Read what some packs hold out from training, at its own size. Raises UsageError where that is nothing."""
    pictures = _read(entries_of(places, kind), "val", None)
    if not pictures:
        what, how = HELD_OUT[kind]
        raise UsageError(f"{', '.join(map(str, places))} holds no {what} that are held out from training: {how}")
    return pictures


def read_backdrops(place: Path) -> list[Picture]:
    """Return the pictures of a pack of scenes whose number is divisible by 60, kept from training."""
    return [load(entry) for entry in find(place, "background").entries[::60]]


def read_packs(photos: Sequence[Path] = (), cutouts: Sequence[Path] = (), backgrounds: Sequence[Path] = ()) -> Packs:
    """Read tars, or folders of a layout that `data.layouts` knows."""
    shot, cut = entries_of(photos, "photo"), entries_of(cutouts, "cutout")
    return Packs(
        photos=_read(shot, "train", LONGEST),
        photos_val=_read(shot, "val", None),
        cutouts=_read(cut, "train", LONGEST),
        cutouts_val=_read(cut, "val", None),
        backgrounds=_read(entries_of(backgrounds, "background"), "train", LONGEST),
    )


def entries_of(places: Sequence[Path], kind: Literal["photo", "cutout", "background"]) -> list[Entry]:
    """List what some packs hold, each photograph once; what lacks a source is of the source that its pack is named.

    The rows of all `index.csv` share their names: two rows of one name are one photograph, and so are `sod_X` and
    `bsds_X`. It is held out where any of them is held out, so that no pack trains what another one tests; its label is
    the one of the highest confidence, which puts a mask that people drew (1) in place of a network's.
    """
    each: dict[object, list[Entry]] = {}
    for place in places:
        for entry in find(place, kind).entries:
            key = _photograph(entry) or (place, entry.name)
            each.setdefault(key, []).append(replace(entry, source=entry.source or place.stem))
    return [
        replace(
            max(same, key=lambda entry: entry.confidence),
            split="val" if any(entry.split == "val" for entry in same) else "train",
        )
        for same in each.values()
    ]


def _photograph(entry: Entry) -> str:
    """Return what identifies the photograph in all packs, "" if nothing does."""
    prefix = next((prefix for prefix in BERKELEY if entry.photo.startswith(prefix)), "")
    return BERKELEY[0] + entry.photo.removeprefix(prefix) if prefix else entry.photo


def _read(entries: Iterable[Entry], split: str, longest: int | None) -> list[Picture]:
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda entry: load(entry, longest), (e for e in entries if e.split == split)))
