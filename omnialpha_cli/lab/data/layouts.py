"""Find pictures in the folders that people have: a table of layouts, and plain ones.

A tar archive counts as a folder. Each layout names its folders by role; files belong together that have the same path
below them, without ending.
"""

import fnmatch
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from ...status import UsageError
from .sources import Cell, Entry, File, Kind, Place, Split, open_table
from .tree import SUFFIXES, Tree, below, folders_of, read_index, read_tree, split_ending, words_beside, words_of

SPLIT_NAMES = {"train", "training_set", "val", "validation", "test", "test_set"}  # of a place itself
OPAQUE = (".jpg", ".jpeg", ".bmp")  # formats without alpha


@dataclass(frozen=True)
class Layout:
    """Describe a layout: `folders` by role; those in `optional` may be missing. `labels` is a pattern of a JSON file.

    `labels` is as RefMatte has it. `split` holds where no folder above is called train, validation or test; the
    pictures' `label` where no file tells one.
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
    """Hold what a place has: `layout` is a name of the table, "plain", or "OBER" for its tables."""

    path: Path
    layout: str
    entries: tuple[Entry, ...]
    incomplete: int = 0  # pictures that lack a part, such as their matte

    def of(self, split: Split | None) -> tuple[Entry, ...]:
        """Return the entries of one split, or all."""
        return self.entries if split is None else tuple(e for e in self.entries if e.split == split)


WANTED: dict[Kind, str] = {
    "photo": "photographs with mattes (NAME.jpg beside NAME.png)",
    "cutout": "cut-outs (pictures with alpha)",
    "background": "pictures",
    "pair": "scenes with and without an object",
}


def find(path: Path, kind: Kind) -> Found:
    """Find all pictures of one kind in a folder or a tar. Raises UsageError where there are none, and says what is."""
    tree = read_tree(path)
    folders = folders_of(tree)
    own = next((name for name in reversed(path.resolve().parts[-2:]) if name.lower() in SPLIT_NAMES), "")
    entries: list[Entry] = []
    names: list[str] = []
    incomplete = 0
    other: Layout | None = None
    for layout in LAYOUTS:
        for root in _roots(tree, folders, layout):
            if layout.kind != kind:
                other = other or layout
                continue
            found, lacking = _by_layout(tree, root, layout, _split(f"{own}/{root}", layout.split))
            entries += found
            incomplete += lacking
            names.append(layout.name)
    if not entries and kind == "pair":
        entries, names = _from_tables(tree), ["OBER"]
    if not entries and other:
        raise UsageError(f"{path} has the layout of {other.name}: give it as --{other.kind}s")
    if not entries and kind != "pair":
        entries, incomplete = _plain(tree, kind)
        names = ["plain"]
    if not entries:
        known = ", ".join(dict.fromkeys(one.name for one in LAYOUTS if one.kind == kind)) or "a plain folder"
        raise UsageError(f"{path} holds no {WANTED[kind]}. Known layouts: {known}")
    return Found(path, "/".join(dict.fromkeys(names)), tuple(entries), incomplete)


def _roots(tree: Tree, folders: set[str], layout: Layout) -> list[str]:
    """Return the folders that hold all folders of a layout, and its labels."""
    first, *rest = layout.folders.values()
    heads = [folder[: -len(first)] for folder in folders if folder == first or folder.endswith(f"/{first}")]
    roots = [head for head in heads if all(head + name in folders for name in rest)]
    return sorted(root for root in roots if layout.labels is None or _labels(tree, root, layout.labels))


def _labels(tree: Tree, root: str, pattern: str) -> str | None:
    """Return the file with a layout's labels."""
    return next(
        (name for name in tree if name.startswith(root) and fnmatch.fnmatchcase(name[len(root) :], pattern)), None
    )


def _by_layout(tree: Tree, root: str, layout: Layout, split: Split) -> tuple[list[Entry], int]:
    """Return the entries below one root, which is "" or ends in a slash, and how many pictures lack a part."""
    files = {role: below(tree, root + name, layout.suffix) for role, name in layout.folders.items()}
    if layout.labels is not None:
        return _by_labels(tree, root, layout, files, split)
    extras = {role: below(tree, root + name, layout.suffix) for role, name in layout.optional.items()}
    entries, lacking = [], 0
    for key in files["picture"]:
        places = {role: found[key] for role, found in files.items() if key in found}
        if len(places) < len(files):
            lacking += 1
            continue
        places |= {role: found[key] for role, found in extras.items() if key in found}
        label = layout.label or words_beside(tree, f"{root}{layout.folders['picture']}/{key}")
        entries.append(Entry(root + key, layout.kind, places, label, split))
    return entries, lacking


def _by_labels(
    tree: Tree, root: str, layout: Layout, files: Mapping[str, Mapping[str, Place]], split: Split
) -> tuple[list[Entry], int]:
    """Read RefMatte: a matte has its object's name, and a JSON file tells its picture and its words."""
    name = _labels(tree, root, layout.labels or "")
    assert name is not None
    try:
        annotation = json.loads(tree[name].read())
        rows = {
            key: (str(row.get("image_name", key)), list(map(str, row["expressions"])))
            for key, row in annotation.items()
        }
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise UsageError(f"{tree[name]}: not the labels of {layout.name} ({error})") from error
    objects = Counter(image for image, _ in rows.values())  # in each picture
    entries, lacking = [], 0
    for key, alpha in files["alpha"].items():
        image, words = rows.get(key, (key, []))
        picture = files["picture"].get(key) or files["picture"].get(split_ending(image)[0])
        if picture is None:
            lacking += 1
            continue
        places = {"picture": picture, "alpha": alpha}
        label = min(words, key=len, default="")
        entries.append(Entry(root + key, "photo", places, label, split, others=objects[image] > 1))
    return entries, lacking


def _from_tables(tree: Tree) -> list[Entry]:
    """Read OBER as published: Parquet tables of `input`, `gt`, `object_mask` and `object_effect_mask`."""
    roles = {"picture": "input", "background": "gt", "mask": "object_mask", "effect": "object_effect_mask"}
    entries = []
    for name, place in tree.items():
        if not name.endswith(".parquet") or not isinstance(place, File):
            continue
        table = open_table(place.path)
        if not set(roles.values()) <= set(table.schema_arrow.names):
            raise UsageError(f"{place.path} lacks a column of OBER: {', '.join(roles.values())}")
        split: Split = "val" if place.path.name.startswith(("test", "val")) else "train"
        for group in range(table.metadata.num_row_groups):
            for row, key in enumerate(table.read_row_group(group, ["input.path"])["input"].to_pylist()):
                places = {role: Cell(place.path, group, row, column) for role, column in roles.items()}
                entries.append(Entry(f"{name}/{group}/{row}/{key['path'] or ''}", "pair", places, "", split))
    return entries


def _plain(tree: Tree, kind: Kind) -> tuple[list[Entry], int]:
    """Return pictures anywhere. What an `index.csv` or a text beside a picture says are its words, else its name's."""
    rows = read_index(tree)
    entries, lacking = [], 0
    for name, place in tree.items():
        key, ending = split_ending(name)
        if ending not in SUFFIXES or (kind == "photo" and ending == ".png"):
            continue
        places = {"picture": place}
        if kind == "photo" and f"{key}.png" in tree:
            places["alpha"] = tree[f"{key}.png"]
        elif kind == "photo" or (kind == "cutout" and ending in OPAQUE):
            lacking += 1
            continue
        row = rows.get(key, {})
        label = row.get("label") or words_beside(tree, key) or ("" if row else words_of(key.rpartition("/")[2]))
        held_out = kind == "cutout" and label and crc32(label.encode()) % 10 == 0  # a tenth of the words
        split: Split = "val" if row.get("split") == "val" or held_out else "train"
        split = split if "split" in row else _split(key, split)
        entries.append(
            Entry(
                key,
                kind,
                places,
                label,
                split,
                tags=tuple(row.get("tags", "").split()),
                source=row.get("source", ""),
                photo=key.rpartition("/")[2] if row and kind == "photo" else "",
                confidence=_confidence(key, row),
            )
        )
    order = {key: number for number, key in enumerate(rows)}
    return sorted(entries, key=lambda entry: order.get(entry.name, len(order))), lacking


def _confidence(name: str, row: Mapping[str, str]) -> float:
    """Return how sure the label of a row of `index.csv` is, by default 1. Raises UsageError for what is no number."""
    try:
        return float(row.get("confidence") or 1)
    except ValueError as error:
        raise UsageError(f"index.csv: confidence of {name} is no number: {row['confidence']}") from error


def _split(name: str, otherwise: Split) -> Split:
    """Return the split that the nearest folder above names, such as `Training_set`, `val2017` or `validation`."""
    for part in reversed(name.split("/")[:-1]):
        if match := re.fullmatch(r"(train|val|test)(ing|id|idation)?([^a-z].*)?", part.lower()):
            return "train" if match[1] == "train" else "val"
    return otherwise
