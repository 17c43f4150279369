"""Fill templates of names: text with `{field}`s, given by the user."""

import re
import string
from collections.abc import Collection

from .status import UsageError

WIDTH = 255  # of a field, at most: that of a file name


def is_template(text: str) -> bool:
    """Tell whether a text has a `{field}`, well-formed or not."""
    return "{" in text


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
