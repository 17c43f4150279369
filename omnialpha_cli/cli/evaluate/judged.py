"""From options to judged pictures: a model on held-out material, or results in a folder.

Not imported until a command runs: it needs torch.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from ...api import OmniAlpha
from ...evaluation.backbones import LPIPS
from ...evaluation.baselines import fills
from ...evaluation.folders import Folders, Task, judge_folders, read_names
from ...evaluation.judge import Distance, Judged
from ...evaluation.perceptual import FeatureDistance
from ...runner.devices import choose_device
from ...status import ItemError, OmniAlphaError, UsageError
from ..console import say
from .options import HintKind, Measure, ModelOptions, TruthOptions

T = TypeVar("T")

COMMANDS: dict[Task, str] = {"matting": "matte", "removal": "remove", "decomposition": "decompose"}


def judge_model(
    task: Task, photos: Path, hint: HintKind, options: ModelOptions, require: Sequence[Measure] = ()
) -> Iterator[Judged | ItemError]:
    """The model of `options` on the pack's held-out photographs, or composites of them."""
    from ...evaluation import held_out
    from ...training.packs import read_packs

    pictures = read_packs(photos).photos_val
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
        judged = held_out.removal(model, pictures, hint, options.canvas, load_distance(require), baselines)
    return islice(judged, options.limit)


def judge_folder(
    task: Task, predictions: Path, options: TruthOptions, limit: int | None, require: Sequence[Measure] = ()
) -> Iterator[Judged | ItemError]:
    """The results in a folder. Raises UsageError."""
    if options.truth is None:
        raise UsageError("results can only be judged beside the truth: add --truth DIR")
    if task in ("decomposition", "vae") and options.trimaps is not None:
        raise UsageError("layers and reconstructions are judged as a whole; leave --trimaps out")
    names = read_names(options.names) if options.names else {}
    folders = Folders(predictions, options.truth, options.sources, options.trimaps, names)
    distance = load_distance(require) if task in ("removal", "vae") else None
    return islice(judge_folders(task, folders, distance), limit)


def load(name: str, task: str) -> OmniAlpha:
    """The weights, with a warning where they do not know the task."""
    model = OmniAlpha.load(name)
    if task not in model.tasks:
        say(f"warning: {name} was not trained for {task}")
    return model


def load_distance(require: Sequence[Measure]) -> Distance:
    """LPIPS where it is installed, else the feature distance. Raises OmniAlphaError where LPIPS is required."""
    lpips = optional(Measure.lpips, lambda: LPIPS.load(choose_device("auto")), require)
    return FeatureDistance.load() if lpips is None else lpips


def optional(measure: Measure, load: Callable[[], T], require: Sequence[Measure]) -> T | None:
    """What `load` gives; None, after a word about it, where it is not installed and not required."""
    try:
        return load()
    except OmniAlphaError as error:
        if measure in require:
            raise
        say(f"left out: {error}")
        return None
