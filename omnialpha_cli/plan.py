"""Which files go in, and where each result comes out: inputs + a task → a list of items. No pixels, no torch.

Paths mirror below each input's root: the folder given, a quoted glob's fixed prefix, or, for listed files, their
common parent. `photos` with `photos/a/x.jpg` in it becomes `<output>/a/x.png`.
"""

import glob
import os
import string
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .status import ItemError, UsageError

# What a walk through a folder picks up. Formats that cannot be read are here too: a picture that cannot be done
# is a failed item with its reason, never silently left out.
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".exr", ".hdr",
                    ".dpx", ".jp2", ".psd", ".heic", ".heif", ".avif")  # fmt: skip
STATE_FOLDER = ".omnialpha"  # an output folder is known by it
NAME_FIELDS = ("stem", "name", "ext", "parent", "index")


@dataclass(frozen=True)
class Source:
    """One input file, spelt as the user did, and the folder below which its output path mirrors it."""

    path: Path
    root: Path


@dataclass(frozen=True)
class Found:
    """The input files in order, and remarks about what was left out."""

    sources: tuple[Source, ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Item:
    """One unit of work: `inputs` in the order of the task's, `outputs` bottom layer first.

    `error` is set where planning already knows that the item cannot be done.
    """

    task: str
    inputs: tuple[Path, ...]
    outputs: tuple[Path, ...]
    error: ItemError | None = None


def read_list(data: bytes, nul: bool) -> list[str]:
    """Names in a list file, one a line, or separated by NUL bytes; bytes that are not UTF-8 survive."""
    return [os.fsdecode(name) for name in data.split(b"\0" if nul else b"\n") if name]


def absolute(path: Path) -> Path:
    """The absolute path without `..`, by its letters alone: links are not followed, so that trees mirror as seen."""
    return Path(os.path.normpath(Path.cwd() / path))


def find_inputs(
    names: Sequence[str], listed: Sequence[str] = (), *, output: Path, recursive: bool = False
) -> Found:
    """Expand `names` (files, globs, folders) and `listed` (taken literally), each file once, in order.

    A named file that is missing is kept: it becomes a failed item. Below a folder or a glob's fixed prefix the output
    folder and the output folders of other runs are left out.
    """
    found: list[tuple[Path, Path | None]] = []  # the root of listed files is known only when all are
    remarks = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            if _same(path, output):
                remarks.append(f"{name} is the output folder, and was left out")
                continue
            found += [(file, path) for file in _walk(path, output, recursive)]
        elif glob.has_magic(name) and not os.path.lexists(name):
            root = _fixed_prefix(name)
            matches = [file for file in _expand(name) if not _is_output(file, root, output)]
            found += [(file, root) for file in matches]
            if not matches:
                remarks.append(f"no file matches {name}")
        else:
            found.append((path, None))
    found += [(Path(name), None) for name in listed]

    common = _common_parent([path for path, root in found if root is None])
    sources: dict[Path, Source] = {}
    for path, known_root in found:
        if known_root is None and _below(path, output) and _below(output, common):
            remarks.append(f"{path} is in the output folder, and was left out")
            continue
        sources.setdefault(absolute(path), Source(path, known_root or common))
    return Found(tuple(sources.values()), tuple(remarks))


def plan(
    sources: Iterable[Source], task: str, *, output: Path, template: str = "{stem}", suffix: str = ".png"
) -> list[Item]:
    """Give every source its output path; raise UsageError on a clash, or on a path that leaves the output folder."""
    _check_template(template)
    if output.exists() and not output.is_dir():
        raise UsageError(f"the output {output} is a file; give a folder with -o")
    items = []
    inside = _Inside(output)
    for index, source in enumerate(sources):
        path = output / _mirrored(source, template, suffix, index)
        inside.check(path, template)
        items.append(Item(task, (source.path,), (path,), _missing(source.path)))
    _refuse_clashes(items)
    return items


def _walk(folder: Path, output: Path, recursive: bool, above: frozenset[str] = frozenset()) -> Iterator[Path]:
    """Pictures of a folder in the order of their names, then those of its folders; links that lead back up end."""
    here = os.path.realpath(folder)
    if here in above:
        return
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(f"cannot read the folder {folder}: {error.strerror}") from error
    folders = [entry for entry in entries if entry.is_dir()]
    yield from (entry for entry in entries if entry.suffix.lower() in PICTURE_SUFFIXES and entry not in folders)
    if recursive:
        for entry in folders:
            if not _holds_outputs(entry, output):
                yield from _walk(entry, output, recursive, above | {here})


def _expand(pattern: str) -> list[Path]:
    """Files that match a glob (`**` crosses folders), in the order of their names."""
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 (Path.glob would match hidden files too)
    return [path for path in map(Path, matches) if not path.is_dir()]


def _fixed_prefix(pattern: str) -> Path:
    """The folders of a glob before the first one with a wildcard."""
    parts = Path(pattern).parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return Path(*parts[: min(fixed, len(parts) - 1)])


def _holds_outputs(folder: Path, output: Path) -> bool:
    return (folder / STATE_FOLDER).is_dir() or _same(folder, output)


def _is_output(file: Path, root: Path, output: Path) -> bool:
    """Whether a folder between `root` (exclusive) and the file is an output folder."""
    depth = len(file.relative_to(root).parts) - 1
    return any(_holds_outputs(folder, output) for folder in list(file.parents)[:depth])


def _same(a: Path, b: Path) -> bool:
    return os.path.realpath(a) == os.path.realpath(b)


def _below(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(folder)) in Path(os.path.realpath(path)).parents


def _common_parent(files: Sequence[Path]) -> Path:
    parents = {absolute(file).parent for file in files}
    try:
        return Path(os.path.commonpath(parents)) if parents else Path()
    except ValueError as error:  # Windows: files on two drives
        raise UsageError("the listed files lie on several drives; make one run a drive") from error


def _missing(path: Path) -> ItemError | None:
    if path.exists():
        return None
    broken = path.is_symlink()
    return ItemError("missing", f"{path} {'is a link to a file that is not there' if broken else 'does not exist'}")


def _check_template(template: str) -> None:
    try:
        fields = [field for _, field, _, _ in string.Formatter().parse(template) if field is not None]
    except ValueError as error:
        raise UsageError(f"--name {template}: {error}") from error
    if unknown := [field for field in fields if field not in NAME_FIELDS]:
        known = ", ".join(f"{{{field}}}" for field in NAME_FIELDS)
        raise UsageError(f"--name has no field {{{unknown[0]}}}; it knows {known}")


def _mirrored(source: Source, template: str, suffix: str, index: int) -> Path:
    """Path below the output folder. The template names the file within the mirrored folder."""
    path = source.path
    folder = absolute(path).parent
    try:
        name = template.format(stem=path.stem, name=path.name, ext=path.suffix[1:], parent=folder.name, index=index)
    except ValueError as error:
        raise UsageError(f"--name {template}: {error}") from error
    return folder.relative_to(absolute(source.root)) / (name if name.lower().endswith(suffix) else name + suffix)


class _Inside:
    """Refuses output paths that leave the output folder, by `..`, by an absolute name, or through a link."""

    def __init__(self, output: Path):
        self.lexical, self.real = absolute(output), Path(os.path.realpath(output))
        self.known: set[Path] = set()  # parents already found to be inside

    def check(self, path: Path, template: str) -> None:
        parent = absolute(path).parent
        if parent in self.known:
            return
        for place, folder in ((parent, self.lexical), (Path(os.path.realpath(parent)), self.real)):
            if not place.is_relative_to(folder):
                raise UsageError(f"--name {template}: {path} lies outside the output folder {self.lexical}")
        self.known.add(parent)


def _refuse_clashes(items: Iterable[Item]) -> None:
    """Two results under one name, also where only a file system that ignores case would see it; or an input's name."""
    items = list(items)
    inputs = {os.path.realpath(path): path for item in items for path in item.inputs}
    taken: dict[str, Path] = {}
    for item in items:
        for path in item.outputs:
            if source := inputs.get(os.path.realpath(path)):
                raise UsageError(f"{path} would overwrite the input {source}; choose another folder with -o")
            key = unicodedata.normalize("NFC", str(absolute(path))).casefold()
            if key in taken:
                raise UsageError(
                    f"{taken[key]} and {item.inputs[0]} would both be written to {path}; "
                    "tell them apart with --name, for example --name '{stem}_{ext}'"
                )
            taken[key] = item.inputs[0]
