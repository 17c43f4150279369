"""Check names: templates that users give, and paths of results: two of one name, outside of the output folder."""

import os
import re
import string
from collections.abc import Collection
from pathlib import Path

from .files import TEMPORARY, Resolver, exists, folded, is_folder, real, spelled_out
from .inputs import STATE_FOLDER, absolute
from .item import Item
from .status import UsageError

WIDTH = 255  # of a field, at most: that of a file name


def fields_of(template: str) -> set[str]:
    """Return the fields of a well-formed template. Raises ValueError."""
    return {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}


def check_template(template: str, known: Collection[str], option: str) -> None:
    """Raise UsageError, naming the option, on a malformed template or a field that is not known."""
    try:
        unknown = fields_of(template) - set(known)
        for _, field, spec, _ in string.Formatter().parse(template):
            if spec and ("{" in spec or any(int(number[:9]) > WIDTH for number in re.findall(r"\d+", spec))):
                raise ValueError(f"{{{field}:{spec}}} is wider than {WIDTH} characters")
    except ValueError as error:
        raise UsageError(f"{option} {template}: {error}") from error
    if unknown:
        names = ", ".join(f"{{{field}}}" for field in known)
        raise UsageError(f"{option} {template}: no field {{{min(unknown)}}}; there are {names}")


def checked(items: list[Item], output: Path, template: str | None) -> list[Item]:
    """Return the items. Raises UsageError where one of their outputs is refused.

    That is outside of the output folder, which may be new, of the name of an input, or, on file systems that ignore
    case too, of another item's.
    """
    if exists(output) and not is_folder(output):
        raise UsageError(f"the output {output} is a file; give a folder with -o")
    places = Resolver()
    inputs = {places.place(path): path for item in items for path in item.inputs}
    linked: dict[str, Path] | None = None  # inputs by where links lead, which matters where something is already
    taken: dict[str, Item] = {}
    inside: set[str] = set()  # folders
    lowest = set()
    for item in items:
        for path in item.files:
            text = spelled_out(path)
            folder, _, name = text.rpartition(os.sep)
            if name.startswith(TEMPORARY):
                raise UsageError(
                    f"{path}: names that begin with {TEMPORARY} are for temporary files; choose another name"
                )
            if folder not in inside:
                _refuse_outside(path, Path(folder + os.sep), output, template)
                inside.add(folder)
            place = places.place(text)
            source = inputs.get(place)
            if source is None and os.path.lexists(place):
                linked = linked or {places.real(one): given for one, given in inputs.items()}
                source = linked.get(place)
            if source:
                raise UsageError(f"{path} would overwrite the input {source}; choose another folder with -o")
            other = taken.setdefault(folded(text), item)
            if other is not item:
                raise UsageError(_clash(other, item, path))
        lowest.add(os.path.dirname(item.outputs[0]))  # noqa: PTH120
    for above in {parent for name in lowest for parent in (Path(name), *Path(name).parents)}:
        if file := taken.get(folded(spelled_out(above))):
            item = next(item for item in items if above in item.outputs[0].parents)
            raise UsageError(f"{above} would be the result of {file.label} and a folder for that of {item.label}; "
                             "tell them apart with --name")  # fmt: skip
    return items


def _refuse_outside(path: Path, folder: Path, output: Path, template: str | None) -> None:
    """Refuse a path whose folder is outside of the output folder (`..`, absolute, by a link), or the tool's own."""
    lexical = absolute(output)
    if folder.is_relative_to(lexical) and STATE_FOLDER in folder.relative_to(lexical).parts:
        raise UsageError(f"{path}: folders called {STATE_FOLDER} are for journals; choose another name")
    if not (folder.is_relative_to(lexical) and Path(real(folder)).is_relative_to(real(output))):
        because = "" if template is None else f"--name {template}: "
        raise UsageError(f"{because}{path} lies outside the output folder {lexical}")


def _clash(one: Item, other: Item, path: Path) -> str:
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
