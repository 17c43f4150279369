"""Run `omnialpha info`."""

from pathlib import Path
from typing import Annotated

import typer

from ..status import ExitStatus, NoInputsError
from .options import OUTPUT, option
from .streams import say

EXAMPLES = """Examples:

omnialpha info matte/portrait.png

omnialpha info matte/*.png --json | grep seed"""


def info(
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="Results: pictures, or a layers.json.")],
    json: Annotated[bool, option("--json", panel=OUTPUT, help="Print one JSON object a file.")] = False,
) -> None:
    """Print what made a file, and the command that makes it again, with INPUT and MASK for what it was given."""
    from ..media import provenance
    from ..media.signatures import check_file
    from ..status import ItemError
    from . import ndjson

    found = 0
    for file in files:
        try:
            check_file(file)
            record = provenance.read(file)
        except (ItemError, OSError) as error:
            say(f"omnialpha: {error}")
            continue
        if record is None:
            say(f"omnialpha: {file} does not say what made it: another program made it, or saved it since")
            continue
        found += 1
        untouched = provenance.is_untouched(file)
        values: dict[str, object] = {name: value for name, value in record.items() if name != "digest"}
        values = {provenance.PLACE: ""} | values | provenance.measures_of(record)
        again = provenance.command(record)
        if json:
            values = dict.fromkeys(provenance.MEASURES) | values
            line = {"file": str(file), **values, "untouched": untouched, "command": again}
            typer.echo(ndjson.line("info", line), nl=False)
        else:
            values = {name: value for name, value in values.items() if value or name != provenance.PLACE}
            rows = {**values, "edited": "no" if untouched else "since it was made", "command": again}
            typer.echo("\n".join((str(file), *(f"  {name}: {value}" for name, value in rows.items()))))
    if not found and not any(file.exists() for file in files):
        raise NoInputsError("none of the files exists")
    raise typer.Exit(ExitStatus.OK if found == len(files) else ExitStatus.FAILED)
