"""Hold what a run is asked to compute, as values that pass whole from the terminal to where they are used. No torch."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from numbers import Integral, Real
from typing import Any, Literal, Self, get_args, get_type_hints

from ..item import Item
from ..media.formats import Depth
from ..status import UsageError

Refine = Literal["guided", "laplacian", "none"]
Screen = Literal["green", "blue", "auto"]
BOUNDS = ("hold-out", "core")  # names of mattes that bound a matte
LEAST = {"seed": 0, "steps": 1, "guidance": 0.0, "canvas": 64, "grow": 0, "trim": 0, "mask_slack": 0, "width": 16,
         "height": 16, "exposure": -30.0}  # fmt: skip
FormatName = Literal["png", "tiff", "tiff-pages", "exr", "ora", "psd", "webp", "jpg"]


@dataclass(frozen=True)
class Sampling:
    """Choose how the model draws a result; None is the weights' own setting.

    `canvas` is the side in pixels of the square whose area the model works at; with `enlarge` smaller pictures are
    enlarged to it.
    """

    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    canvas: int | None = None
    enlarge: bool | None = None


@dataclass(frozen=True)
class MatteFinish:
    """Choose how a matte comes to full size: the way of its alpha, the screen whose light its colours lose.

    `mask_slack` is how many pixels outside of a mask there may be something, by default a share of the width.
    """

    refine: Refine = "guided"
    despill: Screen | None = None
    mask_slack: int | None = None


@dataclass(frozen=True)
class RemovalFinish:
    """Choose how a removal comes to full size.

    `effects` takes shadows and reflections out outside of the mask too, of mattes and decompositions to a layer; by
    `grow` pixels it reaches beyond the mask.
    """

    effects: bool = False
    grow: int = 0


@dataclass(frozen=True)
class SourceOptions:
    """Choose how pictures are read: which layer and view of files with several, of hints too, and their colours.

    `input_space` is a colour space of OpenColorIO's. `exposure` is added, in stops, to that at which the model sees
    them.
    """

    layer: str | None = None
    view: str | None = None
    hint_layer: str | None = None
    input_space: str | None = None
    exposure: float = 0.0


@dataclass(frozen=True)
class OutputOptions:
    """Choose what a result's file holds: a row of `media.formats` and a depth, by default chosen by the source's depth.

    `premultiplied` is for TIFF, `exr_parts` for layers in EXR; `keep_layers` writes the other channels and parts of an
    EXR source beside the result. `output_space` is a colour space of OpenColorIO's, or `source`. `flatten` is a
    colour `#rrggbb` that results are put on, `trim` the margin in pixels that is left around the object.
    """

    format: FormatName | None = None
    depth: Depth | None = None
    premultiplied: bool = False
    exr_parts: bool = False
    keep_layers: bool = False
    output_space: str | None = None
    flatten: str | None = None
    trim: int | None = None


@dataclass(frozen=True)
class Settings(Sampling, MatteFinish, RemovalFinish, SourceOptions, OutputOptions):
    """Hold everything but inputs, task and weights that changes pixels: the groups above, and what single commands add.

    `width` and `height` are the size in pixels of what is made without a picture to go by, `text` the user's words,
    which with `anyway` take the likeliest part of a picture where nothing looks like them; with `steady` frames build
    on one another. `bounds` names further mattes that bound alpha. With `auto_layers` a decomposition has as many
    layers as it needs, at most its task's. `dtype` is the network's number type, `quantize` that of the transformer's
    weights, and `adapters` stands for the LoRAs added to them.
    """

    alpha_only: bool = False
    dtype: str = "float32"
    width: int | None = None
    height: int | None = None
    text: str | None = None
    negative: str = ""
    steady: bool = False
    bounds: str = ""
    adapters: str | None = None
    quantize: str | None = None
    anyway: bool = False
    auto_layers: bool = False

    @classmethod
    def of(cls, *groups: Sampling | MatteFinish | RemovalFinish | SourceOptions | OutputOptions, **more: Any) -> Self:
        """Put groups of settings, and single ones, together; what a group has beside settings is left out."""
        known = {field.name for field in fields(cls)}
        values = {name: value for group in groups for name, value in vars(group).items() if name in known}
        return cls(**values | more)

    def check(self) -> None:
        """Raise UsageError for a value that the command line would refuse."""
        for name, least in LEAST.items():
            value = getattr(self, name)
            if value is not None and not _is_number(value, least):
                whole = "whole " if isinstance(least, int) else ""
                raise UsageError(f"{name}={value!r}: give a {whole}number from {least:g}")
        check_choices(self)
        if self.text is not None and (not isinstance(self.text, str) or not self.text.strip()):
            raise UsageError(f"text={self.text!r}: give words")

    def resolved(self, defaults: Mapping[str, Any]) -> Self:
        """Replace every None by the value of that name in `defaults`, if it has one."""
        unset = [field.name for field in fields(self) if getattr(self, field.name) is None]
        return replace(self, **{name: defaults[name] for name in unset if name in defaults})

    def for_item(self, item: Item) -> Self:
        """Return the settings of one item: with its words and format, and with its own seed if it has one."""
        bounds = [name for name in item.beside if name in BOUNDS]
        own: dict[str, Any] = {"text": item.text, "format": item.format, "bounds": " ".join(bounds)}
        if item.seed is not None:
            own["seed"] = item.seed
        return replace(self, **own)

    def recorded(self) -> dict[str, Any]:
        """Return the settings by name, as a journal keeps them: some only where they may have changed something."""
        return {name: value for name, value in asdict(self).items() if name not in ("anyway", "auto_layers") or value}


def parse_colour(text: str) -> str:
    """Return a colour that CSS has a name for, or notes as #rrggbb and rgb(…), as `#rrggbb`. Raises UsageError."""
    from PIL import ImageColor

    try:
        red, green, blue = ImageColor.getrgb(text)[:3]
        if len(ImageColor.getrgb(text)) > 3:
            raise ValueError("it has alpha")
    except (ValueError, AttributeError) as error:
        raise UsageError(f"{text!r} is no opaque colour; give one such as white or #ff8800") from error
    return f"#{red:02x}{green:02x}{blue:02x}"


def check_choices(options: Any) -> None:
    """Raise UsageError where a field of a dataclass has not one of the words that its type lists."""
    for name, hint in get_type_hints(type(options)).items():
        words = [word for part in (hint, *get_args(hint)) for word in get_args(part) if isinstance(word, str)]
        value = getattr(options, name)
        if words and value not in words and not (value is None and type(None) in get_args(hint)):
            raise UsageError(f"{name}={value!r}: give {', '.join(map(repr, words[:-1]))} or {words[-1]!r}")


def _is_number(value: Any, least: float) -> bool:
    kind = Integral if isinstance(least, int) else Real
    return isinstance(value, kind) and not isinstance(value, bool) and math.isfinite(value) and float(value) >= least


@dataclass(frozen=True)
class FileOptions:
    """Choose what changes how files are read and written, and no pixel: pictures above `max_pixels` are refused."""

    compression: Literal["none", "fast", "small"] = "fast"
    max_pixels: int = 300_000_000
