"""Offer the model to Python: weights by name, pictures in and out. The commands use the same functions."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

import torch
from torch import Tensor

from .arguments import (
    BOUNDS,
    LayerOptions,
    Layers,
    MatteOptions,
    RemoveOptions,
    Sampling,
    in_python,
    lists_options,
    parse_arguments,
    parse_settings,
    parse_words,
    refuse_unlisted,
)
from .media.image import Image
from .model import omnialpha
from .model.config import LoadOptions
from .model.request import Request
from .picture.arrays import Picture, Pixels, is_picture, read_given, to_pixels
from .picture.finish import finish
from .picture.infer import infer
from .picture.load import DTYPES, load_model
from .picture.prepare import prepare
from .picture.settings import Settings, check_choices
from .status import ItemError, OmniAlphaWarning, UsageError, rewording
from .tasks import TASKS, Task, passes
from .weights import store

if TYPE_CHECKING:
    from .batch.many import Read


@dataclass(frozen=True, eq=False)
class Outcome:
    """Hold the result of one of many pictures, as the method returns it, or why there is none; and warnings.

    `confidence`, `darkened` and `lightened` are those of the commands' records, None where they are not known.
    """

    result: Any
    error: ItemError | None
    warnings: tuple[str, ...]
    confidence: float | None = None
    darkened: float | None = None
    lightened: float | None = None


class OmniAlpha:
    """Run the commands as Python functions of single pictures. `model` is the loaded model that they ask."""

    def __init__(self, model: omnialpha.OmniAlpha, name: str = "of this model"):
        self.model, self.name = model, name

    @classmethod
    def load(
        cls,
        name_or_folder: str | Path = store.EMBEDDED,
        device: str | torch.device = "auto",
        dtype: torch.dtype | None = None,
        options: LoadOptions | None = None,
        **single: Any,
    ) -> Self:
        """Load weights by a name in weights.lock, whose files are verified first, or from a folder.

        `options` may be given whole, or `single` ones by the names of its fields. Raises `status.WeightsError` or
        `status.DeviceError`, UsageError for values that the commands refuse; warns where the LoRA of published
        weights is missing.
        """
        options = replace(options or LoadOptions(), **single)
        check_choices(options)
        if not isinstance(dtype, torch.dtype | None):
            raise UsageError(f"dtype={dtype!r}: give {', '.join(map(str, DTYPES.values()))} or None")
        if not options.loras and (caution := store.find(str(name_or_folder)).caution):
            warnings.warn(caution, OmniAlphaWarning, stacklevel=2)
        with rewording(in_python):
            return cls(load_model(name_or_folder, device, dtype, options), str(name_or_folder))

    def run(
        self, requests: Sequence[Request], steps: int | None = None, guidance: float | None = None
    ) -> list[list[Tensor]]:
        """Ask the model itself: one list of RGBA (4, H, W) in [0, 1] a request, as `model.omnialpha.OmniAlpha.run`."""
        return self.model.run(requests, steps, guidance)

    @lists_options
    def matte(self, image: Picture, *, background: Picture | None = None, **options: Unpack[MatteOptions]) -> Pixels:
        """Cut the foreground out of one picture; `background` is a clean plate, the same picture without the object.

        Returns straight RGBA (H, W, 4) of the picture's own depth: uint8, uint16, or float32 with white at 1. Raises
        `ItemError`, or UsageError for more than one hint, a value that the command refuses, or a task that the weights
        were not trained on. Warns with `OmniAlphaWarning` of what the command warns of.
        """
        (cut_out,) = self._make("matte", image, {"background": background, **options})
        return cut_out

    @lists_options
    def remove(self, image: Picture, **options: Unpack[RemoveOptions]) -> Pixels:
        """Take the object out of one picture: opaque RGBA, otherwise as of `matte`."""
        (background,) = self._make("remove", image, options)
        return background

    @lists_options
    def decompose(
        self, image: Picture, *, layers: Layers = 2, max_layers: int = 5, **options: Unpack[LayerOptions]
    ) -> list[Pixels]:
        """Take one picture apart: the background, then the foregrounds in depth order, each as of `matte`.

        `layers` "auto" makes as many as the picture needs, at most `max_layers`; weights that know two make these.
        """
        return self._make("decompose", image, {"max_layers": max_layers, **options}, layers=layers)

    @lists_options
    def generate(
        self, prompt: str, *, scene: bool = False, size: tuple[int, int] | None = None, **sampling: Unpack[Sampling]
    ) -> Pixels:
        """Make an object with transparency, or a whole scene, from words: RGBA (H, W, 4) uint8.

        `size` is (width, height) in pixels; without it the picture is a square of the canvas's side.
        """
        width, height = size or (None, None)
        task = TASKS["generate.scene" if scene else "generate.foreground"]
        settings = parse_settings(
            self.model, self.name, task, sampling, text=parse_words(prompt), width=width, height=height
        )
        (picture,) = self._run(task, [], settings)
        return picture

    @lists_options
    def complete(self, image: Picture, prompt: str, *, given: str, want: str, **sampling: Unpack[Sampling]) -> Pixels:
        """Make what is missing to a foreground or background: `given` and `want` as the command takes them."""
        task = TASKS.get(f"complete.{given}-{want}")
        if task is None:
            raise UsageError(f"given {given}, want {want}: there is nothing to complete")
        settings = parse_settings(self.model, self.name, task, sampling, text=parse_words(prompt))
        (picture,) = self._run(task, [read_given(image, "image")], settings)
        return picture

    def many(
        self,
        command: str,
        pictures: Iterable[Picture],
        *,
        progress: bool = False,
        layers: Layers | None = None,
        **options: Any,
    ) -> Iterator[Outcome]:
        """Do `matte`, `remove` or `decompose` for many pictures, and give an `Outcome` for each, in their order.

        Pictures are read ahead and go through the network in batches. `options` are those of the method; a hint is one
        for all pictures, or a list with one for each. With `progress` there is a bar, of tqdm. What is wrong with the
        options is raised at once, what is wrong with a picture is its outcome's error.
        """
        if command not in ("matte", "remove", "decompose"):
            raise UsageError(f"command={command!r}: give 'matte', 'remove' or 'decompose'")
        if layers is not None and command != "decompose":
            raise UsageError(f"layers={layers!r}: they are of 'decompose', not of {command!r}")
        if is_picture(pictures):
            raise UsageError(f"pictures: that is a single one; give a list of them, or ask `{command}` for it")
        refuse_unlisted(command, options)
        task, hints, settings = parse_arguments(self.model, self.name, command, options, layers)
        listed = list(pictures)
        for name, hint in hints.items():
            if isinstance(hint, list) and len(hint) != len(listed):
                raise UsageError(f"{name}: {len(hint)} for {len(listed)} pictures; give one for each, or one for all")

        def reader(index: int) -> "Read":
            given = {name: hint[index] if isinstance(hint, list) else hint for name, hint in hints.items()}
            return lambda: _read(listed[index], f"picture {index}", given, f" {index}")

        return self._outcomes(command, task, [reader(index) for index in range(len(listed))], settings, progress)

    def _outcomes(
        self, command: str, task: Task, reads: Sequence["Read"], settings: Settings, progress: bool
    ) -> Iterator[Outcome]:
        from tqdm.auto import tqdm

        from .batch.many import make_many

        running = make_many(self.model, task, reads, settings)
        for layers, made in tqdm(running, total=len(reads), disable=not progress, unit="picture"):
            pixels = layers if command == "decompose" else next(iter(layers), None)
            error = ItemError(made.error.code, in_python(str(made.error))) if made.error else None
            yield Outcome(None if error else pixels, error, tuple(map(in_python, made.warnings)), **made.measures)

    def _make(
        self, command: str, image: Picture, options: Mapping[str, Any], layers: Layers | None = None
    ) -> list[Pixels]:
        """Return the results of the task that the hint among the options chooses."""
        task, hints, settings = parse_arguments(self.model, self.name, command, options, layers)
        pictures, beside = _read(image, "image", hints)
        return self._run(task, pictures, settings, beside, above=5)

    def _run(
        self,
        task: Task,
        pictures: Sequence[Image],
        settings: Settings,
        beside: Mapping[str, Image] | None = None,
        above: int = 4,
    ) -> list[Pixels]:
        """Return the layers of one item; warnings are of the line that is so many calls `above`."""
        way = passes(task, self.model.tasks)
        prepared = prepare(task, pictures, self.model.defaults, settings, way, beside=beside)
        ((_, [(prepared, layers)]),) = infer(self.model, [prepared], settings)
        names = [str(picture.path) for picture in pictures]
        for warning in prepared.warnings:
            about = "" if not names or any(name in warning for name in names) else f"{names[0]}: "
            warnings.warn(in_python(about + warning), OmniAlphaWarning, stacklevel=above)
        return [to_pixels(layer, prepared) for layer in finish(prepared, layers, settings, self.model)]


def _read(
    picture: Picture, name: str, others: Mapping[str, Picture], number: str = ""
) -> tuple[list[Image], dict[str, Image]]:
    """Read a picture called `name` with its hint, and the mattes that bound it, which are called by their arguments."""
    images, beside = [read_given(picture, name)], {}
    for argument, other in others.items():
        image = read_given(other, argument + number)
        if argument in BOUNDS:
            beside[BOUNDS[argument]] = image
        else:
            images.append(image)
    return images, beside
