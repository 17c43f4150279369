"""From options to judged pictures: a model on held-out material, or results in a folder.

Not imported until a command runs: it needs torch.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from ...api import OmniAlpha
from ...evaluation.baselines import fills
from ...evaluation.folders import Folders, Task, judge_folders, read_names
from ...evaluation.judge import Judged
from ...evaluation.perceptual import FeatureDistance
from ...status import ItemError, UsageError
from ..console import say
from .options import HintKind, ModelOptions, TruthOptions

COMMANDS: dict[Task, str] = {"matting": "matte", "removal": "remove", "decomposition": "decompose"}


def judge_model(task: Task, photos: Path, hint: HintKind, options: ModelOptions) -> Iterator[Judged | ItemError]:
    """The model of `options` on the pack's held-out photographs, or composites of them."""
    from ...evaluation import held_out
    from ...training.packs import read_packs

    model = load(options.model, f"{COMMANDS[task]}.{'auto' if hint == 'none' else hint}")
    pictures = read_packs(photos).photos_val
    if task == "matting":
        judged = held_out.matting(model, pictures, hint, options.canvas)
    elif task == "decomposition":
        judged = held_out.decomposition(model, pictures, hint, options.canvas)
    else:
        baselines = fills()
        if "telea" not in baselines:
            say("warning: OpenCV is not installed, so Telea's inpainting is left out; "
                "get it with: pip install opencv-python-headless")  # fmt: skip
        judged = held_out.removal(model, pictures, hint, options.canvas, FeatureDistance.load(), baselines)
    return islice(judged, options.limit)


def judge_folder(
    task: Task, predictions: Path, options: TruthOptions, limit: int | None
) -> Iterator[Judged | ItemError]:
    """The results in a folder. Raises UsageError."""
    if options.truth is None:
        raise UsageError("results can only be judged beside the truth: add --truth DIR")
    if task == "decomposition" and options.trimaps is not None:
        raise UsageError("layers are judged as a whole; leave --trimaps out")
    names = read_names(options.names) if options.names else {}
    folders = Folders(predictions, options.truth, options.sources, options.trimaps, names)
    distance = FeatureDistance.load() if task == "removal" else None
    return islice(judge_folders(task, folders, distance), limit)


def load(name: str, task: str) -> OmniAlpha:
    """The weights, with a warning where they do not know the task."""
    model = OmniAlpha.load(name)
    if task not in model.tasks:
        say(f"warning: {name} was not trained for {task}")
    return model
