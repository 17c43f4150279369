"""`omnialpha train`: the trainings of the networks, by recipes, and the export of embedded weights."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...cli.console import say
from ...cli.options import INPUTS, OUTPUT, option, takes_options
from ...status import UsageError
from .options import SEVERAL, Backbone, Lite2, Loras, Lpips, MaterialOptions, RecipeFile, RunOptions, Start, Words
from .progress import TrainingProgress

if TYPE_CHECKING:
    from .material import Material
    from .stages import Run

app = typer.Typer(no_args_is_help=True, help="Train the networks of a recipe, one after another, and export them.")


@app.command(
    epilog="Examples:\n\n"
    "omnialpha train vae mini.toml --photos photos.tar --cutouts cutouts.tar\n\n"
    "omnialpha train vae omnialpha-vae.toml --photos photos.tar --start Qwen-Image-Edit-2509 --device cuda"
)
@takes_options
def vae(
    recipe: RecipeFile, material: MaterialOptions, run: RunOptions, start: Start = None, lpips: Lpips = False
) -> None:
    """Train the alpha-aware VAE. Run it again to go on after an interruption."""
    from . import stages

    with _run(recipe, run, start) as training:
        stages.train_vae(replace(training, lpips=lpips), *_material(material, training))


@app.command(
    epilog="Examples:\n\n"
    "omnialpha train image-encoder mini.toml --photos photos.tar --backbone efficientnet-lite0.pth\n\n"
    "omnialpha train image-encoder mini.toml --photos photos.tar --cutouts cutouts.tar --backgrounds backgrounds.tar "
    "--backbone efficientnet-lite0.pth"
)
@takes_options
def image_encoder(
    recipe: RecipeFile,
    material: MaterialOptions,
    run: RunOptions,
    *,
    backbone: Backbone,
) -> None:
    """Adapt the context's image encoder to matting."""
    from . import stages

    with _run(recipe, run) as training:
        stages.train_image_encoder(training, _material(material, training)[0], backbone)


@app.command(
    epilog="Examples:\n\n"
    "omnialpha train segmenter mini.toml --photos photo-masks.tar --photos photo-mattes.tar "
    "--backbone efficientnet-lite2.pth\n\n"
    "omnialpha train segmenter mini.toml --photos photos.tar --cutouts cutouts.tar --backgrounds backgrounds.tar "
    "--backgrounds scenes.tar --backbone efficientnet-lite2.pth"
)
@takes_options
def segmenter(
    recipe: RecipeFile,
    material: MaterialOptions,
    run: RunOptions,
    *,
    backbone: Lite2,
) -> None:
    """Teach the embedded weights which pixels belong to the subject of a picture."""
    from . import stages

    with _run(recipe, run) as training:
        stages.train_segmenter(training, _material(material, training)[0], backbone)


@app.command(
    epilog="Examples:\n\n"
    "omnialpha train relevance mini.toml --photos photos.tar --cutouts cutouts.tar --words all-MiniLM-L6-v2 "
    "--backbone efficientnet-lite0.pth --class-names imagenet.txt\n\n"
    "omnialpha train relevance mini-tasks.toml --photos photos.tar --cutouts cutouts.tar "
    "--backbone efficientnet-lite0.pth --class-names imagenet.txt"
)
@takes_options
def relevance(
    recipe: RecipeFile,
    material: MaterialOptions,
    run: RunOptions,
    *,
    backbone: Backbone,
    class_names: Annotated[
        Path,
        option(
            "--class-names", panel=INPUTS, exists=True, dir_okay=False,
            help="The names of its 1,000 classes, one a line, in their order.",
        ),
    ],
    words: Words = None,
) -> None:  # fmt: skip
    """Teach the embedded context where in a picture is what words name."""
    from . import stages

    with _run(recipe, run) as training:
        stages.train_relevance(training, _material(material, training)[0], backbone, class_names, words)


@app.command(
    epilog="Examples:\n\n"
    "omnialpha train effects mini-tasks.toml --photos photos.tar --backgrounds backgrounds.tar\n\n"
    "omnialpha train effects mini-tasks.toml --photos photos.tar --backgrounds backgrounds.tar --triplets triplets"
)
@takes_options
def effects(recipe: RecipeFile, material: MaterialOptions, run: RunOptions) -> None:
    """Teach the embedded weights which shadows and reflections go with an object."""
    from . import stages

    with _run(recipe, run) as training:
        stages.train_effects(training, _material(material, training)[0])


@app.command(
    epilog="Examples:\n\n"
    "omnialpha train inpainter mini-gpu.toml --photos photos.tar --backgrounds backgrounds.tar --device cuda\n\n"
    "omnialpha train inpainter mini-gpu.toml --photos photos.tar --start weights/mine --run runs/removal"
)
@takes_options
def inpainter(recipe: RecipeFile, material: MaterialOptions, run: RunOptions, start: Start = None) -> None:
    """Teach embedded weights what is likely to be behind an object that is taken out."""
    from . import stages

    with _run(recipe, run, start) as training:
        stages.train_inpainter(training, _material(material, training)[0])


@app.command(
    epilog="Examples:\n\n"
    "omnialpha train generator mini-tasks.toml --cutouts cutouts.tar --backgrounds landscapes\n\n"
    "omnialpha train generator mini-tasks.toml --cutouts cutouts.tar --device cuda --run runs/drawing"
)
@takes_options
def generator(
    recipe: RecipeFile,
    run: RunOptions,
    *,
    cutouts: Annotated[
        list[Path],
        option("--cutouts", panel=INPUTS, exists=True, help=f"RGBA cut-outs with names: a tar or a folder{SEVERAL}."),
    ],
    backgrounds: Annotated[
        list[Path] | None,
        option(
            "--backgrounds",
            panel=INPUTS,
            exists=True,
            show_default=False,
            help=f"Backgrounds with names: a tar or a folder{SEVERAL}.",
        ),
    ] = None,
    start: Start = None,
) -> None:
    """Teach the embedded weights to draw cut-outs, and backgrounds, by their names."""
    from . import stages
    from .packs import read_packs

    with _run(recipe, run, start) as training:
        stages.train_generator(training, read_packs((), cutouts, backgrounds or ()))


@app.command(
    epilog="Examples:\n\n"
    "omnialpha train sft mini.toml --photos photos.tar --words all-MiniLM-L6-v2\n\n"
    "omnialpha train sft omnialpha-sft.toml --photos photos.tar --cutouts cutouts.tar --backgrounds backgrounds.tar "
    "--start Qwen-Image-Edit-2509 --device cuda"
)
@takes_options
def sft(
    recipe: RecipeFile,
    material: MaterialOptions,
    run: RunOptions,
    start: Start = None,
    lora: Loras = None,
    words: Words = None,
) -> None:
    """Train the transformer on the recipe's tasks, or adapters beside it."""
    from . import stages

    with _run(recipe, run, start, lora) as training:
        drawn, held_out = _material(material, training)
        stages.train_sft(training, drawn, words, held_out)


@app.command(
    epilog="Examples:\n\n"
    "omnialpha train grpo mine.toml --photos photos.tar --backgrounds backgrounds.tar --start weights/mine\n\n"
    "omnialpha train grpo omnialpha-grpo.toml --photos photos.tar --start Qwen-Image-Edit-2509 "
    "--lora runs/sft/sft/lora/pytorch_lora_weights.safetensors --run runs/grpo --device cuda"
)
@takes_options
def grpo(
    recipe: RecipeFile,
    material: MaterialOptions,
    run: RunOptions,
    start: Start = None,
    lora: Loras = None,
    lpips: Lpips = False,
) -> None:
    """Reinforce the transformer, or adapters beside it, by rewards on the layers that it makes."""
    from . import stages

    with _run(recipe, run, start, lora) as training:
        stages.train_grpo(replace(training, lpips=lpips), *_material(material, training))


@app.command(
    epilog="Examples:\n\n"
    "omnialpha train detail mini-tasks.toml --photos photos.tar --cutouts cutouts.tar --triplets triplets\n\n"
    "omnialpha train detail mini-tasks.toml --photos photos.tar --backgrounds backgrounds.tar --start weights/mine"
)
@takes_options
def detail(recipe: RecipeFile, material: MaterialOptions, run: RunOptions, start: Start = None) -> None:
    """Teach embedded weights a second look at their mattes, pixel by pixel."""
    from . import stages

    with _run(recipe, run, start) as training:
        stages.train_detail(training, _material(material, training)[0])


@app.command(
    epilog="Examples:\n\n"
    "omnialpha train export mini.toml weights/mine\n\n"
    "omnialpha train export mini.toml omnialpha_cli/weights/mini --name mini"
)
@takes_options
def export(
    recipe: RecipeFile,
    out: Annotated[Path, typer.Argument(help="The weights folder to write.")],
    run: RunOptions,
    name: Annotated[str, option("--name", panel=OUTPUT, help="Name of the weights, in config.json.")] = "mini",
    start: Start = None,
    lora: Loras = None,
) -> None:
    """Write the trained parts as a weights folder, which `--model` takes, and print their sizes."""
    from . import stages

    with _run(recipe, run, start, lora) as training:
        sizes = stages.export(training, name, out)
    for part, (parameters, size) in sizes.items():
        say(f"{part:12} {parameters / 1e6:7.2f} M parameters {size / 1e6:7.2f} MB")
    say(f"{'total':12} {sum(p for p, _ in sizes.values()) / 1e6:7.2f} M parameters "
        f"{sum(s for _, s in sizes.values()) / 1e6:7.2f} MB")  # fmt: skip


@contextmanager
def _run(
    recipe: Path, options: RunOptions, start: str | None = None, loras: list[str] | None = None
) -> Iterator["Run"]:
    from ...picture.load import choose_device
    from ...weights.store import parse
    from .distributed import joined
    from .recipe import read_recipe
    from .stages import Run

    read = read_recipe(recipe)
    adapters = [parse(text) for text in loras or []]
    device = choose_device(options.device).type
    options.run.mkdir(parents=True, exist_ok=True)
    with joined(device) as group, TrainingProgress(shown=group.first and sys.stderr.isatty()) as progress:
        yield Run(
            replace(read, start=start or read.start),
            options.run,
            progress,
            group,
            loras=[(adapter.path, adapter.strength) for adapter in adapters],
            tensorboard=options.tensorboard,
        )


def _material(options: MaterialOptions, training: "Run") -> tuple["Material", "Material | None"]:
    """To train on, and held out for the validation pictures."""
    from ..data.shards import Shards
    from .material import make_material
    from .packs import read_packs

    if not options.photos and options.triplets is None:
        raise UsageError("give --photos or --triplets to train on")
    if training.group.first:
        training.report.say("reading the packs")
    packs = read_packs(options.photos or (), options.cutouts or (), options.backgrounds or ())
    held_out = make_material(replace(packs, photos=packs.photos_val)) if packs.photos_val else None
    return make_material(packs, Shards(options.triplets, training=True) if options.triplets else None), held_out
