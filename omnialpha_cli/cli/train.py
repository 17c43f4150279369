"""`omnialpha train`: the trainings that make the embedded weights, and their export."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .console import say
from .options import INPUTS, OUTPUT, RUN, option

if TYPE_CHECKING:
    from ..training.examples import Material
    from ..training.stages import Run

app = typer.Typer(no_args_is_help=True, help="Train the networks of a recipe, one after another, and export them.")

RecipeFile = Annotated[Path, typer.Argument(help="A recipe (TOML).", exists=True, dir_okay=False)]
Photos = Annotated[
    Path | None, option("--photos", panel=INPUTS, help="Photographs with mattes: a tar or a folder.", exists=True)
]
Cutouts = Annotated[
    Path | None, option("--cutouts", panel=INPUTS, help="RGBA cut-outs: a tar or a folder.", exists=True)
]
Backgrounds = Annotated[
    Path | None, option("--backgrounds", panel=INPUTS, help="Backgrounds: a tar or a folder.", exists=True)
]
Triplets = Annotated[
    Path | None, option("--triplets", panel=INPUTS, help="Folder of shards from `omnialpha data build`.", exists=True)
]
RunFolder = Annotated[
    Path, option("--run", panel=OUTPUT, help="Folder of the run: checkpoints, logs and trained parts.")
]
Device = Annotated[str, option("--device", panel=RUN, help="cpu, cuda or mps.")]

_DEFAULT_RUN = Path("runs/mini")


@app.command(
    epilog="Examples:\n\n"
    "omnialpha train vae mini.toml --photos photos.tar --cutouts cutouts.tar\n\n"
    "omnialpha train vae mini.toml --photos photos.tar --run runs/wide --device cuda"
)
def vae(
    recipe: RecipeFile,
    photos: Photos = None,
    cutouts: Cutouts = None,
    backgrounds: Backgrounds = None,
    triplets: Triplets = None,
    run: RunFolder = _DEFAULT_RUN,
    device: Device = "cpu",
) -> None:
    """Train the alpha-aware VAE. Run it again to go on after an interruption."""
    from ..training import stages

    stages.train_vae(_run(recipe, run, device), _material(photos, cutouts, backgrounds, triplets))


@app.command(
    epilog="Examples:\n\n"
    "omnialpha train image-encoder mini.toml --photos photos.tar --backbone efficientnet-lite0.pth\n\n"
    "omnialpha train image-encoder mini.toml --photos photos.tar --cutouts cutouts.tar --backgrounds backgrounds.tar "
    "--backbone efficientnet-lite0.pth"
)
def image_encoder(
    recipe: RecipeFile,
    backbone: Annotated[
        Path, option("--backbone", panel=INPUTS, help="EfficientNet-Lite0 state dict.", exists=True, dir_okay=False)
    ],
    photos: Photos = None,
    cutouts: Cutouts = None,
    backgrounds: Backgrounds = None,
    triplets: Triplets = None,
    run: RunFolder = _DEFAULT_RUN,
    device: Device = "cpu",
) -> None:
    """Adapt the context's image encoder to matting."""
    from ..training import stages

    stages.train_image_encoder(_run(recipe, run, device), _material(photos, cutouts, backgrounds, triplets), backbone)


@app.command(
    epilog="Examples:\n\n"
    "omnialpha train transformer mini.toml --photos photos.tar --words all-MiniLM-L6-v2\n\n"
    "omnialpha train transformer mini-tasks.toml --photos photos.tar --cutouts cutouts.tar "
    "--backgrounds backgrounds.tar --device cuda"
)
def transformer(
    recipe: RecipeFile,
    photos: Photos = None,
    words: Annotated[
        Path | None,
        option(
            "--words", panel=INPUTS, exists=True, file_okay=False,
            help="Folder of a BERT-style model; not for recipes that start from weights.",
        ),
    ] = None,
    cutouts: Cutouts = None,
    backgrounds: Backgrounds = None,
    triplets: Triplets = None,
    run: RunFolder = _DEFAULT_RUN,
    device: Device = "cpu",
) -> None:
    """Train the transformer on the recipe's tasks, after the VAE and the image encoder."""
    from ..training import stages

    stages.train_transformer(_run(recipe, run, device), _material(photos, cutouts, backgrounds, triplets), words)


@app.command(
    epilog="Examples:\n\n"
    "omnialpha train export mini.toml weights/mine\n\n"
    "omnialpha train export mini.toml omnialpha_cli/weights/mini --name mini"
)
def export(
    recipe: RecipeFile,
    out: Annotated[Path, typer.Argument(help="The weights folder to write.")],
    name: Annotated[str, option("--name", panel=OUTPUT, help="Name of the weights, in config.json.")] = "mini",
    run: RunFolder = _DEFAULT_RUN,
) -> None:
    """Write the trained parts as a weights folder, which `--model` takes, and print their sizes."""
    from ..training import stages

    sizes = stages.export(_run(recipe, run, "cpu"), name, out)
    for part, (parameters, size) in sizes.items():
        say(f"{part:12} {parameters / 1e6:7.2f} M parameters {size / 1e6:7.2f} MB")
    say(f"{'total':12} {sum(p for p, _ in sizes.values()) / 1e6:7.2f} M parameters "
        f"{sum(s for _, s in sizes.values()) / 1e6:7.2f} MB")  # fmt: skip


def _run(recipe: Path, folder: Path, device: str) -> "Run":
    from ..training.recipe import read_recipe
    from ..training.stages import Run

    folder.mkdir(parents=True, exist_ok=True)
    return Run(read_recipe(recipe), folder, say, device)


def _material(
    photos: Path | None, cutouts: Path | None, backgrounds: Path | None, triplets: Path | None
) -> "Material":
    from ..status import UsageError
    from ..training.data.shards import Shards
    from ..training.examples import make_material
    from ..training.packs import read_packs

    if photos is None and triplets is None:
        raise UsageError("give --photos or --triplets to train on")
    say("reading the packs")
    shards = Shards(triplets, training=True) if triplets else None
    return make_material(read_packs(photos, cutouts, backgrounds), shards)
