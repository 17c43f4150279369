"""Judge pictures one by one and as a set: made from words, or come back from a VAE.

Not imported until a command runs: it needs torch.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ....media.read import read_image
from ....picture.load import choose_device
from ....status import ItemError, UsageError
from .. import held_out
from ..backbones import Clip, Inception
from ..folders import Folders, find_files, judge_folders, one_file, read_names, rgba
from ..generation import Generation, Load
from ..judge import Judged
from ..perceptual import PictureFeatures
from ..prompts import Prompts, read_prompts
from ..sets import FeatureNetwork, Sets
from .judged import load, load_distance, optional
from .options import GenerationOptions, Measure, MeasureOptions, ModelOptions, ReconstructionOptions, WordOptions

Judging = tuple[Iterator[Judged | ItemError], Sets]


def judge_generated(folders: GenerationOptions, options: ModelOptions, measures: WordOptions) -> Judging:
    """Return the pictures of a folder, or, without one, what a model makes of the prompts. Raises UsageError."""
    required = _required_of_words(measures)
    for measure, place, name in (
        (Measure.fid, folders.truth, "--truth"),
        (Measure.clip, folders.prompts, "--prompts"),
    ):
        if measure in required and place is None:
            raise UsageError(f"--require {measure.value} needs {name}")
    prompts = read_prompts(folders.prompts) if folders.prompts else None
    clip = _clip(measures.clip, required) if prompts else None
    if folders.truth is None and clip is None:
        raise UsageError("without --truth only the CLIP score can be given, and its network is not installed")
    truth = [_loader(path) for _, path in _pictures(folders.truth)] if folders.truth else []
    if folders.predictions is not None:
        judge = Generation(_sets(required), truth, clip)
        return islice(_generated(folders.predictions, judge, prompts), options.limit), judge.sets
    assert prompts is not None
    return _from_words(prompts.words, Generation(_sets(required), truth, clip), options)


def judge_generator(cutouts: Sequence[Path], options: ModelOptions, measures: WordOptions) -> Judging:
    """Return a model, from the names of held-out cut-outs, which are the truth."""
    from ...train.packs import read_held_out

    required = _required_of_words(measures)
    named = [picture for picture in read_held_out(cutouts, "cutout") if picture.label][: options.limit]
    if not named:
        raise UsageError(f"{', '.join(map(str, cutouts))} holds no held-out cut-out with a name")
    truth = [held_out.load_floats(one) for one in named]
    names = [one.name for one in named]
    judge = Generation(_sets(required), truth, _clip(measures.clip, required), names)
    return _from_words({one.name: one.label for one in named}, judge, options)


def _from_words(prompts: dict[str, str], judge: Generation, options: ModelOptions) -> Judging:
    model = load(options.model, "generate.foreground")
    return islice(held_out.generation(model, prompts, judge, options.canvas), options.limit), judge.sets


def judge_reconstructed_folder(folders: ReconstructionOptions, measures: MeasureOptions, limit: int | None) -> Judging:
    """Return pictures and what came back of them. Raises UsageError."""
    assert folders.predictions is not None and folders.truth is not None
    names = read_names(folders.names) if folders.names else {}
    required = _required_of_vae(measures)
    distance, sets = load_distance(required), _sets(required)
    judged = judge_folders("vae", Folders(folders.predictions, folders.truth, names=names), distance, _add_pairs(sets))
    return islice(judged, limit), sets


def judge_vae(photos: Sequence[Path], truth: Path | None, options: ModelOptions, measures: MeasureOptions) -> Judging:
    """Return a model's VAE, on held-out photographs with their mattes or on the pictures of a folder."""
    from ....api import OmniAlpha
    from ...train.packs import read_held_out

    if truth is not None:
        pictures = [(name, _loader(path)) for name, path in _pictures(truth)]
    else:
        pictures = [(one.name, held_out.load_floats(one)) for one in read_held_out(photos, "photo")]
    required = _required_of_vae(measures)
    model, distance, sets = OmniAlpha.load(options.model), load_distance(required), _sets(required)
    judged = held_out.reconstruction(model, pictures[: options.limit], options.canvas, distance, _add_pairs(sets))
    return judged, sets


def _generated(folder: Path, judge: Generation, prompts: Prompts | None) -> Iterator[Judged | ItemError]:
    yield from judge.unreadable
    files = find_files(folder, ("",))
    for name, role in sorted(files):
        try:
            prompt = prompts.of(name) if prompts else None
            yield judge.judge(name, rgba(read_image(one_file(files, (name, role), folder))), prompt)
        except ItemError as error:
            yield error


def _pictures(folder: Path) -> list[tuple[str, Path]]:
    """List every picture below a folder by its name. Raises UsageError for one without any."""
    files = find_files(folder, ("",))
    if not files:
        raise UsageError(f"{folder} holds no pictures")
    return [(name, path) for (name, _), paths in sorted(files.items()) for path in paths]


def _loader(path: Path) -> Load:
    return lambda: rgba(read_image(path))


def _required_of_words(measures: MeasureOptions) -> Sequence[Measure]:
    return measures.required("generation", Measure.fid, Measure.clip)


def _required_of_vae(measures: MeasureOptions) -> Sequence[Measure]:
    return measures.required("vae", Measure.lpips, Measure.fid)


def _sets(require: Sequence[Measure]) -> Sets:
    """Return sets by the embedded network first, which is always there, and by FID's where it is installed."""
    inception = optional(Measure.fid, lambda: Inception.load(choose_device("auto")), require)
    networks: list[FeatureNetwork] = [PictureFeatures()]
    return Sets(networks if inception is None else [*networks, inception])


def _clip(name_or_folder: str, require: Sequence[Measure]) -> Clip | None:
    return optional(Measure.clip, lambda: Clip.load(name_or_folder, choose_device("auto")), require)


def _add_pairs(sets: Sets) -> Callable[[NDArray[Any], NDArray[Any]], None]:
    def add(found: NDArray[Any], known: NDArray[Any]) -> None:
        sets.add_found(found)
        sets.add_known(known)

    return add
