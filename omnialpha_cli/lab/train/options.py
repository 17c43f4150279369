"""Define the options that the commands of `omnialpha train` share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from ...cli.options import INPUTS, MODEL, OUTPUT, RUN, option

Backbone = Annotated[
    Path, option("--backbone", panel=INPUTS, help="EfficientNet-Lite0 state dict.", exists=True, dir_okay=False)
]
Lite2 = Annotated[
    Path, option("--backbone", panel=INPUTS, help="EfficientNet-Lite2 state dict.", exists=True, dir_okay=False)
]
Words = Annotated[
    Path | None,
    option("--words", panel=INPUTS, exists=True, file_okay=False,
           help="Folder of a BERT-style model; not for recipes that start from weights."),
]  # fmt: skip
Lpips = Annotated[
    bool,
    option("--lpips", panel=MODEL,
           help="LPIPS on VGG16, by the package lpips; else the distance of the embedded weights' features."),
]  # fmt: skip

ClassNames = Annotated[
    Path,
    option("--class-names", panel=INPUTS, exists=True, dir_okay=False,
           help="The names of its 1,000 classes, one a line, in their order."),
]  # fmt: skip
SEVERAL = "; may be given several times"
NamedCutouts = Annotated[
    list[Path],
    option("--cutouts", panel=INPUTS, exists=True, help=f"RGBA cut-outs with names: a tar or a folder{SEVERAL}."),
]
NamedBackgrounds = Annotated[
    list[Path] | None,
    option("--backgrounds", panel=INPUTS, exists=True, show_default=False,
           help=f"Backgrounds with names: a tar or a folder{SEVERAL}."),
]  # fmt: skip


# fmt: off
@dataclass(frozen=True)
class MaterialOptions:
    """Choose what training draws from: packs, or triplets that were built, or both."""

    photos: Annotated[list[Path] | None, option(
        "--photos", panel=INPUTS, exists=True, show_default=False,
        help=f"Photographs with mattes: a tar or a folder{SEVERAL}.")] = None
    cutouts: Annotated[list[Path] | None, option(
        "--cutouts", panel=INPUTS, exists=True, show_default=False,
        help=f"RGBA cut-outs: a tar or a folder{SEVERAL}.")] = None
    backgrounds: Annotated[list[Path] | None, option(
        "--backgrounds", panel=INPUTS, exists=True, show_default=False,
        help=f"Backgrounds: a tar or a folder{SEVERAL}.")] = None
    triplets: Annotated[Path | None, option(
        "--triplets", panel=INPUTS, help="Folder of shards from `omnialpha data build`.", exists=True)] = None


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """Choose what a training follows, and where it lives and runs."""

    recipe: Annotated[Path, typer.Argument(
        help="A recipe (TOML): a file, or the name of one of the package, such as mini.toml.")]
    run: Annotated[Path, option(
        "--run", panel=OUTPUT, help="Folder of the run: checkpoints, logs and trained parts.")] = Path("runs/mini")
    tensorboard: Annotated[bool, option(
        "--tensorboard", panel=OUTPUT, help="Also write TensorBoard's event files.")] = False
    device: Annotated[Literal["auto", "cpu", "cuda", "mps"], option(
        "--device", panel=RUN, help="In each process that torchrun started, its own GPU for cuda.")] = "auto"


@dataclass(frozen=True, kw_only=True)
class StartOptions(RunOptions):
    """Choose the weights that a training goes on from, too."""

    start: Annotated[str | None, option(
        "--start", panel=MODEL, metavar="NAME|DIR", help="Weights to go on from, in place of the recipe's.")] = None


@dataclass(frozen=True, kw_only=True)
class LoraOptions(StartOptions):
    """Choose the weights that a training goes on from, and adapters to merge into them."""

    lora: Annotated[list[str] | None, option(
        "--lora", panel=MODEL, metavar="PATH[:STRENGTH]", show_default=False,
        help="A LoRA to merge into the weights to go on from; may be given several times.")] = None


@dataclass(frozen=True, kw_only=True)
class ExportOptions(LoraOptions):
    """Choose the weights folder to write."""

    out: Annotated[Path, typer.Argument(help="The weights folder to write.")]
    name: Annotated[str, option("--name", panel=OUTPUT, help="Name of the weights, in config.json.")] = "mini"
# fmt: on
