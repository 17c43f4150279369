"""Run `omnialpha doctor`."""

from collections.abc import Iterator

import typer

from .. import __version__
from ..memory import free_memory
from ..status import ExitStatus, OmniAlphaError

EXAMPLES = """Examples:

omnialpha doctor

omnialpha doctor && omnialpha matte photos -o mattes"""

# Import name → distribution name.
NEEDED = {"torch": "torch", "numpy": "numpy", "OpenImageIO": "openimageio", "safetensors": "safetensors",
          "tokenizers": "tokenizers", "fileseq": "fileseq", "PIL": "pillow", "isal": "isal",
          "tifffile": "tifffile", "psdtags": "psdtags", "psd_tools": "psd-tools",
          "typer": "typer", "rich": "rich"}  # fmt: skip

# Extra → its modules, and what it is for.
EXTRAS = {"full": (("transformers", "huggingface_hub"), "the published weights"),
          "refine": (("pymatting", "scipy"), "--refine laplacian"), "heic": (("pillow_heif",), "HEIC pictures"),
          "ray": (("ray",), "--ray"), "train": (("tensorboard",), "charts of trainings"),
          "parquet": (("pyarrow",), "data build from tables"),
          "judge": (("lpips", "torch_fidelity", "transformers"), "eval by networks")}  # fmt: skip

Finding = tuple[str, str, ExitStatus]  # what, how it is, and the exit status if that is a fault


def doctor() -> None:
    """Say what is installed and found, what is missing, and the command that mends it. Exit code 0: all is well."""
    worst = ExitStatus.OK
    for what, how, status in (*_software(), *_extras(), *_machine(), *_weights()):
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


def _extras() -> Iterator[Finding]:
    """Say which extras are installed: nobody has to have one."""
    from importlib.util import find_spec

    for name, (modules, purpose) in EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        get = f'not installed; get it with: pip install "omnialpha[{name}]"'
        yield f"extra {name} ({purpose})", get if missing else "installed", ExitStatus.OK


def _machine() -> Iterator[Finding]:
    try:
        from ..batch.job import count_cores
        from ..media.ocio import describe_config
        from ..picture.load import describe_devices
    except ImportError:
        return  # already told
    yield "cores", str(count_cores()), ExitStatus.OK
    if (free := free_memory()) is not None:
        how = f"{free / 2**30:.1f} GiB may be taken, within the limits of the machine, the container and the process"
        yield "memory", how, ExitStatus.OK
    for name, description in describe_devices():
        yield f"device {name}", description, ExitStatus.OK
    try:
        yield "OCIO", describe_config(), ExitStatus.OK
    except OmniAlphaError as error:
        yield "OCIO", f"{error}; set OCIO to another, or to none", error.status


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
