"""The folders that people have: a table of layouts, and plain ones.

A tar archive counts as a folder. Each layout names its folders by role; files belong together that have the same path
below them, without ending.
"""

import csv
import io
import json
import os
import re
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ...status import UsageError
from .sources import Cell, Entry, File, Kind, Member, Place, Split, open_table

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
Tree = Mapping[PurePosixPath, Place]


@dataclass(frozen=True)
class Layout:
    """`folders` by role; those in `optional` may be missing. `labels` is a pattern of a JSON file, as RefMatte has it.

    `split` holds where no folder above is called train, validation or test; the pictures' `label` where no file tells
    one.
    """

    name: str
    kind: Kind
    folders: Mapping[str, str]
    optional: Mapping[str, str] = field(default_factory=dict)
    labels: str | None = None
    label: str = ""
    split: Split = "train"
    suffix: str = ""  # what the names of masks end in


LAYOUTS = (
    Layout("OBER", "pair", {"picture": "input", "background": "gt", "mask": "object_mask"},
           {"effect": "object_effect_mask"}),
    Layout("RORD", "pair", {"picture": "img", "background": "gt", "outside": "mask"}, {"polygons": "label"},
           suffix="_M"),
    Layout("plain pairs", "pair", {"picture": "scene", "background": "background", "mask": "mask"},
           {"effect": "effect"}),
    Layout("RefMatte", "photo", {"picture": "img", "alpha": "mask"}, labels="refmatte*label.json"),
    Layout("RefMatte-RW100", "photo", {"picture": "image_all", "alpha": "mask"}, labels="refmatte*label.json",
           split="val"),
    Layout("RefMatte-RW100", "photo", {"picture": "image", "alpha": "mask"}, labels="refmatte*label.json", split="val"),
    Layout("P3M-10k", "photo", {"picture": "blurred_image", "alpha": "mask"}, label="person"),
    Layout("P3M-10k", "photo", {"picture": "original_image", "alpha": "mask"}, label="person", split="val"),
    Layout("AIM-500", "photo", {"picture": "original", "alpha": "mask"}, split="val"),
    Layout("Composition-1k", "cutout", {"picture": "fg", "alpha": "alpha"}),
    Layout("Distinctions-646", "cutout", {"picture": "FG", "alpha": "GT"}),
)  # fmt: skip


@dataclass(frozen=True)
class Found:
    """What a place holds: `layout` is a name of the table, "plain", or "OBER" for its tables."""

    path: Path
    layout: str
    entries: tuple[Entry, ...]
    incomplete: int = 0  # pictures that lack a part, such as their matte

    def of(self, split: Split | None) -> tuple[Entry, ...]:
        """The entries of one split, or all."""
        return self.entries if split is None else tuple(e for e in self.entries if e.split == split)


def find(path: Path, kind: Kind) -> Found:
    """All pictures of one kind at a folder or a tar. UsageError where there are none, naming what is there instead."""
    tree = read_tree(path)
    places = {role for p in tree for role in p.parts[:-1]}
    others: list[Layout] = []
    entries: list[Entry] = []
    names: list[str] = []
    incomplete = 0
    for layout in LAYOUTS:
        if not set(layout.folders.values()) <= places:
            continue
        for root in _roots(tree, layout):
            if layout.kind != kind:
                others.append(layout)
                continue
            found, lacking = _by_layout(tree, root, layout)
            entries += found
            incomplete += lacking
            names.append(layout.name)
    if not entries and kind == "pair":
        entries, names = _from_tables(tree), ["OBER"]
    if not entries and others:
        raise UsageError(f"{path} has the layout of {others[0].name}: give it as --{others[0].kind}s")
    if not entries:
        entries, incomplete = _plain(tree, kind)
        names = ["plain"]
    if not entries:
        known = ", ".join(dict.fromkeys(one.name for one in LAYOUTS if one.kind == kind)) or "a plain folder"
        raise UsageError(f"{path} holds no {WANTED[kind]}. Known layouts: {known}")
    return Found(path, "/".join(dict.fromkeys(names)), tuple(entries), incomplete)


WANTED: dict[Kind, str] = {
    "photo": "photographs with mattes (NAME.jpg beside NAME.png)",
    "cutout": "cut-outs (pictures with alpha)",
    "background": "pictures",
    "pair": "scenes with and without an object",
}


def read_tree(path: Path) -> Tree:
    """Every file below a folder, or in a tar, by its path there."""
    if path.is_dir():
        walk = (Path(here, name) for here, _, names in os.walk(path) for name in names)
        return {PurePosixPath(file.relative_to(path).as_posix()): File(file) for file in sorted(walk)}
    try:
        with tarfile.open(path, "r:") as tar:
            members = [m for m in tar if m.isfile()]
    except (OSError, tarfile.TarError) as error:
        raise UsageError(f"{path} is neither a folder nor a tar archive without compression ({error})") from error
    members.sort(key=lambda m: m.name)
    return {PurePosixPath(m.name): Member(path, m.name, m.offset_data, m.size) for m in members}


def _roots(tree: Tree, layout: Layout) -> list[PurePosixPath]:
    """The folders that hold all folders of a layout."""
    parents: dict[str, set[PurePosixPath]] = {name: set() for name in layout.folders.values()}
    for path in tree:
        for above in path.parents:
            if above.name in parents:
                parents[above.name].add(above.parent)
    roots = set.intersection(*parents.values())
    if layout.labels is not None:
        pattern = layout.labels
        roots = {r for r in roots if any(p.parent == r and p.match(pattern) for p in tree)}
    return sorted(roots)


def _by_layout(tree: Tree, root: PurePosixPath, layout: Layout) -> tuple[list[Entry], int]:
    """The entries below one root, and how many pictures lack a part."""
    files = {role: _below(tree, root / name, layout.suffix) for role, name in layout.folders.items()}
    extras = {role: _below(tree, root / name, layout.suffix) for role, name in layout.optional.items()}
    split = _split(root, layout.split)
    if layout.labels is not None:
        return _by_labels(tree, root, layout, files, split)
    entries, lacking = [], 0
    for key in files["picture"]:
        places = {role: found[key] for role, found in files.items() if key in found}
        if len(places) < len(files):
            lacking += 1
            continue
        places |= {role: found[key] for role, found in extras.items() if key in found}
        label = layout.label or _sidecar(tree, root / layout.folders["picture"] / key)
        entries.append(Entry((root / key).as_posix(), layout.kind, places, label, split))
    return entries, lacking


def _by_labels(
    tree: Tree, root: PurePosixPath, layout: Layout, files: Mapping[str, Mapping[str, Place]], split: Split
) -> tuple[list[Entry], int]:
    """RefMatte: a matte is named by the object, and a JSON file tells the picture that it belongs to, and its words."""
    assert layout.labels is not None
    (name,) = [p for p in tree if p.parent == root and p.match(layout.labels)][:1]
    try:
        told = json.loads(tree[name].read())
        rows = {
            key: (str(row.get("image_name", key)), [str(t) for t in row["expressions"]]) for key, row in told.items()
        }
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise UsageError(f"{tree[name]}: not the labels of {layout.name} ({error})") from error
    pictures = [image for image, _ in rows.values()]
    entries, lacking = [], 0
    for key, alpha in files["alpha"].items():
        image, words = rows.get(key, (key, []))
        picture = files["picture"].get(key) or files["picture"].get(PurePosixPath(image).stem)
        if picture is None:
            lacking += 1
            continue
        label = min(words, key=len, default="")
        several = pictures.count(image) > 1 if len(pictures) < 5000 else True
        places = {"picture": picture, "alpha": alpha}
        entries.append(Entry((root / key).as_posix(), "photo", places, label, split, others=several))
    return entries, lacking


def _from_tables(tree: Tree) -> list[Entry]:
    """OBER as published: Parquet tables of `input`, `gt`, `object_mask` and `object_effect_mask`."""
    roles = {"picture": "input", "background": "gt", "mask": "object_mask", "effect": "object_effect_mask"}
    entries = []
    for name, place in tree.items():
        if name.suffix != ".parquet" or not isinstance(place, File):
            continue
        table = open_table(place.path)
        if not set(roles.values()) <= set(table.schema_arrow.names):
            raise UsageError(f"{place.path} lacks a column of OBER: {', '.join(roles.values())}")
        split: Split = "val" if name.name.startswith(("test", "val")) else "train"
        for group in range(table.metadata.num_row_groups):
            for row, key in enumerate(table.read_row_group(group, ["input.path"])["input"].to_pylist()):
                places = {role: Cell(place.path, group, row, column) for role, column in roles.items()}
                path = f"{name.stem}/{group}/{row}/{PurePosixPath(key['path'] or '').stem}"
                entries.append(Entry(path, "pair", places, "", split))
    return entries


def _plain(tree: Tree, kind: Kind) -> tuple[list[Entry], int]:
    """Pictures anywhere. What an `index.csv` or a text beside a picture says are its words, else its name's."""
    rows = _index(tree)
    pictures = {p: place for p, place in tree.items() if p.suffix.lower() in SUFFIXES}
    entries, lacking = [], 0
    mattes = {p.with_suffix(""): p for p in pictures if p.suffix.lower() == ".png"} if kind == "photo" else {}
    for path, place in pictures.items():
        row = rows.get(path.as_posix()) or rows.get(path.with_suffix("").as_posix()) or {}
        places = {"picture": place}
        if kind == "photo":
            if path.suffix.lower() == ".png":
                continue
            matte = mattes.get(path.with_suffix("")) or mattes.get(path.with_name(path.stem + "_alpha"))
            if matte is None:
                lacking += 1
                continue
            places["alpha"] = pictures[matte]
        if kind == "pair":
            continue
        label = row.get("label") or _sidecar(tree, path.with_suffix("")) or ("" if row else words_of(path.stem))
        split = row.get("split")
        held_out: Split = "val" if split == "val" else "train" if split else _split(path.parent, "train")
        entries.append(Entry(path.with_suffix("").as_posix(), kind, places, label, held_out))
    if rows:  # in the index's order
        order = {PurePosixPath(key).with_suffix("").as_posix(): i for i, key in enumerate(rows)}
        entries.sort(key=lambda e: order.get(e.name, len(order)))
    return entries, lacking


def words_of(stem: str) -> str:
    """What a file's name says, without numbers at its end: "red_apple-02" is "red apple", "IMG_0012" nothing."""
    text = re.sub(r"[\d\s_.()-]+$", "", stem)
    words = re.split(r"[\s_-]+", text)
    is_text = all(re.fullmatch(r"[a-z]+", word) and (len(word) < 3 or re.search(r"[aeiouy]", word)) for word in words)
    return " ".join(words) if is_text and any(len(word) >= 3 for word in words) else ""


def _below(tree: Tree, folder: PurePosixPath, suffix: str) -> dict[str, Place]:
    """Files below a folder by their path there, without ending and without what masks' names end in."""
    found: dict[str, Place] = {}
    for path, place in tree.items():
        if path.is_relative_to(folder) and path.suffix.lower() in (*SUFFIXES, ".json"):
            key = path.relative_to(folder).with_suffix("").as_posix()
            found.setdefault(key.removesuffix(suffix) if suffix else key, place)
    return found


def _split(folder: PurePosixPath, otherwise: Split) -> Split:
    """By the nearest folder above that is called so, such as `Training_set`, `val2017` or `validation`."""
    for part in reversed(folder.parts):
        if match := re.fullmatch(r"(train|val|test)(ing|id|idation)?([^a-z].*)?", part.lower()):
            return "train" if match[1] == "train" else "val"
    return otherwise


def _sidecar(tree: Tree, key: PurePosixPath) -> str:
    """The words in NAME.txt beside NAME.jpg."""
    place = tree.get(key.with_name(key.name + ".txt"))
    return " ".join(place.read().decode("utf-8", "replace").split()) if place else ""


def _index(tree: Tree) -> dict[str, dict[str, str]]:
    """The rows of `index.csv` by their file, with ending (`file`) or without (`name`)."""
    place = tree.get(PurePosixPath("index.csv"))
    if place is None:
        return {}
    rows: Sequence[dict[str, str]] = list(csv.DictReader(io.StringIO(place.read().decode("utf-8"))))
    if rows and not {"file", "name"} & set(rows[0]):
        raise UsageError(f"{place} needs a column file or name")
    return {row.get("file") or row["name"]: row for row in rows}
