"""List the files at a place: of a folder, or in a tar archive, which counts as a folder."""

import csv
import io
import os
import re
import tarfile
from collections.abc import Mapping
from pathlib import Path

from ...status import UsageError
from .sources import File, Member, Place

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
Tree = Mapping[str, Place]  # by the path below the place, with slashes, in order


def read_tree(path: Path) -> Tree:
    """Return every file but hidden ones. UsageError where the place is neither a folder nor a tar."""
    if path.is_dir():
        walk = (Path(here, name) for here, _, names in os.walk(path) for name in names)
        files: dict[str, Place] = {file.relative_to(path).as_posix(): File(file) for file in walk}
    else:
        try:
            with tarfile.open(path, "r:") as tar:
                files = {m.name: Member(path, m.name, m.offset_data, m.size) for m in tar if m.isfile()}
        except (OSError, tarfile.TarError) as error:
            raise UsageError(f"{path} is neither a folder nor a tar archive without compression ({error})") from error
    shown = (name for name in files if not any(part.startswith((".", "__MACOSX")) for part in name.split("/")))
    return {name: files[name] for name in sorted(shown)}


def folders_of(tree: Tree) -> set[str]:
    """Return all folders, the place itself being ""."""
    folders = {""}
    for folder in {name.rpartition("/")[0] for name in tree}:
        while folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    return folders


def below(tree: Tree, folder: str, suffix: str = "") -> dict[str, Place]:
    """Return pictures and annotations below a folder, by their path in it without ending, and without `suffix`."""
    found: dict[str, Place] = {}
    for name, place in tree.items():
        if name.startswith(f"{folder}/"):
            key, ending = split_ending(name[len(folder) + 1 :])
            if ending in (*SUFFIXES, ".json"):
                found.setdefault(key.removesuffix(suffix), place)
    return found


def split_ending(name: str) -> tuple[str, str]:
    """Return a path without its ending, and that in small letters: "a/b.JPG" → "a/b", ".jpg"."""
    stem, dot, ending = name.rpartition(".")
    return (stem, f".{ending.lower()}") if dot and "/" not in ending else (name, "")


def words_beside(tree: Tree, name: str) -> str:
    """Return the words in NAME.txt, for a name without ending."""
    place = tree.get(f"{name}.txt")
    return " ".join(place.read().decode("utf-8", "replace").split()) if place else ""


def words_of(stem: str) -> str:
    """Return what a file's name says, without numbers at its end: "red_apple-02" is "red apple", "IMG_0012" nothing."""
    text = re.sub(r"[\d\s_.()-]+$", "", stem)
    words = re.split(r"[\s_-]+", text)
    is_text = all(re.fullmatch(r"[a-z]+", word) and (len(word) < 3 or re.search(r"[aeiouy]", word)) for word in words)
    return " ".join(words) if is_text and any(len(word) >= 3 for word in words) else ""


def read_index(tree: Tree) -> dict[str, dict[str, str]]:
    """Return the rows of `index.csv` by their picture's name without ending, from a column `file` or `name`."""
    place = tree.get("index.csv")
    if place is None:
        return {}
    rows = list(csv.DictReader(io.StringIO(place.read().decode("utf-8"))))
    if rows and not {"file", "name"} & set(rows[0]):
        raise UsageError(f"{place} needs a column file or name")
    return {split_ending(row["file"])[0] if row.get("file") else row["name"]: row for row in rows}
