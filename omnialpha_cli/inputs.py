"""Find which files go in: names, globs, folders, sequences and lists become sources, each with its root.

Paths mirror below each input's root: the folder given, a quoted glob's fixed prefix, or, for listed files and
sequences, their common parent; or below one root for all, where it is given.
"""

import glob
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .files import TEMPORARY, Resolver, is_folder, path_below, real, spelled_out
from .media.sequence import Frame, as_pattern, find_frames, is_pattern, without_range
from .media.signatures import FILM_SUFFIXES, frames_of_film
from .status import UsageError

# What a walk through a folder picks up. Formats that cannot be read are here too: a picture that cannot be done
# is a failed item with its reason, never silently left out.
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".exr", ".hdr",
                    ".dpx", ".cin", ".cineon", ".tga", ".targa", ".jp2", ".psd", ".heic", ".heif", ".avif")  # fmt: skip
STATE_FOLDER = ".omnialpha"  # an output folder is known by it; what is in there is no result


@dataclass(frozen=True)
class Source:
    """Name one input file, spelt as the user did, and the folder below which its output path mirrors it.

    `walked` tells that it was found in a folder or by a glob, not named. `frame` is set for a file of a sequence.
    `spelled_out` is the absolute path, links not followed.
    """

    path: Path
    root: Path
    walked: bool = False
    frame: Frame | None = None
    spelled_out: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not self.spelled_out:
            object.__setattr__(self, "spelled_out", spelled_out(self.path))

    @property
    def fields(self) -> dict[str, str]:
        """Return what templates may use of it: `frame` is empty for a still, `stem` without the number for a frame."""
        return {
            "stem": self.frame.stem if self.frame else self.path.stem,
            "name": self.path.name,
            "ext": self.path.suffix[1:],
            "parent": os.path.basename(os.path.dirname(self.spelled_out)),  # noqa: PTH119, PTH120
            "frame": self.frame.number if self.frame else "",
        }

    @property
    def place(self) -> Path:
        """Return the folder of the file, relative to the root. Raises ValueError for one that is not below it."""
        return Path(path_below(self.spelled_out, self.root)).parent


@dataclass(frozen=True)
class Found:
    """Hold the input files in order, and remarks about what was left out."""

    sources: tuple[Source, ...]
    remarks: tuple[str, ...] = ()


def read_list(data: bytes, nul: bool) -> list[str]:
    """Read the names in a list file, one a line, or separated by NUL bytes; bytes that are not UTF-8 survive."""
    if not nul:
        data = data.replace(b"\r\n", b"\n")
    return [name for name in os.fsdecode(data).split("\0" if nul else "\n") if name]


def absolute(path: Path) -> Path:
    """Return the absolute path without `..`, by its letters alone: links are not followed, so that trees mirror."""
    return Path(spelled_out(path))


def find_inputs(
    names: Sequence[str],
    listed: Sequence[str] = (),
    *,
    output: Path,
    recursive: bool = False,
    frames: str | None = None,
    root: Path | None = None,
) -> Found:
    """Expand `names` (files, globs, folders, sequences) and `listed` (taken literally), each file once, in order.

    A named file that is missing, or a frame of `frames`, is kept: it becomes a failed item. Below a folder or a glob's
    fixed prefix the output folder and the output folders of other runs are left out. `root` is that of all. Raises
    UsageError for "-", for `frames` without a sequence, and for a file that is not below `root`.
    """
    found: list[tuple[Path, Path | None, Frame | None]] = []  # the root of listed files is known only when all are
    remarks = []
    for name in names:
        path = Path(name)
        if name == "-":
            raise UsageError("- is one picture on standard input, by itself; for a list of names give --files-from -")
        if is_folder(path):
            if same(path, output):
                remarks.append(f"{name} is the output folder, and was left out")
                continue
            others: Counter[str] = Counter()
            found += [(file, path, None) for file in _walk(path, output, recursive, remarks, others)]
            if others:
                remarks.append(f"{name}: {_describe_kinds(others)} are no pictures, and were left out")
        elif not os.path.lexists(name) and is_pattern(without_range(name)[0]):
            name, ranges = without_range(name)
            sequence, missing = find_frames(name, frames or ranges)
            found += [(frame.path, None, frame) for frame in sequence]
            if missing or not sequence:
                none = f"no frame of {name} is there{_advice(name)}"
                remarks.append(f"{name}: frames {missing} are missing" if missing else none)
        elif not os.path.lexists(name) and glob.has_magic(name):
            prefix = _fixed_prefix(name)
            matches = [file for file in _expand(name) if not _is_output(file, prefix, output)]
            found += [(file, prefix, None) for file in matches]
            if not matches:
                remarks.append(f"no file matches {name}{_advice(name)}")
        else:
            found.append((path, None, None))
    found += [(Path(name), None, None) for name in listed]
    if frames is not None and not any(frame for _, _, frame in found):
        raise UsageError("--frames needs a sequence among the inputs, named by a pattern such as shot.####.exr")

    texts = [spelled_out(path) for path, _, _ in found]
    common = root or _common_parent([text for text, (_, known, _) in zip(texts, found, strict=True) if known is None])
    inside = real(output).rstrip(os.sep) + os.sep
    top = "" if root is None else spelled_out(root).rstrip(os.sep) + os.sep
    around = is_folder(output) and below(output, common)  # else nothing that is listed is in it
    places = Resolver()
    sources: dict[str, Source] = {}
    for text, (path, known_root, frame) in zip(texts, found, strict=True):
        if known_root is None and around and places.real(text).startswith(inside):
            remarks.append(f"{path} is in the output folder, and was left out")
            continue
        source = Source(path, root or known_root or common, known_root is not None, frame, text)
        if not text.startswith(top):
            raise UsageError(f"{path} is not below --root {root}; name a folder above all inputs")
        sources.setdefault(text, source)
    return Found(tuple(sources.values()), tuple(remarks))


def same(a: Path, b: Path) -> bool:
    """Tell whether two paths lead to one place."""
    return real(a) == real(b)


def below(path: Path, folder: Path) -> bool:
    """Tell whether a path leads to a place inside a folder, at any depth."""
    return real(path).startswith(real(folder).rstrip(os.sep) + os.sep)


def _walk(
    folder: Path,
    output: Path,
    recursive: bool,
    remarks: list[str],
    others: Counter[str],
    above: frozenset[str] = frozenset(),
) -> Iterator[Path]:
    """Yield pictures of a folder in the order of their names, then those of its folders; links that lead back up end.

    What macOS puts beside files is passed over; in `others` the files that are no pictures are counted by suffix.
    """
    here = real(folder)
    if here in above:
        return
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
        folders = {entry for entry in entries if is_folder(entry)}
    except OSError as error:
        remarks.append(f"the folder {folder} cannot be read, and was left out: {error.strerror}")
        return
    for entry in entries:
        if entry in folders or _is_of_macos(entry) or entry.name.startswith(TEMPORARY):
            continue
        if entry.suffix.lower() in PICTURE_SUFFIXES:
            yield entry
        elif not entry.name.startswith("."):
            others[entry.suffix.lower() or "without a suffix"] += 1
    if recursive:
        for entry in entries:
            if entry not in folders or entry.name == STATE_FOLDER or _is_of_macos(entry):
                continue
            if not _holds_outputs(entry, output):
                yield from _walk(entry, output, recursive, remarks, others, above | {here})


def _is_of_macos(path: Path) -> bool:
    """Tell whether it is what macOS keeps of a file's attributes on other file systems and in archives."""
    return path.name.startswith("._") or "__MACOSX" in path.parts


def _advice(name: str) -> str:
    """Return how to write a sequence, for a name that is one in another program."""
    pattern = as_pattern(name)
    return f"; write a sequence as {pattern}" if pattern else ""


def _describe_kinds(others: Counter[str]) -> str:
    """Describe kinds of files and how many there are of each; of films, how pictures are made of them."""
    kinds = ", ".join(f"{count} {suffix}" for suffix, count in sorted(others.items()))
    films = [suffix for suffix in sorted(others) if suffix in FILM_SUFFIXES]
    return kinds + (f" (frames of a film: {frames_of_film(f'film{films[0]}')})" if films else "")


def _expand(pattern: str) -> list[Path]:
    """Return files that match a glob (`**` crosses folders), in the order of their names."""
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (Path.glob would match hidden files too)
    paths = (path for path in map(Path, matches) if not _is_of_macos(path))
    return [path for path in paths if not (is_folder(path) or path.name.startswith(TEMPORARY))]


def _fixed_prefix(pattern: str) -> Path:
    """Return the folders of a glob before the first one with a wildcard."""
    parts = Path(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[: min(fixed, len(parts) - 1)])


def _holds_outputs(folder: Path, output: Path) -> bool:
    return is_folder(folder / STATE_FOLDER) or same(folder, output)


def _is_output(file: Path, root: Path, output: Path) -> bool:
    """Tell whether a folder between `root` (exclusive) and the file is an output folder."""
    depth = len(file.relative_to(root).parts) - 1
    return any(_holds_outputs(folder, output) for folder in list(file.parents)[:depth])


def _common_parent(files: Sequence[str]) -> Path:
    """Return the deepest folder that holds all files, given by their absolute paths."""
    parents = {str(Path(folder)) for folder in set(map(os.path.dirname, files))}
    try:
        return Path(os.path.commonpath(parents)) if parents else Path()
    except ValueError as error:  # Windows: files on two drives
        raise UsageError("the listed files lie on several drives; make one run a drive") from error
