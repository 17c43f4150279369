"""Run `omnialpha weights`, and complete names of weights in a shell."""

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from ..status import OmniAlphaError, UsageError, WeightsError
from ..weights.lock import LockedWeights
from .streams import counted, say

app = typer.Typer(
    no_args_is_help=True,
    help="List, fetch, verify, lock, import and remove weights.",
    epilog="Examples:\n\nomnialpha weights list\n\nomnialpha weights pull omnialpha",
)


def complete_weights(incomplete: str) -> list[str]:
    """Return names of weights, and folders, that begin so."""
    parent, slash, start = incomplete.rpartition("/")
    found = complete_names(incomplete)
    with suppress(OSError, ValueError):
        for entry in sorted(Path(f"{parent}{slash}").iterdir()):
            if entry.name.startswith(start) and entry.is_dir() and (start or not entry.name.startswith(".")):
                found.append(f"{parent}{slash}{entry.name}/")
    return found


def complete_names(incomplete: str) -> list[str]:
    """Return names of known weights that begin so."""
    from ..weights import store

    with suppress(OmniAlphaError):
        names = dict.fromkeys((store.EMBEDDED, *(one.name for one in store.known())))
        return [name for name in names if name.startswith(incomplete)]
    return []


Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAMES…]", help="By default all that are present.", autocompletion=complete_names),
]
Name = Annotated[str, typer.Argument(metavar="NAME", help="A name in weights.lock.", autocompletion=complete_names)]


@app.command(
    "list", epilog="Examples:\n\nomnialpha weights list\n\nOMNIALPHA_HOME=/data/weights omnialpha weights list"
)
def list_() -> None:
    """List the known weights: name, size, licence, and where they are."""
    from ..weights import store

    if fault := store.unreadable_home():
        say(f"warning: {fault}")
    for one in store.known():
        locked = one.locked
        assert locked is not None
        where = str(one.folder) if one.present else f"not present; {one.mend}"
        size = f"{locked.size / 1e6:.1f} MB" if locked.known else f"about {locked.size / 1e9:.1f} GB"
        typer.echo(f"{one.name}\t{size}\t{locked.licence}\t{locked.title}\t{where}")


@app.command(
    epilog="Examples:\n\nomnialpha weights pull omnialpha\n\n"
    "HF_TOKEN=hf_… OMNIALPHA_HOME=/data/weights omnialpha weights pull omnialpha"
)
def pull(name: Name) -> None:
    """Download weights from the Hugging Face hub; a pull that was ended goes on where it was.

    The variables of huggingface_hub hold: HF_TOKEN, HF_ENDPOINT, HF_HUB_OFFLINE. What weights.lock does not know of the
    files is recorded, and later loads are held to it.
    """
    from ..weights import hub, store

    one = store.find(name)
    if one.locked is None or not one.locked.sources:
        raise UsageError(f"weights {name} are not for downloading")
    got = hub.pull(one.locked, one.folder, say, store.hash_file)
    _record(got, one.locked)
    typer.echo(one.folder)


@app.command(epilog="Examples:\n\nomnialpha weights verify\n\nomnialpha weights verify mini && echo intact")
def verify(names: Names = None) -> None:
    """Read every file and check size and sha256 against weights.lock; exit code 4 if one differs."""
    from ..weights import store

    chosen = [store.find(name) for name in names or []] or [one for one in store.known() if one.present]
    if not chosen:
        raise WeightsError("no weights are present (see `omnialpha weights list`)")
    for one in chosen:
        if one.locked is None:
            raise UsageError(f"{one.folder} is not in weights.lock, so there is nothing to check it against")
        one.verify(anew=True)
        typer.echo(f"{one.name}: {counted(len(one.locked.files), 'file')} as locked")


@app.command(epilog='Examples:\n\nomnialpha weights path mini\n\nls -l "$(omnialpha weights path mini)"')
def path(name: Name) -> None:
    """Print the folder of some weights."""
    from ..weights import store

    typer.echo(store.find(name).folder)


@app.command(
    "import",
    epilog="Examples:\n\nomnialpha weights import ~/Qwen-Image-Edit-2509 ~/omnialpha/rgba_vae ~/lora\n\n"
    "omnialpha weights import ComfyUI/models/diffusion_models/qwen_image_edit_2509_bf16.safetensors",
)
def import_(
    places: Annotated[list[Path], typer.Argument(
        metavar="PLACES…", help="Folders in the published layout or of one part of it, or single safetensors files.")],
    name: Annotated[str, typer.Option("--name", metavar="NAME", help="The weights that it belongs to.")] = "omnialpha",
) -> None:  # fmt: skip
    """Use weights that are on this machine already, by links, without copying; may be repeated part by part.

    Base, VAE and LoRA may lie in three places. Once all parts are there their hashes are recorded, and later loads are
    held to them.
    """
    from ..weights import importing, store
    from ..weights.lock import lock_folder

    if gone := [place for place in places if not place.exists()]:
        raise UsageError(f"{gone[0]} does not exist")
    one = store.find(name)
    if one.locked is None or not one.locked.sources:
        raise UsageError(f"weights {name} are not for importing")
    for place in places:
        for part in importing.link(place, one.folder):
            typer.echo(f"{part}: {one.folder / part}")
    if missing := importing.missing_parts(one.folder, one.locked):
        say(f"still missing: {', '.join(missing)}; import them too, or get them with: {one.mend}")
        return
    say("hashing all files, once")
    got = lock_folder(one.folder, name, one.locked.title, one.locked.licence, store.hash_file)
    _record(got, one.locked)


@app.command(epilog="Examples:\n\nomnialpha weights remove omnialpha\n\nomnialpha weights list")
def remove(name: Name) -> None:
    """Delete weights that were pulled, or the links of those that were imported; what was recorded of them stays."""
    from ..weights import store

    one = store.find(name)
    if one.locked is None or not one.locked.sources:
        raise UsageError(f"weights {name} were not pulled or imported, so they are not removed")
    if not one.folder.exists():
        raise WeightsError(f"weights {name} are not here")
    shutil.rmtree(one.folder)  # what its links point to stays
    typer.echo(one.folder)


@app.command(
    epilog="Examples:\n\nomnialpha weights lock omnialpha\n\n"
    "omnialpha weights lock studio --folder runs/studio --title 'Studio mattes' --licence Apache-2.0"
)
def lock(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The table of weights.lock to write.")],
    folder: Annotated[Path | None, typer.Option(
        "--folder", metavar="DIR", help="Folder to lock; by default where weights of that name belong.")] = None,
    title: Annotated[str | None, typer.Option(help="What they are; by default as it is in weights.lock.")] = None,
    licence: Annotated[str | None, typer.Option(help="SPDX identifier; by default as it is in weights.lock.")] = None,
) -> None:  # fmt: skip
    """Write size and sha256 of every file that is there now: later loads are held to them.

    Of weights that can be pulled they are recorded in the home folder, of others in weights.lock (for developers).
    """
    from ..weights import store
    from ..weights.lock import lock_folder, lock_path, read_lock, write_lock

    file = lock_path()
    tables = read_lock(file)
    known = tables.get(name)
    if known is None and not (title and licence):
        raise UsageError(f"{name} is new in weights.lock: give --title and --licence")
    title, licence = title or (known.title if known else ""), licence or (known.licence if known else "")
    table = lock_folder(folder or store.folder_of(name), name, title, licence)
    if known and known.sources:
        file = store.record(table)
    else:
        write_lock(file, {**tables, name: table})
    typer.echo(f"{name}: {counted(len(table.files), 'file')}, {table.size / 1e6:.1f} MB, written to {file}")


def _record(got: LockedWeights, before: LockedWeights) -> None:
    """Keep what is known now, and say what was not known before."""
    from ..weights import store

    known = {file.path for file in before.files if file.known}
    new = [file for file in got.files if file.path not in known]
    if new:
        where = store.record(got)
        what = counted(len(new), "file")
        say(f"weights.lock knew no sha256 of {what}; recorded in {where}, and later loads are held to it")
