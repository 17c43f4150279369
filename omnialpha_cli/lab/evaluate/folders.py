"""Judge results of any tool in a folder by a folder with the truth, matched by their paths, without endings."""

import csv
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...imaging.hint import BACKGROUND, LUMINANCE
from ...inputs import PICTURE_SUFFIXES, STATE_FOLDER
from ...media.colour import SRGB, convert
from ...media.image import Image
from ...media.read import read_image
from ...status import ItemError, UsageError
from .judge import Distance, Judged, judge_layers, judge_matte, judge_removal
from .reconstruction import judge_reconstruction

Task = Literal["matting", "removal", "decomposition", "vae"]
Floats = NDArray[np.float32]

LAYERS = ("background", "foreground")
NUMBERED = re.compile(r"\d\d_")  # `omnialpha decompose` writes x/00_background.png, x/01_foreground.png


Make = Callable[[Path, Path | None], list[Image]]  # a source, its trimap or mask → results, in the order of the layers


@dataclass(frozen=True)
class Folders:
    """Say where to look. `names` leads from names in `predictions` to those in `truth`, where they differ.

    `predictions` may be a function instead, which makes them from `sources`. `trimaps` holds trimaps for matting, and
    for removal trimaps or masks of the object that was there.
    """

    predictions: Path | Make
    truth: Path
    sources: Path | None = None
    trimaps: Path | None = None
    names: Mapping[str, str] = field(default_factory=dict)


def read_names(path: Path) -> dict[str, str]:
    """Read the names of the truth by those of the results, from a CSV file; endings do not matter.

    A line has the truth's name and its result's. Several lines of one truth are for tools with names of their own.
    """
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except OSError as error:
        raise UsageError(f"--names {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"--names {path} is not UTF-8 text: {error.reason}") from error
    for number, row in enumerate(rows, 1):
        if len(row) != 2:
            raise UsageError(f"--names {path}, line {number}: expected the truth's name, a comma, and the result's")
    return {key(Path(found.strip())): key(Path(known.strip())) for known, found in rows}


def judge_folders(
    task: Task,
    folders: Folders,
    distance: Distance | None = None,
    add_pair: Callable[[Floats, Floats], None] | None = None,
) -> Iterator[Judged | ItemError]:
    """Return every picture of the truth in the order of their names; an ItemError for one that cannot be judged.

    `add_pair` gets result and truth (H, W, 4) of each, to judge them as sets. Raises UsageError where the truth holds
    no picture.
    """
    judge, data = JUDGES[task], task == "matting"
    roles = LAYERS if task == "decomposition" else ("",)
    known, predictions = find_files(folders.truth, roles), folders.predictions
    found = find_files(predictions, roles, folders.names) if isinstance(predictions, Path) else {}
    sources, trimaps = (find_files(folder, ("",)) if folder else {} for folder in (folders.sources, folders.trimaps))
    names = sorted({name for name, _ in known})
    if not names:
        wanted = " and ".join(f"NAME/{role} or NAME_{role}" for role in roles) if len(roles) > 1 else "pictures"
        raise UsageError(f"{folders.truth} holds no truth: expected {wanted}")
    for name in names:
        try:
            known_files = [one_file(known, (name, role), folders.truth) for role in roles]
            source_file = one_file(sources, (name, ""), folders.sources) if folders.sources else None
            trimap_file = one_file(trimaps, (name, ""), folders.trimaps) if folders.trimaps else None
            like = _ReadLike(read_image(known_files[0], data=data))
            truth = [like.truth, *(like(path, data) for path in known_files[1:])]
            source = None if source_file is None else like(source_file)
            trimap = None if trimap_file is None else like(trimap_file, data=True)
            if isinstance(predictions, Path):
                result = [like(one_file(found, (name, role), predictions), data) for role in roles]
            else:
                assert source_file is not None
                result = predictions(source_file, trimap_file)
            judged = judge(name, result, truth, source, trimap, distance)
            if add_pair is not None:
                add_pair(rgba(result[0]), rgba(truth[0]))
            yield judged
        except ItemError as error:
            yield error


@dataclass(frozen=True)
class _ReadLike:
    """Read pictures that have to have the truth's size."""

    truth: Image

    def __call__(self, path: Path, data: bool = False) -> Image:
        image = read_image(path, data=data)
        if image.size != self.truth.size:
            sizes = [f"{i.path} is {i.size[1]}×{i.size[0]}" for i in (image, self.truth)]
            raise ItemError("unsupported", f"{' but '.join(sizes)} pixels: both have to have the same size")
        return image


def find_files(
    folder: Path, roles: Iterable[str], names: Mapping[str, str] | None = None
) -> dict[tuple[str, str], list[Path]]:
    """Find pictures below a folder by (name, role): the name is the path without its ending, and without the role.

    `names` are other names for some.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder")
    files: dict[tuple[str, str], list[Path]] = {}
    for here, folders, entries in os.walk(folder):
        if STATE_FOLDER in folders:
            folders.remove(STATE_FOLDER)  # previews are no results
        for entry in entries:
            path = Path(here, entry)
            if path.suffix.lower() in PICTURE_SUFFIXES and (found := _split(path.relative_to(folder), roles)):
                name, role = found
                files.setdefault(((names or {}).get(name, name), role), []).append(path)
    return files


def _split(path: Path, roles: Iterable[str]) -> tuple[str, str] | None:
    for role in roles:
        if path.stem.endswith(role):
            stem = path.stem.removesuffix(role)
            if not role:
                return key(path), role
            alone = not stem or (NUMBERED.fullmatch(stem) and path.parent != Path())  # 07_background may be of 07
            return (path.parent if alone else path.parent / stem.rstrip("_-. ")).as_posix(), role
    return None


def key(path: Path) -> str:
    """Return a picture's name: its path without the ending of a picture file."""
    known = path.suffix.lower() in PICTURE_SUFFIXES
    return (path.with_suffix("") if known else path).as_posix()


def one_file(files: Mapping[tuple[str, str], list[Path]], wanted_key: tuple[str, str], folder: Path | None) -> Path:
    """Return the only picture of a name and role. Raises ItemError `missing`."""
    name, role = wanted_key
    matches = files.get(wanted_key, [])
    if len(matches) == 1:
        return matches[0]
    wanted = f"{name} ({role})" if role else name
    if not matches:
        raise ItemError("missing", f"{folder} has no picture {wanted}: make it, or map its name with --names")
    several = ", ".join(sorted(path.name for path in matches))
    raise ItemError("missing", f"{folder} has several pictures {wanted}: {several}; keep one")


def _matte(
    name: str, found: list[Image], known: list[Image], source: Image | None, trimap: Image | None, _: Distance | None
) -> Judged:
    alpha = matte_of(found[0])
    cut_out = alpha if found[0].alpha is None else np.dstack((srgb(found[0]), alpha))
    scene = None if source is None else srgb(source)
    return judge_matte(name, scene, cut_out, matte_of(known[0]), None if trimap is None else luminance(trimap))


def _removal(
    name: str,
    found: list[Image],
    known: list[Image],
    source: Image | None,
    trimap: Image | None,
    distance: Distance | None,
) -> Judged:
    scene = None if source is None else srgb(source)
    mask = None if trimap is None else luminance(trimap) >= BACKGROUND
    return judge_removal(name, scene, srgb(found[0]), srgb(known[0]), mask, distance)


def _layers(
    name: str, found: list[Image], known: list[Image], source: Image | None, _: Image | None, __: Distance | None
) -> Judged:
    scene = None if source is None else srgb(source)
    result, truth = ((rgba(background), rgba(foreground)) for background, foreground in (found, known))
    return judge_layers(name, scene, result, truth)


def _reconstruction(
    name: str, found: list[Image], known: list[Image], _: Image | None, __: Image | None, distance: Distance | None
) -> Judged:
    return judge_reconstruction(name, rgba(found[0]), rgba(known[0]), distance)


JUDGES: dict[Task, Callable[..., Judged]] = {
    "matting": _matte, "removal": _removal, "decomposition": _layers, "vae": _reconstruction,
}  # fmt: skip


def matte_of(image: Image) -> Floats:
    """Return the matte (H, W) in a cut-out's alpha, or in a picture that is a matte itself.

    A grey picture that is opaque throughout is such a matte, saved with an alpha channel that means nothing.
    """
    if image.alpha is None or (is_grey(image) and bool((image.alpha == 1).all())):
        return luminance(image)
    return image.alpha


def luminance(image: Image) -> Floats:
    """Return the luminance (H, W) of a picture in [0, 1]; of a grey one its values as they are."""
    values = image.rgb[..., 0] if is_grey(image) else image.rgb @ np.array(LUMINANCE, np.float32)
    return np.clip(np.nan_to_num(values, nan=0), 0, 1)


def is_grey(image: Image) -> bool:
    """Tell whether it has no colours."""
    return bool((image.rgb == image.rgb[..., :1]).all())


def srgb(image: Image) -> Floats:
    """Return colours (H, W, 3) as sRGB in [0, 1], whatever the file has: both sides are compared in one encoding."""
    return np.clip(np.nan_to_num(convert(image.rgb, image.encoding, SRGB), nan=0), 0, 1)


def rgba(image: Image) -> Floats:
    """Return straight RGBA (H, W, 4) in [0, 1], its colours as sRGB; opaque without an alpha channel."""
    alpha = np.ones(image.size, np.float32) if image.alpha is None else image.alpha
    return np.dstack((srgb(image), alpha))
