"""Define the options that several commands share, each once, and the panels that `--help` shows them in.

Every option has an environment variable: `--batch-size` is `OMNIALPHA_BATCH_SIZE`; a file may give them too (`config`).
"""

import copy
import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import typer
from typer.core import TyperOption
from typer.models import OptionInfo

from ..picture.settings import OutputOptions, Sampling, SourceOptions
from .config import read_config
from .settings import INPUTS, MODEL, OUTPUT, PANELS, RUN, SETTINGS, option
from .weights import complete_weights

# What `--help` shows of the commands that make pictures; `--help-all` shows the rest, and the environment variables.
COMMON = {
    "recursive", "text", "trimap", "mask", "background", "prompt", "given", "want", "scene", "count", "size", "layers",
    "effects", "alpha_only", "keep_shadow", "output", "format", "preview", "model", "device", "dry_run",
    "help_all",
}  # fmt: skip


Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="INPUTS",
        help="Pictures, globs (quoted or not), folders, or sequences such as shot.####.png; or - alone: one picture on "
        "standard input, its result on standard output.",
        show_default=False,
    ),
]


def show_all_options(context: typer.Context, wanted: bool) -> None:
    """Print the help with every option and its environment variable, and exit."""
    if not wanted:
        return
    options = [one for one in context.command.params if isinstance(one, TyperOption)]
    before = [(one.hidden, one.show_envvar) for one in options]
    for one in options:
        one.hidden, one.show_envvar = False, one.name not in ("help", "help_all")
    typer.echo(context.get_help())
    for one, shown in zip(options, before, strict=True):
        one.hidden, one.show_envvar = shown
    raise typer.Exit


# The options are a table: one a row where it fits.
# fmt: off
@dataclass(frozen=True)
class InputOptions(SourceOptions):
    """Choose how commands that take pictures find them."""

    recursive: Annotated[bool, option(
        "--recursive", "-r", panel=INPUTS, help="Also walk the folders in a folder.")] = False
    files_from: Annotated[Path | None, option(
        "--files-from", panel=INPUTS, metavar="FILE", allow_dash=True,
        help="Read more names from FILE, one a line; - is standard input.")] = None
    nul: Annotated[bool, option(
        "--null", "-0", panel=INPUTS, help="Names in --files-from end with a NUL byte.")] = False
    frames: Annotated[str | None, option(
        "--frames", panel=INPUTS, metavar="RANGES",
        help="Frames of a sequence, such as 1001-1100x2; by default all that are there.")] = None
    root: Annotated[Path | None, option(
        "--root", panel=INPUTS, metavar="DIR", show_default=False,
        help="Folder below which all inputs lie, and results mirror their paths, whatever else is in the call.")] = None
    watch: Annotated[bool, option(
        "--watch", panel=INPUTS,
        help="Go on with new and changed files in the folders given, once they are whole, until Ctrl-C or SIGTERM.")
    ] = False
    max_pixels: Annotated[float, option(
        "--max-pixels", panel=INPUTS, min=1e-6, metavar="MEGAPIXELS",
        help="Refuse larger pictures, which would fill the memory.")] = 300.0


@dataclass(frozen=True)
class HintOptions:
    """Name what the user knows of the object: at most one. A place is a file, a template, or a folder."""

    text: Annotated[str | None, option(
        "--text", panel=INPUTS, metavar="TEXT", help="The object, in words.")] = None
    trimap: Annotated[str | None, option(
        "--trimap", panel=INPUTS, metavar="PLACE",
        help="Trimaps: white the object, black the rest, grey unknown. A file, a template with {stem}, {name}, "
             "{parent} and {frame}, or a folder that mirrors the inputs. One serves all of its shape.")] = None
    mask: Annotated[str | None, option(
        "--mask", panel=INPUTS, metavar="PLACE", help="Masks, white the object; as for --trimap.")] = None
    rough_mask: Annotated[str | None, option(
        "--rough-mask", panel=INPUTS, metavar="PLACE", help="Masks of the rough place; as for --trimap.")] = None
    anyway: Annotated[bool, option(
        "--anyway", panel=INPUTS, help="Where nothing looks like --text, take the likeliest part; else the item fails.")
    ] = False


@dataclass(frozen=True)
class MatteHints(HintOptions):
    """Name what the user knows of the object, or a clean plate."""

    background: Annotated[str | None, option(
        "--background", panel=INPUTS, metavar="PLACE",
        help="Clean plates: the same pictures without the object; as for --trimap.")] = None


@dataclass(frozen=True)
class Bounds:
    """Choose what bounds the alpha of a matte."""

    hold_out: Annotated[str | None, option(
        "--hold-out", panel=INPUTS, metavar="PLACE",
        help="Mattes of what is kept out: nothing of it is in the result. A place as for --trimap.")] = None
    core: Annotated[str | None, option(
        "--core", panel=INPUTS, metavar="PLACE",
        help="Mattes of what is inside: all of it is in the result. A place as for --trimap.")] = None


@dataclass(frozen=True)
class Options(Sampling, OutputOptions):
    """Choose what every command that makes pictures takes."""

    output: Annotated[Path | None, option(
        "--output", "-o", panel=OUTPUT, metavar="DIR", show_default=False,
        help="Folder for the results; by default named after the command.")] = None
    name: Annotated[str | None, option(
        "--name", panel=OUTPUT, metavar="TEMPLATE", show_default=False,
        help="Name of a result, from {stem}, {name}, {ext}, {parent}, {frame} and {index}; of what is made from words "
             "alone, from {index} and {seed}.")] = None
    compression: Annotated[Literal["none", "fast", "small"], option(
        "--compression", panel=OUTPUT, help="Lossless all three; small takes much longer.")] = "fast"
    overwrite: Annotated[bool, option(
        "--overwrite", panel=OUTPUT, help="Replace files that other settings or programs made.")] = False
    preview: Annotated[bool, option(
        "--preview", panel=OUTPUT,
        help="Also draw a contact sheet of each result, as JPEG, in .omnialpha/previews of the output folder.")] = False
    preview_html: Annotated[Path | None, option(
        "--preview-html", panel=OUTPUT, metavar="FILE",
        help="Write a page of the results, with a slider between before and after, to FILE.")] = None
    min_confidence: Annotated[float | None, option(
        "--min-confidence", panel=OUTPUT, min=0, max=1, metavar="X", show_default=False,
        help="List results that a person would keep with a chance below X in doubtful.txt of the output folder, where "
             "that is known: without a hint, by the embedded weights. Exit code 6.")] = None
    report: Annotated[Path | None, option(
        "--report", panel=OUTPUT, metavar="FILE", help="Write a record of every item to FILE, as NDJSON.")] = None
    json: Annotated[bool, option(
        "--json", panel=OUTPUT, help="Print records as NDJSON instead of output paths.")] = False

    model: Annotated[str, option(
        "--model", panel=MODEL, metavar="NAME|DIR", autocompletion=complete_weights,
        help="The weights: a name, or a folder.")] = "mini"
    untrained: Annotated[bool, option(
        "--untrained", panel=MODEL, help="Run a task that the weights were not trained on.")] = False
    device: Annotated[str, option(
        "--device", panel=MODEL, metavar="DEVICE", help="auto, cpu, cuda, cuda:1, or mps.")] = "auto"
    dtype: Annotated[Literal["auto", "float32", "bfloat16", "float16"], option(
        "--dtype", panel=MODEL, help="Number type of the network; auto is the weights' own.")] = "auto"
    lora: Annotated[list[str] | None, option(
        "--lora", panel=MODEL, metavar="PATH[:STRENGTH]", show_default=False,
        help="Add a LoRA to the weights; may be given several times.")] = None
    distilled: Annotated[Path | None, option(
        "--distilled", panel=MODEL, metavar="PATH", show_default=False,
        help="A distillation LoRA of the Lightning kind, with its schedule: 4 or 8 steps, no guidance.")] = None

    memory: Annotated[Literal["auto", "resident", "stream", "cpu"], option(
        "--memory", panel=RUN,
        help="Where large weights are: whole on the device, block by block through it, or on the CPU; -v says what "
             "auto chose and why.")] = "auto"
    quantize: Annotated[Literal["none", "int8", "int4", "fp8"], option(
        "--quantize", panel=MODEL,
        help="Keep the transformer's weights in fewer bits; from NVIDIA's Hopper on fp8 is faster, too.")] = "none"
    compile: Annotated[bool, option(
        "--compile", panel=RUN, help="Compile the transformer's blocks: slow to start, faster after.")] = False
    batch_size: Annotated[str, option(
        "--batch-size", panel=RUN, metavar="auto|N", help="Pictures that go through the network together.")] = "auto"
    shard: Annotated[str, option(
        "--shard", panel=RUN, metavar="I/N|slurm",
        help="Make only the share I, from 0, of N: for several machines with one output folder. slurm takes both from "
             "the job array.")] = "0/1"
    devices: Annotated[str | None, option(
        "--devices", panel=RUN, metavar="LIST",
        help="Several workers: all, 0,1 (CUDA devices), or cpu:2 (two on the CPU).")] = None
    ray: Annotated[str | None, option(
        "--ray", panel=RUN, metavar="ADDRESS",
        help="Workers on a Ray cluster that sees the same files; local starts one here. Needs the extra ray.")] = None
    dry_run: Annotated[bool, option(
        "--dry-run", panel=RUN, help="Show what would be done, and do nothing.")] = False
    fail_fast: Annotated[bool, option(
        "--fail-fast", panel=RUN, help="Stop at the first failed item.")] = False
    max_failures: Annotated[int | None, option(
        "--max-failures", panel=RUN, min=1, metavar="N", help="Stop after N failed items.")] = None
    config: Annotated[Path | None, option(
        "--config", panel=RUN, metavar="FILE", show_default=False, is_eager=True, callback=read_config,
        help="Take options from a TOML file, by default omnialpha.toml where there is one.")] = None
    quiet: Annotated[bool, option(
        "--quiet", "-q", panel=RUN, help="Only warnings and failures on standard error.")] = False
    verbose: Annotated[bool, option(
        "--verbose", "-v", panel=RUN, help="Say more: device, threads, times of the stages.")] = False
    help_all: Annotated[bool, typer.Option(
        "--help-all", callback=show_all_options, is_eager=True,
        help="Show every option, with its variable, and exit.")] = False
# fmt: on


KEYWORD_ONLY = inspect.Parameter.KEYWORD_ONLY
F = TypeVar("F", bound=Callable[..., None])


def takes_options(command: F) -> F:
    """Expand every parameter of a command that is a dataclass of options to one parameter for every field."""
    own = inspect.signature(command).parameters
    groups: dict[str, Any] = {name: p.annotation for name, p in own.items() if is_dataclass(p.annotation)}
    makes_pictures = Options in groups.values()
    parameters = [p for name, p in own.items() if name not in groups]
    for group in groups.values():
        hints = get_type_hints(group, include_extras=True)
        for field in fields(group):
            hint = hints[field.name]  # with an option of its own, or that of a setting
            hint = hint if get_origin(hint) is Annotated else Annotated[hint, SETTINGS[field.name]]
            default = inspect.Parameter.empty if field.default is MISSING else field.default
            parameters.append(inspect.Parameter(field.name, KEYWORD_ONLY, default=default, annotation=hint))

    @wraps(command)
    def expanded(**values: Any) -> None:
        given = {name: group(**{f.name: values.pop(f.name) for f in fields(group)}) for name, group in groups.items()}
        command(**values, **given)

    # A panel stands where its first option is.
    parameters = sorted((_shown(p, makes_pictures) for p in parameters), key=_place)
    expanded.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    expanded.__annotations__ = {p.name: p.annotation for p in parameters}
    return expanded  # type: ignore[return-value]


def _shown(parameter: inspect.Parameter, common_alone: bool) -> inspect.Parameter:
    """Return the parameter as the help shows it: choices in the text, where they are not split, and short types."""
    kind, information = get_args(parameter.annotation)
    if isinstance(information, OptionInfo):
        information = copy.copy(information)
        information.hidden = common_alone and parameter.name not in COMMON
        information.show_envvar = not common_alone
        alternatives = [kind, *get_args(kind)]
        choices = next((get_args(one) for one in alternatives if get_origin(one) is Literal), ())
        if choices:
            information.metavar = information.metavar or "NAME"
            information.help = f"{information.help} One of {', '.join(choices)}."
        elif bool in alternatives:
            information.metavar = ""
        elif {int, float}.intersection(alternatives):
            information.metavar = information.metavar or "N"
    return parameter.replace(kind=KEYWORD_ONLY, annotation=Annotated[kind, information])


def _place(parameter: inspect.Parameter) -> int:
    """Return where a parameter stands in the help: arguments first, then by panel."""
    (information,) = get_args(parameter.annotation)[1:]
    panel = information.rich_help_panel
    return -1 if panel is None else PANELS.index(panel)
