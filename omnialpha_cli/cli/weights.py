"""`omnialpha weights`."""

from pathlib import Path
from typing import Annotated

import typer

from ..status import UsageError, WeightsError

app = typer.Typer(
    no_args_is_help=True,
    help="List, verify and lock weights.",
    epilog="Examples:\n\nomnialpha weights list\n\nomnialpha weights verify mini",
)

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAMES…]", help="By default all that are present.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A name in weights.lock.")]


@app.command(
    "list", epilog="Examples:\n\nomnialpha weights list\n\nOMNIALPHA_HOME=/data/weights omnialpha weights list"
)
def list_() -> None:
    """List the known weights: name, size, licence, and where they are."""
    from ..weights import store

    for one in store.known():
        locked = one.locked
        assert locked is not None
        where = str(one.folder) if one.present else f"not present; {one.mend}"
        typer.echo(f"{one.name}\t{locked.size / 1e6:.1f} MB\t{locked.licence}\t{locked.title}\t{where}")


@app.command(epilog="Examples:\n\nomnialpha weights verify\n\nomnialpha weights verify mini && echo intact")
def verify(names: Names = None) -> None:
    """Check size and sha256 of every file against weights.lock; exit code 4 if one differs."""
    from ..weights import store

    chosen = [store.find(name) for name in names or []] or [one for one in store.known() if one.present]
    if not chosen:
        raise WeightsError("no weights are present (see `omnialpha weights list`)")
    for one in chosen:
        if one.locked is None:
            raise UsageError(f"{one.folder} is not in weights.lock, so there is nothing to check it against")
        one.verify()
        typer.echo(f"{one.name}: {len(one.locked.files)} files as locked")


@app.command(epilog='Examples:\n\nomnialpha weights path mini\n\nls -l "$(omnialpha weights path mini)"')
def path(name: Name) -> None:
    """Print the folder of some weights."""
    from ..weights import store

    typer.echo(store.find(name).folder)


@app.command(
    epilog="Examples:\n\nomnialpha weights lock mini\n\n"
    "omnialpha weights lock studio --folder runs/studio --title 'Studio mattes' --licence Apache-2.0"
)
def lock(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The table of weights.lock to write.")],
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder to lock; by default where weights of that name belong.")
    ] = None,
    title: Annotated[str | None, typer.Option(help="What they are; by default as it is in weights.lock.")] = None,
    licence: Annotated[str | None, typer.Option(help="SPDX identifier; by default as it is in weights.lock.")] = None,
) -> None:
    """Write size and sha256 of every file of a weights folder into weights.lock (for developers)."""
    from ..weights.lock import lock_folder, lock_path, read_lock, write_lock
    from ..weights.store import folder_of

    file = lock_path()
    tables = read_lock(file)
    known = tables.get(name)
    if known is None and not (title and licence):
        raise UsageError(f"{name} is new in weights.lock: give --title and --licence")
    tables[name] = lock_folder(
        folder or folder_of(name),
        name,
        title or (known.title if known else ""),
        licence or (known.licence if known else ""),
    )
    write_lock(file, tables)
    typer.echo(f"{name}: {len(tables[name].files)} files, {tables[name].size / 1e6:.1f} MB, written to {file}")
