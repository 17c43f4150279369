"""Run `omnialpha train`: the trainings of the networks, by recipes, and the export of embedded weights."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from ...cli.options import takes_options
from ...cli.streams import say
from ...status import UsageError
from .options import (
    Backbone,
    ClassNames,
    ExportOptions,
    Lite2,
    LoraOptions,
    Lpips,
    MaterialOptions,
    NamedBackgrounds,
    NamedCutouts,
    RunOptions,
    StartOptions,
    Words,
)
from .progress import TrainingProgress

if TYPE_CHECKING:
    from .material import Material
    from .stages import Run

app = typer.Typer(no_args_is_help=True, help="Train the networks of a recipe, one after another, and export them.")


def _examples(*commands: str) -> str:
    return "\n\n".join(("Examples:", *(f"omnialpha train {command}" for command in commands)))


@app.command(
    epilog=_examples(
        "vae mini.toml --photos photos.tar --cutouts cutouts.tar",
        "vae omnialpha-vae.toml --photos photos.tar --start Qwen-Image-Edit-2509 --device cuda",
    )
)
@takes_options
def vae(options: StartOptions, material: MaterialOptions, lpips: Lpips = False) -> None:
    """Train the alpha-aware VAE. Run it again to go on after an interruption."""
    from . import stages

    with _run(options, options.start) as run:
        stages.train_vae(replace(run, lpips=lpips), *_material(material, run))


@app.command(
    epilog=_examples(
        "image-encoder mini.toml --photos photos.tar --backbone efficientnet-lite0.pth",
        "image-encoder mini.toml --photos photos.tar --cutouts cutouts.tar --backgrounds backgrounds.tar "
        "--backbone efficientnet-lite0.pth",
    )
)
@takes_options
def image_encoder(options: RunOptions, material: MaterialOptions, *, backbone: Backbone) -> None:
    """Adapt the context's image encoder to matting."""
    from . import stages

    with _run(options) as run:
        stages.train_image_encoder(run, _material(material, run)[0], backbone)


@app.command(
    epilog=_examples(
        "segmenter mini.toml --photos photo-masks.tar --photos photo-mattes.tar --backbone efficientnet-lite2.pth",
        "segmenter mini.toml --photos photos.tar --cutouts cutouts.tar --backgrounds backgrounds.tar "
        "--backgrounds scenes.tar --backbone efficientnet-lite2.pth",
    )
)
@takes_options
def segmenter(options: RunOptions, material: MaterialOptions, *, backbone: Lite2) -> None:
    """Teach the embedded weights which pixels belong to the subject of a picture."""
    from . import stages

    with _run(options) as run:
        stages.train_segmenter(run, _material(material, run)[0], backbone)


@app.command(
    epilog=_examples(
        "relevance mini.toml --photos photos.tar --cutouts cutouts.tar --words all-MiniLM-L6-v2 "
        "--backbone efficientnet-lite0.pth --class-names imagenet.txt",
        "relevance mini-tasks.toml --photos photos.tar --cutouts cutouts.tar "
        "--backbone efficientnet-lite0.pth --class-names imagenet.txt",
    )
)
@takes_options
def relevance(
    options: RunOptions, material: MaterialOptions, *, backbone: Backbone, class_names: ClassNames, words: Words = None
) -> None:
    """Teach the embedded context where in a picture is what words name."""
    from . import stages

    with _run(options) as run:
        stages.train_relevance(run, _material(material, run)[0], backbone, class_names, words)


@app.command(
    epilog=_examples(
        "effects mini-tasks.toml --photos photos.tar --backgrounds backgrounds.tar",
        "effects mini-tasks.toml --photos photos.tar --backgrounds backgrounds.tar --triplets triplets",
    )
)
@takes_options
def effects(options: RunOptions, material: MaterialOptions) -> None:
    """Teach the embedded weights which shadows and reflections go with an object."""
    from . import stages

    with _run(options) as run:
        stages.train_effects(run, _material(material, run)[0])


@app.command(
    epilog=_examples(
        "inpainter mini-gpu.toml --photos photos.tar --backgrounds backgrounds.tar --device cuda",
        "inpainter mini-gpu.toml --photos photos.tar --start weights/mine --run runs/removal",
    )
)
@takes_options
def inpainter(options: StartOptions, material: MaterialOptions) -> None:
    """Teach embedded weights what is likely to be behind an object that is taken out."""
    from . import stages

    with _run(options, options.start) as run:
        stages.train_inpainter(run, _material(material, run)[0])


@app.command(
    epilog=_examples(
        "generator mini-tasks.toml --cutouts cutouts.tar --backgrounds landscapes",
        "generator mini-tasks.toml --cutouts cutouts.tar --device cuda --run runs/drawing",
    )
)
@takes_options
def generator(options: StartOptions, *, cutouts: NamedCutouts, backgrounds: NamedBackgrounds = None) -> None:
    """Teach the embedded weights to draw cut-outs, and backgrounds, by their names."""
    from . import stages
    from .packs import read_packs

    with _run(options, options.start) as run:
        stages.train_generator(run, read_packs((), cutouts, backgrounds or ()))


@app.command(
    epilog=_examples(
        "sft mini.toml --photos photos.tar --words all-MiniLM-L6-v2",
        "sft omnialpha-sft.toml --photos photos.tar --cutouts cutouts.tar --backgrounds backgrounds.tar "
        "--start Qwen-Image-Edit-2509 --device cuda",
    )
)
@takes_options
def sft(options: LoraOptions, material: MaterialOptions, words: Words = None) -> None:
    """Train the transformer on the recipe's tasks, or adapters beside it."""
    from . import stages

    with _run(options, options.start, options.lora) as run:
        drawn, held_out = _material(material, run)
        stages.train_sft(run, drawn, words, held_out)


@app.command(
    epilog=_examples(
        "grpo mine.toml --photos photos.tar --backgrounds backgrounds.tar --start weights/mine",
        "grpo omnialpha-grpo.toml --photos photos.tar --start Qwen-Image-Edit-2509 "
        "--lora runs/sft/sft/lora/pytorch_lora_weights.safetensors --run runs/grpo --device cuda",
    )
)
@takes_options
def grpo(options: LoraOptions, material: MaterialOptions, lpips: Lpips = False) -> None:
    """Reinforce the transformer, or adapters beside it, by rewards on the layers that it makes."""
    from . import stages

    with _run(options, options.start, options.lora) as run:
        stages.train_grpo(replace(run, lpips=lpips), *_material(material, run))


@app.command(
    epilog=_examples(
        "detail mini-tasks.toml --photos photos.tar --cutouts cutouts.tar --triplets triplets",
        "detail mini-tasks.toml --photos photos.tar --backgrounds backgrounds.tar --start weights/mine",
    )
)
@takes_options
def detail(options: StartOptions, material: MaterialOptions) -> None:
    """Teach embedded weights to refine their mattes, pixel by pixel."""
    from . import stages

    with _run(options, options.start) as run:
        stages.train_detail(run, _material(material, run)[0])


@app.command(
    epilog=_examples("export mini.toml weights/mine", "export mini.toml omnialpha_cli/weights/mini --name mini")
)
@takes_options
def export(options: ExportOptions) -> None:
    """Write the trained parts as a weights folder, which `--model` takes, and print their sizes."""
    from . import stages

    with _run(options, options.start, options.lora) as run:
        sizes = stages.export(run, options.name, options.out)
    sizes["total"] = sum(p for p, _ in sizes.values()), sum(s for _, s in sizes.values())
    for part, (parameters, size) in sizes.items():
        say(f"{part:12} {parameters / 1e6:7.2f} M parameters {size / 1e6:7.2f} MB")


@contextmanager
def _run(options: RunOptions, start: str | None = None, loras: list[str] | None = None) -> Iterator["Run"]:
    from ...picture.load import choose_device
    from ...weights.store import parse_adapter
    from .distributed import joined
    from .recipe import read_recipe
    from .stages import Run

    recipe = read_recipe(options.recipe)
    adapters = [parse_adapter(text) for text in loras or []]
    device = choose_device(options.device).type
    options.run.mkdir(parents=True, exist_ok=True)
    with joined(device) as group, TrainingProgress(shown=group.first and sys.stderr.isatty()) as progress:
        yield Run(
            replace(recipe, start=start or recipe.start),
            options.run,
            progress,
            group,
            loras=[(adapter.path, adapter.strength) for adapter in adapters],
            tensorboard=options.tensorboard,
        )


def _material(options: MaterialOptions, run: "Run") -> tuple["Material", "Material | None"]:
    """Read the material to train on, and what is held out for the validation pictures."""
    from ..data.shards import Shards
    from .material import make_material
    from .packs import read_packs

    if not options.photos and options.triplets is None:
        raise UsageError("give --photos or --triplets to train on")
    if run.group.first:
        run.report.say("reading the packs")
    packs = read_packs(options.photos or (), options.cutouts or (), options.backgrounds or ())
    held_out = make_material(replace(packs, photos=packs.photos_val)) if packs.photos_val else None
    return make_material(packs, Shards(options.triplets, training=True) if options.triplets else None), held_out
