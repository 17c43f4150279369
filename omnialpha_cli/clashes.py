"""Refuse output paths: two results under one name, those outside of the output folder, the tool's own."""

import os
import unicodedata
from pathlib import Path
from typing import Protocol, TypeVar

from .files import TEMPORARY, Resolver, real, spelled_out
from .inputs import STATE_FOLDER, absolute
from .status import UsageError


class Planned(Protocol):
    """Describe what of an item is checked; `plan.Item` is one."""

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Return the files that it is made of."""

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Return the files of its layers, at least one."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Return all files that it makes."""

    @property
    def label(self) -> Path:
        """Return what it is called in messages."""


P = TypeVar("P", bound=Planned)


def checked(items: list[P], output: Path, template: str | None) -> list[P]:
    """Return the items. Raises UsageError where one of their outputs is refused.

    That is outside of the output folder, of the name of an input, or, on file systems that ignore case too, of
    another item's.
    """
    inside, places = _Inside(output, template), Resolver()
    inputs = {places.place(path): path for item in items for path in item.inputs}
    linked: dict[str, Path] | None = None  # inputs by where links lead, which matters where something is already
    taken: dict[str, P] = {}
    lowest = set()
    for item in items:
        for path in item.files:
            text = spelled_out(path)
            inside.check(path, text)
            place = places.place(text)
            source = inputs.get(place)
            if source is None and os.path.lexists(place):
                linked = linked or {places.real(one): given for one, given in inputs.items()}
                source = linked.get(place)
            if source:
                raise UsageError(f"{path} would overwrite the input {source}; choose another folder with -o")
            other = taken.setdefault(_key(text), item)
            if other is not item:
                raise UsageError(_clash(other, item, path))
        lowest.add(os.path.dirname(item.outputs[0]))  # noqa: PTH120
    for folder in {parent for name in lowest for parent in (Path(name), *Path(name).parents)}:
        if file := taken.get(_key(spelled_out(folder))):
            item = next(item for item in items if folder in item.outputs[0].parents)
            raise UsageError(f"{folder} would be the result of {file.label} and a folder for that of {item.label}; "
                             "tell them apart with --name")  # fmt: skip
    return items


class _Inside:
    """Refuse output paths outside of the output folder (`..`, absolute, by a link), and names of the tool's own."""

    def __init__(self, output: Path, template: str | None):
        self.lexical, self.real, self.template = absolute(output), Path(real(output)), template
        self.known: set[str] = set()  # parents already found to be inside

    def check(self, path: Path, text: str) -> None:
        """Check one path, whose `text` is spelt out."""
        folder, _, name = text.rpartition(os.sep)
        if name.startswith(TEMPORARY):
            raise UsageError(f"{path}: names that begin with {TEMPORARY} are for temporary files; choose another name")
        if folder in self.known:
            return
        parent = Path(folder + os.sep)
        if STATE_FOLDER in parent.relative_to(self.lexical).parts if parent.is_relative_to(self.lexical) else ():
            raise UsageError(f"{path}: folders called {STATE_FOLDER} are for journals; choose another name")
        for place, inside in ((parent, self.lexical), (Path(real(parent)), self.real)):
            if not place.is_relative_to(inside):
                because = "" if self.template is None else f"--name {self.template}: "
                raise UsageError(f"{because}{path} lies outside the output folder {self.lexical}")
        self.known.add(folder)


def _key(text: str) -> str:
    return text.lower() if text.isascii() else unicodedata.normalize("NFC", text).casefold()


def _clash(one: Planned, other: Planned, path: Path) -> str:
    if not one.inputs:
        return f"two prompts would both be written to {path}; use {{index}} and {{seed}} in --name"
    return (
        f"{one.label} and {other.label} would both be written to {path}; "
        f"tell them apart with --name, for example --name '{_distinct_name(one.inputs[0], other.inputs[0])}'"
    )


def _distinct_name(one: Path, other: Path) -> str:
    """Return a template that gives two pictures different names: by what differs, which says more than a number."""
    if one.suffix.casefold() != other.suffix.casefold():
        return "{stem}_{ext}"
    return "{parent}_{stem}" if one.parent.name.casefold() != other.parent.name.casefold() else "{stem}_{index}"
