"""Complete words in a shell that are typed in part, where options do not list their values themselves."""

from contextlib import suppress
from pathlib import Path

from ..status import OmniAlphaError


def complete_weights(incomplete: str) -> list[str]:
    """Return names of weights, and folders, that begin so."""
    return [*complete_names(incomplete), *_folders(incomplete)]


def complete_names(incomplete: str) -> list[str]:
    """Return names of known weights that begin so."""
    from ..weights import store

    with suppress(OmniAlphaError):
        return [name for name in dict.fromkeys((store.EMBEDDED, *(one.name for one in store.known())))
                if name.startswith(incomplete)]  # fmt: skip
    return []


def _folders(incomplete: str) -> list[str]:
    parent, slash, start = incomplete.rpartition("/")
    with suppress(OSError, ValueError):
        entries = sorted(Path(f"{parent}{slash}").iterdir())
        return [f"{parent}{slash}{entry.name}/" for entry in entries if entry.name.startswith(start) and entry.is_dir()
                and (start or not entry.name.startswith("."))]  # fmt: skip
    return []
