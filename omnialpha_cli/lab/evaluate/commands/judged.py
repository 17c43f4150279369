"""Judge pictures as options say: a model on held-out material, or results in a folder.

Not imported until a command runs: it needs torch.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from ....api import OmniAlpha
from ....cli.streams import say
from ....media.image import Image, from_array
from ....media.read import read_image
from ....media.write import target_for
from ....picture.load import choose_device
from ....status import ItemError, OmniAlphaError, UsageError
from ..backbones import LPIPS
from ..baselines import fills
from ..folders import Folders, Make, Task, judge_folders, read_names
from ..judge import Distance, Judged
from ..perceptual import FeatureDistance
from .options import FolderOptions, HintKind, Measure, ModelOptions, TruthOptions

T = TypeVar("T")

COMMANDS: dict[Task, str] = {"matting": "matte", "removal": "remove", "decomposition": "decompose"}


def judge_model(
    task: Task, photos: Sequence[Path], hint: HintKind, options: ModelOptions, require: Sequence[Measure] = (),
    *, effects: bool = False, scenes: Path | None = None,
) -> Iterator[Judged | ItemError]:  # fmt: skip
    """Judge the model of `options` on the packs' held-out photographs, or composites of them.

    `effects`, and `scenes`, whose every 60th picture is a backdrop, are for removal.
    """
    from ...train.packs import read_backdrops, read_held_out
    from .. import held_out

    pictures = read_held_out(photos, "photo")
    if task == "vae":
        whole = ((one.name, held_out.load_floats(one)) for one in pictures[: options.limit])
        loaded = OmniAlpha.load(options.model)
        return held_out.reconstruction(loaded, whole, options.canvas, load_distance(require))
    model = load(options.model, f"{COMMANDS[task]}.{'auto' if hint == 'none' else hint}")
    if task == "matting":
        judged = held_out.matting(model, pictures, hint, options.canvas)
    elif task == "decomposition":
        judged = held_out.decomposition(model, pictures, hint, options.canvas)
    else:
        baselines = fills()
        if "telea" not in baselines:
            say("warning: OpenCV is not installed, so Telea's inpainting is left out; "
                "get it with: pip install opencv-python-headless")  # fmt: skip
        distance = load_distance(require)
        backdrops = read_backdrops(scenes) if scenes else ()
        judged = held_out.removal(
            model, pictures, hint, options.canvas, distance, baselines, effects=effects, backdrops=backdrops
        )
    return islice(judged, options.limit)


def judge_model_in_folders(
    task: Task, options: FolderOptions, hint: HintKind, model: ModelOptions, require: Sequence[Measure] = (),
    *, effects: bool = False,
) -> Iterator[Judged | ItemError]:  # fmt: skip
    """Judge the model on the pictures of a folder, with their hint. `effects` is for removal. Raises UsageError."""
    if hint != "none" and options.trimaps is None:
        raise UsageError(f"--hint {hint} needs --trimaps, the folder that it is in; or give --hint none")
    command = COMMANDS[task]
    loaded = load(model.model, f"{command}.{'auto' if hint == 'none' else hint}")

    def make(source: Path, trimap: Path | None) -> list[Image]:
        given: dict[str, Any] = {"untrained": True}
        if hint != "none":
            given[hint.replace("-", "_")] = trimap
        if task == "removal":
            given["effects"] = effects
        made = getattr(loaded, command)(source, canvas=model.canvas, **given)
        own = target_for("tiff", read_image(source), None).encoding  # that of the arrays that the API returns
        return [replace(from_array(layer), encoding=own) for layer in (made if isinstance(made, list) else [made])]

    return judge_folder(task, make, options, model.limit, require)


def judge_folder(
    task: Task, predictions: Path | Make, options: TruthOptions, limit: int | None, require: Sequence[Measure] = ()
) -> Iterator[Judged | ItemError]:
    """Return the results in a folder, or made from its sources. Raises UsageError."""
    if options.truth is None:
        raise UsageError("results can only be judged beside the truth: add --truth DIR")
    if task in ("decomposition", "vae") and options.trimaps is not None and isinstance(predictions, Path):
        raise UsageError("layers and reconstructions are judged as a whole; leave --trimaps out")
    names = read_names(options.names) if options.names else {}
    folders = Folders(predictions, options.truth, options.sources, options.trimaps, names)
    distance = load_distance(require) if task in ("removal", "vae") else None
    return islice(judge_folders(task, folders, distance), limit)


def load(name: str, task: str) -> OmniAlpha:
    """Return the weights, with a warning where they do not know the task."""
    model = OmniAlpha.load(name)
    if task not in model.model.tasks:
        say(f"warning: {name} was not trained for {task}")
    return model


def load_distance(require: Sequence[Measure]) -> Distance:
    """Load LPIPS where it is installed, else the feature distance. Raises OmniAlphaError where LPIPS is required."""
    lpips = optional(Measure.lpips, lambda: LPIPS.load(choose_device("auto")), require)
    return FeatureDistance() if lpips is None else lpips


def optional(measure: Measure, load: Callable[[], T], require: Sequence[Measure]) -> T | None:
    """Return what `load` gives; None, after a word about it, where it is not installed and not required."""
    try:
        return load()
    except OmniAlphaError as error:
        if measure in require:
            raise
        say(f"left out: {error}")
        return None
