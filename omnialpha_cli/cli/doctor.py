"""`omnialpha doctor`."""

from collections.abc import Iterator

import typer

from .. import __version__
from ..status import ExitStatus, OmniAlphaError

EXAMPLES = """Examples:

omnialpha doctor

omnialpha doctor && omnialpha matte photos -o mattes"""

# Import name → distribution name.
NEEDED = {"torch": "torch", "numpy": "numpy", "OpenImageIO": "openimageio", "safetensors": "safetensors",
          "tokenizers": "tokenizers", "fileseq": "fileseq", "PIL": "pillow", "isal": "isal",
          "tifffile": "tifffile", "psdtags": "psdtags", "psd_tools": "psd-tools",
          "typer": "typer", "rich": "rich"}  # fmt: skip

Finding = tuple[str, str, ExitStatus]  # what, how it is, and the exit status if that is a fault


def doctor() -> None:
    """Say what is installed and found, what is missing, and the command that mends it. Exit code 0: all is well."""
    worst = ExitStatus.OK
    for what, how, status in (*_software(), *_machine(), *_weights()):
        typer.echo(f"{'ok  ' if status is ExitStatus.OK else 'BAD '} {what}: {how}")
        worst = max(worst, status)
    raise typer.Exit(worst)


def _software() -> Iterator[Finding]:
    import platform
    from importlib import import_module, metadata

    yield "omnialpha", f"{__version__}, Python {platform.python_version()} on {platform.platform()}", ExitStatus.OK
    for module, name in NEEDED.items():
        try:
            import_module(module)
            yield name, metadata.version(name), ExitStatus.OK
        except (ImportError, OSError, metadata.PackageNotFoundError) as error:
            yield name, f"{error}; mend it with: python -m pip install --force-reinstall {name}", ExitStatus.FAILED


def _machine() -> Iterator[Finding]:
    import os

    try:
        from ..batch.job import count_cores
        from ..picture.load import describe_devices
    except ImportError:
        return  # already told
    yield "cores", str(count_cores()), ExitStatus.OK
    if hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        page = os.sysconf("SC_PAGE_SIZE")
        total, free = (os.sysconf(name) * page / 2**30 for name in ("SC_PHYS_PAGES", "SC_AVPHYS_PAGES"))
        yield "memory", f"{total:.1f} GiB, {free:.1f} GiB of it free", ExitStatus.OK
    for name, description in describe_devices():
        yield f"device {name}", description, ExitStatus.OK


def _weights() -> Iterator[Finding]:
    from ..weights import store

    try:
        names = {store.EMBEDDED, *(one.name for one in store.known())}
    except OmniAlphaError as error:
        yield "weights", str(error), error.status
        return
    for name in sorted(names):
        try:
            one = store.find(name)
            if name != store.EMBEDDED and not one.present:
                yield f"weights {name}", f"not present; {one.mend}", ExitStatus.OK  # nobody has to have them
                continue
            one.verify()
            how = f"verified, in {one.folder}; trained on {', '.join(one.tasks) or 'no task'}"
            yield f"weights {name}", f"{how}; {one.caution}" if one.caution else how, ExitStatus.OK
        except OmniAlphaError as error:
            yield f"weights {name}", str(error), error.status
