"""Run the commands that tell about the tool and its results: `tasks`, `info` and `doctor`."""

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated

import typer

from .. import __version__
from ..memory import free_memory
from ..status import ExitStatus, ItemError, NoInputsError, OmniAlphaError
from ..tasks import TASKS, Task, passes
from .options import OUTPUT, option
from .streams import record_line, say

EXAMPLES = {
    "tasks": ("omnialpha tasks", "omnialpha tasks --json | grep decompose"),
    "info": ("omnialpha info matte/portrait.png", "omnialpha info matte/*.png --json | grep seed"),
    "doctor": ("omnialpha doctor", "omnialpha doctor && omnialpha matte photos -o mattes"),
}

# Settings that are options of the commands by their own names.
OPTIONS = ("seed", "steps", "guidance", "canvas", "dtype", "format", "depth", "premultiplied", "exr_parts", "refine",
           "despill", "mask_slack", "effects", "grow", "flatten", "trim", "alpha_only", "steady",
           "quantize")  # fmt: skip

# Import name → distribution name.
NEEDED = {"torch": "torch", "numpy": "numpy", "OpenImageIO": "openimageio", "safetensors": "safetensors",
          "tokenizers": "tokenizers", "fileseq": "fileseq", "PIL": "pillow", "isal": "isal",
          "tifffile": "tifffile", "psdtags": "psdtags", "psd_tools": "psd-tools",
          "typer": "typer", "rich": "rich"}  # fmt: skip

# Extra → its modules, and what it is for.
EXTRAS = {"full": (("transformers", "huggingface_hub"), "the published weights"),
          "heic": (("pillow_heif",), "HEIC pictures"),
          "ray": (("ray",), "--ray"), "train": (("tensorboard",), "charts of trainings"),
          "parquet": (("pyarrow",), "data build from tables"),
          "judge": (("lpips", "torch_fidelity", "transformers"), "eval by networks")}  # fmt: skip

Finding = tuple[str, str, ExitStatus]  # what, how it is, and the exit status if that is a fault


def tasks(json: Annotated[bool, option("--json", panel=OUTPUT, help="Print one JSON object a task.")] = False) -> None:
    """List the tasks: what goes in, what comes out, and which weights do it: trained on it, or in two passes."""
    import dataclasses

    from ..weights import store

    weights = [one for one in store.known() if one.present]

    def able(task: Task, count: int) -> list[str]:
        return [one.name for one in weights if len(passes(task, one.tasks)) == count]

    rows = [(task, able(task, 1), able(task, 2)) for task in TASKS.values()]
    if json:
        for task, trained, in_two in rows:
            about = {**dataclasses.asdict(task), "trained": trained, "two_passes": in_two}
            typer.echo(record_line("task", about), nl=False)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("task", "in", "out", "done by", box=None, pad_edge=False)
    table.columns[0].no_wrap = True  # the names are what one copies
    for task, trained, in_two in rows:
        inputs = [*task.inputs, *["text"] * task.needs_text, *["any images"] * (task.command == "run")]
        known = [*trained, *["published"] * task.published, *(f"{name} in two passes" for name in in_two)]
        table.add_row(task.name, ", ".join(inputs), ", ".join(task.outputs), ", ".join(known) or "–")
    Console().print(table)


def info(
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="Results: pictures, or a layers.json.")],
    json: Annotated[bool, option("--json", panel=OUTPUT, help="Print one JSON object a file.")] = False,
) -> None:
    """Print what made a file, and the command that makes it again, with INPUT and MASK for what it was given."""
    from ..media import provenance
    from ..media.signatures import check_file

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
        again = command_of(record)
        if json:
            values = dict.fromkeys(provenance.MEASURES) | values
            line = {"file": str(file), **values, "untouched": untouched, "command": again}
            typer.echo(record_line("info", line), nl=False)
        else:
            values = {name: value for name, value in values.items() if value or name != provenance.PLACE}
            rows = {**values, "edited": "no" if untouched else "since it was made", "command": again}
            typer.echo("\n".join((str(file), *(f"  {name}: {value}" for name, value in rows.items()))))
    if not found and not any(file.exists() for file in files):
        raise NoInputsError("none of the files exists")
    raise typer.Exit(ExitStatus.OK if found == len(files) else ExitStatus.FAILED)


def command_of(record: Mapping[str, str]) -> str:
    """Return the command that makes the file again, with INPUT and the hint's kind for what it was given."""
    settings = json.loads(record["settings"])
    task, _, layers = record["task"].partition("/")
    name, _, kind = task.partition(".")
    words = ["omnialpha", name]
    if name == "generate":
        words += [_quoted(settings.get("text")), *(["--scene"] if kind == "scene" else [])]
    else:
        words.append("INPUT")
    if name == "complete":
        given, _, want = kind.partition("-")
        words += ["--given", given, "--want", want, "--prompt", _quoted(settings.get("text"))]
    elif kind == "text":
        words += ["--text", _quoted(settings.get("text"))]
    elif kind in ("trimap", "mask", "rough-mask", "background"):
        words += [f"--{kind}", kind.upper().replace("-", "_")]
    if settings.get("auto_layers"):
        words += ["--layers", "auto", "--max-layers", layers]
    elif layers:
        words += ["--layers", layers]
    if settings.get("width") and settings.get("height"):
        words += ["--size", f"{settings['width']}x{settings['height']}"]
    for setting in OPTIONS:
        value = settings.get(setting)
        if value is True:
            keeps = setting == "effects" and name == "matte"
            words.append("--keep-shadow" if keeps else "--" + setting.replace("_", "-"))
        elif value not in (None, False, 0, "guided") or (setting in ("seed", "trim") and value is not None):
            words += ["--" + setting.replace("_", "-"), shlex.quote(str(value))]
    return " ".join(words)


def _quoted(text: object) -> str:
    return "'" + str(text or "").replace("'", "'\\''") + "'"


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
