"""Find which file is the hint (a trimap or a mask) of which input, while planning, without reading a pixel."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path

from .files import exists, is_folder, real
from .inputs import PICTURE_SUFFIXES, Source, below, same
from .media.sequence import is_pattern, spelt, without_range
from .names import check_template
from .status import ItemError, UsageError

HINT_FIELDS = ("stem", "name", "parent", "frame")
Hints = Mapping[Path, Path | ItemError]  # by the source's path; an ItemError where there is not exactly one


def find_hints(place: str, option: str, sources: Sequence[Source]) -> Hints:
    """Return the hint of every source. `place` is what the user gave with `option`, such as `--mask`.

    It is a file, a template with the `HINT_FIELDS`, a sequence (`roto.####.exr`) that has the frames of the inputs', or
    a folder that mirrors the inputs, where the hint has the input's stem. One file serves all inputs: those of other
    proportions fail when they are read. Raises UsageError for a place that does not exist.
    """
    path = Path(place)
    if not os.path.lexists(place):
        place, _ = without_range(place)
    if is_folder(path):
        if any(same(source.root, path) for source in sources):
            raise UsageError(f"{option} {place} is the folder of the inputs; give hints a folder of their own, or a "
                             f"template, for example {option} '{place.rstrip('/')}/{{stem}}_hint.png'")  # fmt: skip
        find = _in_folder(path, option)
    elif os.path.lexists(place):
        return {source.path: path for source in sources}
    elif "{" in place:  # a template, well-formed or not
        check_template(place, HINT_FIELDS, option)
        find = _by_name(place, option, lambda source: Path(place.format(**source.fields)))
    elif is_pattern(place):
        find = _by_name(place, option, lambda one: spelt(place, int(one.frame.number)) if one.frame else None)
    else:
        raise UsageError(f"{option} {place} does not exist")
    return {source.path: find(source) for source in sources}


def starting_at(place: str, sources: Sequence[Source]) -> set[Path]:
    """Return the frames that one hint file is made for, because its name ends in their number: none, or one a sequence.

    `mask.1003.png` is of frame 1003; `mask_v1003.png` is a version.
    """
    number = re.search(r"(?<![\dvV])\d+$", Path(place).stem)
    if number is None or not exists(Path(place)) or is_folder(Path(place)):
        return set()
    return {source.path for source in sources if source.frame and source.frame.number == number[0]}


def leave_out_hints(place: str, sources: Sequence[Source], hints: Hints) -> tuple[Source, ...]:
    """Leave out the sources that a walk or a glob found but that serve as hints."""
    serving = {real(hint) for path, hint in hints.items() if isinstance(hint, Path) and not same(hint, path)}
    folder = Path(place)

    def serves(source: Source) -> bool:
        if not source.walked:
            return False
        in_folder = is_folder(folder) and below(source.path, folder) and not below(source.root, folder)
        return in_folder or real(source.path) in serving

    return tuple(source for source in sources if not serves(source))


def _by_name(place: str, option: str, name: Callable[[Source], Path | None]) -> Callable[[Source], Path | ItemError]:
    def find(source: Source) -> Path | ItemError:
        hint = name(source)
        if hint is None:
            return ItemError("hint", f"{source.path} is no frame of a sequence ({option} {place})")
        if exists(hint):
            return hint
        return ItemError("hint", f"{source.path}: its hint {hint} does not exist ({option} {place})")

    return find


def _in_folder(folder: Path, option: str) -> Callable[[Source], Path | ItemError]:
    @cache
    def by_stem(place: Path) -> dict[str, list[Path]]:
        pictures: dict[str, list[Path]] = {}
        if is_folder(place):
            for file in sorted(place.iterdir()):
                if file.suffix.lower() in PICTURE_SUFFIXES:
                    pictures.setdefault(file.stem, []).append(file)
        return pictures

    def find(source: Source) -> Path | ItemError:
        place = folder / source.place
        try:
            found = by_stem(place).get(source.path.stem, [])
        except OSError as error:
            return ItemError("hint", f"{source.path}: {place} cannot be read: {error.strerror} ({option} {folder})")
        if len(found) == 1:
            return found[0]
        if not found:
            return ItemError("hint", f"{source.path}: no picture {source.path.stem} in {place} ({option} {folder})")
        names = ", ".join(file.name for file in found)
        return ItemError("hint", f"{source.path}: {len(found)} hints in {place}: {names}; leave one")

    return find
