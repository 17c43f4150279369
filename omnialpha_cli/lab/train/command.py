"""Run `omnialpha train`: the trainings of the networks, by recipes, and the export of embedded weights."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import ModuleType
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
    from .run import Run

app = typer.Typer(no_args_is_help=True, help="Train the networks of a recipe, one after another, and export them.")


def _command(*examples: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Return a decorator that makes a command of a function, with examples at the end of its help."""
    epilog = "\n\n".join(("Examples:", *(f"omnialpha train {example}" for example in examples)))
    return lambda function: app.command(epilog=epilog)(takes_options(function))


@_command(
    "vae mini.toml --photos photos.tar --cutouts cutouts.tar",
    "vae omnialpha-vae.toml --photos photos.tar --start Qwen-Image-Edit-2509 --device cuda",
)
def vae(options: StartOptions, material: MaterialOptions, lpips: Lpips = False) -> None:
    """Train the alpha-aware VAE. Run it again to go on after an interruption."""
    with _run(options, options.start) as (stages, run):
        stages.train_vae(replace(run, lpips=lpips), *_material(material, run))


@_command(
    "image-encoder mini.toml --photos photos.tar --backbone efficientnet-lite0.pth",
    "image-encoder mini.toml --photos photos.tar --cutouts cutouts.tar --backgrounds backgrounds.tar "
    "--backbone efficientnet-lite0.pth",
)
def image_encoder(options: RunOptions, material: MaterialOptions, *, backbone: Backbone) -> None:
    """Adapt the context's image encoder to matting."""
    with _run(options) as (stages, run):
        stages.train_image_encoder(run, _material(material, run)[0], backbone)


@_command(
    "segmenter mini.toml --photos photo-masks.tar --photos photo-mattes.tar --backbone efficientnet-lite2.pth",
    "segmenter mini.toml --photos photos.tar --cutouts cutouts.tar --backgrounds backgrounds.tar "
    "--backgrounds scenes.tar --backbone efficientnet-lite2.pth",
)
def segmenter(options: RunOptions, material: MaterialOptions, *, backbone: Lite2) -> None:
    """Teach the embedded weights which pixels belong to the subject of a picture."""
    with _run(options) as (stages, run):
        stages.train_segmenter(run, _material(material, run)[0], backbone)


@_command(
    "relevance mini.toml --photos photos.tar --cutouts cutouts.tar --words all-MiniLM-L6-v2 "
    "--backbone efficientnet-lite0.pth --class-names imagenet.txt",
    "relevance mini-tasks.toml --photos photos.tar --cutouts cutouts.tar "
    "--backbone efficientnet-lite0.pth --class-names imagenet.txt",
)
def relevance(
    options: RunOptions, material: MaterialOptions, *, backbone: Backbone, class_names: ClassNames, words: Words = None
) -> None:
    """Teach the embedded context where in a picture is what words name."""
    with _run(options) as (stages, run):
        stages.train_relevance(run, _material(material, run)[0], backbone, class_names, words)


@_command(
    "effects mini-tasks.toml --photos photos.tar --backgrounds backgrounds.tar",
    "effects mini-tasks.toml --photos photos.tar --backgrounds backgrounds.tar --triplets triplets",
)
def effects(options: RunOptions, material: MaterialOptions) -> None:
    """Teach the embedded weights which shadows and reflections go with an object."""
    with _run(options) as (stages, run):
        stages.train_effects(run, _material(material, run)[0])


@_command(
    "inpainter mini-gpu.toml --photos photos.tar --backgrounds backgrounds.tar --device cuda",
    "inpainter mini-gpu.toml --photos photos.tar --start weights/mine --run runs/removal",
)
def inpainter(options: StartOptions, material: MaterialOptions) -> None:
    """Teach embedded weights what is likely to be behind an object that is taken out."""
    with _run(options, options.start) as (stages, run):
        stages.train_inpainter(run, _material(material, run)[0])


@_command(
    "generator mini-tasks.toml --cutouts cutouts.tar --backgrounds landscapes",
    "generator mini-tasks.toml --cutouts cutouts.tar --device cuda --run runs/drawing",
)
def generator(options: StartOptions, *, cutouts: NamedCutouts, backgrounds: NamedBackgrounds = None) -> None:
    """Teach the embedded weights to draw cut-outs, and backgrounds, by their names."""
    from .packs import read_packs

    with _run(options, options.start) as (stages, run):
        stages.train_generator(run, read_packs((), cutouts, backgrounds or ()))


@_command(
    "sft mini.toml --photos photos.tar --words all-MiniLM-L6-v2",
    "sft omnialpha-sft.toml --photos photos.tar --cutouts cutouts.tar --backgrounds backgrounds.tar "
    "--start Qwen-Image-Edit-2509 --device cuda",
)
def sft(options: LoraOptions, material: MaterialOptions, words: Words = None) -> None:
    """Train the transformer on the recipe's tasks, or adapters beside it."""
    with _run(options, options.start, options.lora) as (stages, run):
        drawn, held_out = _material(material, run)
        stages.train_sft(run, drawn, words, held_out)


@_command(
    "grpo mine.toml --photos photos.tar --backgrounds backgrounds.tar --start weights/mine",
    "grpo omnialpha-grpo.toml --photos photos.tar --start Qwen-Image-Edit-2509 "
    "--lora runs/sft/sft/lora/pytorch_lora_weights.safetensors --run runs/grpo --device cuda",
)
def grpo(options: LoraOptions, material: MaterialOptions, lpips: Lpips = False) -> None:
    """Reinforce the transformer, or adapters beside it, by rewards on the layers that it makes."""
    with _run(options, options.start, options.lora) as (stages, run):
        stages.train_grpo(replace(run, lpips=lpips), *_material(material, run))


@_command(
    "detail mini-tasks.toml --photos photos.tar --cutouts cutouts.tar --triplets triplets",
    "detail mini-tasks.toml --photos photos.tar --backgrounds backgrounds.tar --start weights/mine",
)
def detail(options: StartOptions, material: MaterialOptions) -> None:
    """Teach embedded weights to refine their mattes, pixel by pixel."""
    with _run(options, options.start) as (stages, run):
        stages.train_detail(run, _material(material, run)[0])


@_command("export mini.toml weights/mine", "export mini.toml omnialpha_cli/weights/mini --name mini")
def export(options: ExportOptions) -> None:
    """Write the trained parts as a weights folder, which `--model` takes, and print their sizes."""
    with _run(options, options.start, options.lora) as (stages, run):
        sizes = stages.export(run, options.name, options.out)
    sizes["total"] = sum(p for p, _ in sizes.values()), sum(s for _, s in sizes.values())
    for part, (parameters, size) in sizes.items():
        say(f"{part:12} {parameters / 1e6:7.2f} M parameters {size / 1e6:7.2f} MB")


@contextmanager
def _run(
    options: RunOptions, start: str | None = None, loras: list[str] | None = None
) -> Iterator[tuple[ModuleType, "Run"]]:
    from ...picture.load import choose_device
    from ...weights.store import parse_adapter
    from . import stages
    from .distributed import joined
    from .recipe import read_recipe
    from .run import Run

    recipe = read_recipe(options.recipe)
    adapters = [parse_adapter(text) for text in loras or []]
    device = choose_device(options.device).type
    options.run.mkdir(parents=True, exist_ok=True)
    with joined(device) as group, TrainingProgress(shown=group.first and sys.stderr.isatty()) as progress:
        run = Run(
            replace(recipe, start=start or recipe.start),
            options.run,
            progress,
            group,
            loras=adapters,
            tensorboard=options.tensorboard,
        )
        yield stages, run


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
