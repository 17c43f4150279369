"""Say what the Python API takes besides pictures, and make a task and settings of it, as the commands do."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, fields, replace
from functools import wraps
from typing import Any, Literal, TypedDict, TypeVar, get_args, get_type_hints

from .model.omnialpha import OmniAlpha
from .picture.arrays import Picture
from .picture.settings import Refine, Screen, Settings, parse_colour
from .status import UsageError, rewording
from .tasks import LAYERS, TASKS, Task, most_layers, passes, refuse_untrained, with_layers, with_shadow

Layers = int | Literal["auto"]
AUTO = "layers", "auto"
BOUNDS = {"hold_out": "hold-out", "core": "core"}  # mattes beside the picture, and what `prepare` calls them
HINTS = ("text", "trimap", "mask", "rough_mask", "background")
LOADING = {"--compile": "compile_blocks", "--lora": "loras", "--distilled": "distilled_lora"}
OPTIONS: dict[str, list[str]] = {}  # of the methods, by their names
F = TypeVar("F", bound=Callable[..., Any])


class Sampling(TypedDict, total=False):
    """Choose how the model draws; None is the weights' own setting, the seed 0 by default.

    With `enlarge` smaller pictures are enlarged to the canvas. `untrained` runs a task that the weights were not
    trained on.
    """

    seed: int
    steps: int | None
    guidance: float | None
    canvas: int | None
    enlarge: bool | None
    untrained: bool


class Options(Sampling, total=False):
    """Name what is known of the object: at most one hint. A trimap or mask is a picture, white the object.

    With `anyway` words take the likeliest part where nothing looks like them. The model sees the picture `exposure`
    stops brighter.
    """

    text: str | None
    anyway: bool
    trimap: Picture | None
    mask: Picture | None
    rough_mask: Picture | None
    exposure: float


class FinishOptions(Options, total=False):
    """Choose how a matte comes to full size, and its file, as the command does.

    `flatten` is a colour to put it on, `trim` the margin around the object to which it is cropped: it then has
    `offset`, its left and top in the picture. `mask_slack` is how many pixels outside of a mask there may be
    something.
    """

    mask_slack: int | None
    flatten: str | None
    trim: int | None
    refine: Refine
    despill: Screen | None


class MatteOptions(FinishOptions, total=False):
    """Choose `keep_shadow` as the command does: translucent black under the object, in one picture with it.

    `hold_out` and `core` are mattes, of which nothing, and all, is in the result.
    """

    hold_out: Picture | None
    core: Picture | None
    keep_shadow: bool


class LayerOptions(FinishOptions, total=False):
    """Choose `effects` as the command does: the object's shadow is a layer between the other two."""

    effects: bool


class RemoveOptions(Options, total=False):
    """Choose `effects` and `grow`, as the command does."""

    effects: bool
    grow: int


def lists_options(method: F) -> F:
    """Let `help` show every option of a method by its name, type and default, not `**options`; refuse any other."""
    signature = inspect.signature(method)
    *own, options = signature.parameters.values()
    named = {one.name for one in own}
    defaults = {field.name: field.default for field in fields(Settings)} | {"untrained": False, "keep_shadow": False}
    (group,) = get_args(get_type_hints(method)[options.name])
    listed = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=hint)
        for name, hint in get_type_hints(group).items()
    ]
    OPTIONS[method.__name__] = [one.name for one in (*own, *listed) if one.kind is one.KEYWORD_ONLY]

    @wraps(method)
    def checked(self: Any, *given: Any, **options: Any) -> Any:
        refuse_unlisted(method.__name__, [name for name in options if name not in named])
        with rewording(in_python):
            return method(self, *given, **options)

    checked.__signature__ = signature.replace(parameters=[*own, *listed])  # type: ignore[attr-defined]
    return checked  # type: ignore[return-value]


def refuse_unlisted(command: str, options: Iterable[str]) -> None:
    """Raise UsageError for an option that the method of a command does not list: it would change nothing."""
    for name in options:
        takers = [other for other, known in OPTIONS.items() if name in known]
        if not takers:
            raise UsageError(f"{name}: no option of {command!r}; it has {', '.join(OPTIONS[command])}")
        if command not in takers:
            raise UsageError(f"{name}: for {' and '.join(map(repr, takers))}, not for {command!r}")


def in_python(message: str) -> str:
    """Call options by their keywords, where they have one, in a message that is the command line's too."""
    known = {"device", "memory", "quantize"}.union(*OPTIONS.values())
    keywords = LOADING | {f"--{name.replace('_', '-')}": name for name in known}
    return re.sub(r"(?<!\S)--[a-z][a-z-]*", lambda option: keywords.get(option[0], option[0]), message)


def parse_arguments(
    model: OmniAlpha, name: str, command: str, options: Mapping[str, Any], layers: Layers | None
) -> tuple[Task, dict[str, Picture], Settings]:
    """Return the task of a command's options, the pictures beside its own (the hint, then bounds), and the settings.

    Raises UsageError for what the command line would refuse; `name` is what it calls the weights.
    """
    hints = {hint: options[hint] for hint in HINTS if options.get(hint) is not None}
    if len(hints) > 1:
        raise UsageError(f"{' and '.join(hints)} exclude each other; give one")
    task, auto = _with_layers(model, TASKS[f"{command}.{next(iter(hints), 'auto').replace('_', '-')}"], options, layers)
    text = hints.pop("text", None)
    bounds = {bound: options[bound] for bound in BOUNDS if options.get(bound) is not None}
    others = {key: value for key, value in options.items() if key not in (*HINTS, *BOUNDS, "max_layers")}
    if command == "matte":
        others["effects"] = others.pop("keep_shadow", False)
    elif command == "decompose" and others.get("effects"):
        task = with_shadow(task)
    return task, hints | bounds, parse_settings(model, name, task, others, text=text, auto_layers=auto)


def _with_layers(model: OmniAlpha, task: Task, options: Mapping[str, Any], layers: Layers | None) -> tuple[Task, bool]:
    """Return a task with as many layers as are asked for, and whether fewer may be made."""
    limit = options.get("max_layers", 5)
    for name, count in {"layers": layers, "max_layers": limit}.items():
        if count is not None and (isinstance(count, bool) or count not in LAYERS) and (name, count) != AUTO:
            raise UsageError(f"{name}={count!r}: give a number from {LAYERS[0]} to {LAYERS[-1]}")
    if layers != "auto":
        return with_layers(task, layers or len(task.outputs)), False
    most = limit if options.get("untrained") else most_layers(task, model.tasks, limit)
    return with_layers(task, most), most > 2


def parse_settings(model: OmniAlpha, name: str, task: Task, options: Mapping[str, Any], **more: Any) -> Settings:
    """Return what is asked of a task, with the defaults of the weights called `name`. Raises UsageError."""
    options = dict(options)
    if not options.pop("untrained", False):
        refuse_untrained(task, name, model.tasks, "untrained=True runs it anyway")
    settings = Settings(**options, **more)
    settings.check()
    if settings.flatten is not None and len(task.outputs) > 1:
        raise UsageError("flatten puts one picture on a colour, not layers")
    if settings.flatten is not None:
        settings = replace(settings, flatten=parse_colour(settings.flatten))
    defaults = model.defaults.of((passes(task, model.tasks) or [task])[0].name)
    return replace(settings, format="tiff").resolved(asdict(defaults))  # it holds whatever the picture is


def parse_words(prompt: str) -> str:
    """Return a prompt. Raises UsageError where there are no words in it."""
    if isinstance(prompt, str) and prompt.strip():
        return prompt
    raise UsageError(f"prompt={prompt!r}: give words")
