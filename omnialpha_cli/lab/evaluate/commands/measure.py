"""Run the commands that judge one model, or one folder of results."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from ....cli.options import INPUTS, option, takes_options
from ....status import UsageError
from .options import (
    FolderOptions,
    GenerationOptions,
    HintKind,
    Measure,
    MeasureOptions,
    ModelOptions,
    Photos,
    ReconstructionOptions,
    ShowOptions,
    WordOptions,
)


@takes_options
def matting(
    model: ModelOptions, folders: FolderOptions, output: ShowOptions, photos: Photos = None, hint: HintKind = "none"
) -> None:
    """Judge mattes at full size, over the whole picture and in the unknown band of a trimap.

    Of a model, on held-out photographs or, with --sources and --truth, on any; or, with --predictions and --truth, of
    any tool: cut-outs or mattes alone, of 8 or 16 bits.
    """
    _judge("matting", photos, hint, model, folders, output)


@takes_options
def removal(
    model: ModelOptions,
    folders: FolderOptions,
    measures: MeasureOptions,
    output: ShowOptions,
    photos: Photos = None,
    hint: HintKind = "mask",
    effects: Annotated[
        bool, option("--effects", panel=INPUTS, help="A model takes out shadows and reflections, too.")
    ] = False,
    scenes: Annotated[
        Path | None,
        option("--scenes", panel=INPUTS, help="A pack whose every 60th picture is a backdrop of the composites."),
    ] = None,
) -> None:
    """Judge what is painted behind objects that were taken out.

    Of a model, on composites of held-out photographs, every second one with a shadow. A mean colour, and OpenCV's
    inpainting after Telea where that is installed, stand beside it; both know exactly where the object is. Without a
    hint the backdrop is out of focus, as nothing else tells what the object is. With --sources, --truth and --trimaps
    on any pictures; with --predictions and --truth, of any tool. LPIPS where its network is installed, else the
    distance of another network's image features.
    """
    require = measures.required("removal", Measure.lpips)
    _judge("removal", photos, hint, model, folders, output, require, effects=effects, scenes=scenes)


@takes_options
def decomposition(
    model: ModelOptions, folders: FolderOptions, output: ShowOptions, photos: Photos = None, hint: HintKind = "none"
) -> None:
    """Judge pictures taken apart into background and foreground.

    Of a model, on composites of held-out photographs, without a hint their backdrop out of focus; or, with --sources
    and --truth, on any pictures. With --predictions and --truth, of any tool: NAME_background.png and
    NAME_foreground.png, or as `omnialpha decompose` writes them.
    """
    _judge("decomposition", photos, hint, model, folders, output)


@takes_options
def referring(
    photos: Annotated[
        list[Path],
        typer.Argument(metavar="PHOTOS", help="Photographs with mattes, as for `eval matting`.", exists=True),
    ],
    cutouts: Annotated[
        Path,
        typer.Argument(metavar="CUTOUTS", help="Cut-outs with names, as of training: a tar or a folder.", exists=True),
    ],
    model: ModelOptions,
    output: ShowOptions,
) -> None:
    """Judge whether words choose the object: of two beside each other, each is named in turn.

    Both are held out from training. A model that does not listen is right half the time.
    """
    from itertools import islice

    from ...train.packs import read_held_out
    from .. import held_out
    from .judged import load
    from .show import show

    pictures, objects = read_held_out(photos, "photo"), read_held_out([cutouts], "cutout")
    judged = held_out.referring(load(model.model, "matte.text"), pictures, objects, model.canvas)
    about = {"model": model.model, "canvas": model.canvas}
    raise typer.Exit(show("referring", islice(judged, model.limit), output, about))


@takes_options
def generation(
    model: ModelOptions,
    folders: GenerationOptions,
    measures: WordOptions,
    output: ShowOptions,
    cutouts: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="CUTOUTS",
            help="Cut-outs with names, as of training, tars or folders: a model makes one from each name of those "
            "that training leaves out, and they are the truth.",
            exists=True,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Judge pictures made from words: beside the words, and as a set beside true pictures.

    Of a model, from --prompts or from the names of cut-outs; or, with --predictions and --truth, --prompts, or both, of
    any tool. FID and CLIP score where their networks are installed; always how far the nearest true picture is, by
    another network's features. What is transparent is laid over nine flat colours, and the mean of the nine taken.
    """
    if cutouts and (folders.predictions or folders.truth or folders.prompts):
        raise UsageError("the names and pictures of CUTOUTS are prompts and truth: leave the other options out")
    if not cutouts and (folders.predictions or folders.prompts) is None:
        raise UsageError("give --predictions, to judge a folder; or --prompts, or CUTOUTS, to judge a model")
    if not cutouts and (folders.truth or folders.prompts) is None:
        raise UsageError("give what the pictures are judged by: --truth, a set of true ones, --prompts, or both")
    from .sets import judge_generated, judge_generator
    from .show import show

    if cutouts:
        judged, sets = judge_generator(cutouts, model, measures)
    else:
        judged, sets = judge_generated(folders, model, measures)
    made = {"model": model.model, "canvas": model.canvas}
    about = made if folders.predictions is None else {"predictions": str(folders.predictions)}
    raise typer.Exit(show("generation", judged, output, about, sets))


@takes_options
def vae(
    model: ModelOptions,
    folders: ReconstructionOptions,
    measures: MeasureOptions,
    output: ShowOptions,
    photos: Photos = None,
) -> None:
    """Judge how pictures with alpha come back from a VAE.

    Of a model, at its canvas: held-out photographs with their mattes, or, with --truth, any pictures; with
    --predictions too, of any tool. What is transparent is laid over nine flat colours, and the mean of the nine taken.
    LPIPS and FID where their networks are installed, else, for the former, the distance of another network's features.
    """
    if (not photos) == (folders.truth is None):
        raise UsageError("give either PHOTOS, or --truth, a folder of pictures with alpha")
    if photos and folders.predictions is not None:
        raise UsageError("--predictions are judged beside --truth; leave PHOTOS out")
    from .sets import judge_reconstructed_folder, judge_vae
    from .show import show

    if folders.predictions is not None:
        judged, sets = judge_reconstructed_folder(folders, measures, model.limit)
        raise typer.Exit(show("vae", judged, output, {"predictions": str(folders.predictions)}, sets))
    judged, sets = judge_vae(photos or (), folders.truth, model, measures)
    raise typer.Exit(show("vae", judged, output, {"model": model.model, "canvas": model.canvas}, sets))


def _judge(
    task: Literal["matting", "removal", "decomposition"],
    photos: Sequence[Path] | None,
    hint: HintKind,
    model: ModelOptions,
    folders: FolderOptions,
    output: ShowOptions,
    require: Sequence[Measure] = (),
    *,
    effects: bool = False,
    scenes: Path | None = None,
) -> None:
    in_folders = folders.truth is not None and (folders.predictions or folders.sources) is not None
    if bool(photos) == in_folders or (photos and (folders.truth or folders.predictions)):
        raise UsageError(
            "give either --truth and --predictions, to judge a folder; or --truth and --sources, or PHOTOS, "
            "to judge a model"
        )
    from .judged import judge_folder, judge_model, judge_model_in_folders
    from .show import show

    if folders.predictions is not None:
        judged = judge_folder(task, folders.predictions, folders, model.limit, require)
        raise typer.Exit(show(task, judged, output, {"predictions": str(folders.predictions)}))
    about = {"model": model.model, "hint": hint, "canvas": model.canvas}
    if effects:
        about["effects"] = True
    if photos:
        judged = judge_model(task, photos, hint, model, require, effects=effects, scenes=scenes)
        raise typer.Exit(show(task, judged, output, about))
    judged = judge_model_in_folders(task, folders, hint, model, require, effects=effects)
    raise typer.Exit(show(task, judged, output, about))
