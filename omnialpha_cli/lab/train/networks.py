"""Build the networks of a recipe untrained, or take them from weights that training goes on from."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from ...model.config import Defaults, LoadOptions, TransformerConfig, VAEConfig
from ...model.mini.context import TOKENIZER_FILE, MiniContext, MiniContextConfig
from ...model.mini.generator import Generator, GeneratorConfig
from ...model.mini.light_vae import LightVAE, LightVAEConfig
from ...model.mini.model import SPECIALISTS, Mini, Specialist
from ...model.omnialpha import OmniAlpha
from ...model.published import load as published
from ...model.sampler import Schedule
from ...model.transformer import Transformer
from ...model.vae import AlphaVAE
from ...picture.load import load_model
from ...status import UsageError
from ...tasks import TASKS
from ...weights.store import find
from . import image_encoder, light_vae, lora, sft
from .material import Material
from .recipe import Recipe
from .words import prune

NAMES = "generator.json"  # in a run's folder: the names that its generator knows
NO_START = "this recipe goes on from weights: name them with --start"


def transformer(recipe: Recipe) -> Transformer:
    """Build an untrained transformer; an empty table in the recipe is the published one."""
    return Transformer(TransformerConfig.from_dict(recipe.transformer.network))


def context_config(recipe: Recipe) -> MiniContextConfig:
    """Return the configuration of the embedded context beside the recipe's transformer."""
    config = TransformerConfig.from_dict(recipe.transformer.network)
    return MiniContextConfig(dim=config.joint_attention_dim, rope_canvas=config.rope_canvas or 16)


def alpha_vae(recipe: Recipe) -> AlphaVAE:
    """Return the VAE that the recipe starts from, or an untrained one; a VAE of RGB is made opaque first."""
    if not recipe.start:
        return AlphaVAE(VAEConfig.from_dict(recipe.vae.network))
    weights = find(recipe.start)
    weights.verify()
    if not weights.published:
        raise UsageError(f"{recipe.start} has no VAE of the published architecture")
    vae = published.load_vae(weights.folder, "cpu", torch.float32)
    if isinstance(vae, published.RGBVAE):
        state = AlphaVAE.opaque_init(vae.vae.state_dict())
        vae = AlphaVAE.from_published(state, replace(vae.vae.config, input_channels=4))
    return vae.requires_grad_(True)


def started(recipe: Recipe, folder: Path, loras: Sequence[tuple[Path, float]], device: torch.device) -> OmniAlpha:
    """Return the weights that the recipe starts from, for its tasks; the transformer is still on the CPU.

    What was trained in the run's folder, a relevance or specialists, takes the place of theirs. Weights that stay
    frozen beside adapters keep their own dtype, others are float32.
    """
    dtype = None if recipe.lora else torch.float32
    model = load_model(str(recipe.start), "cpu", dtype, LoadOptions(loras, memory="resident"))
    if isinstance(model.vae, published.RGBVAE):
        raise UsageError(f"{recipe.start} knows no alpha: put a trained rgba_vae/ into it (omnialpha train vae)")
    if isinstance(model.context_encoder, MiniContext) and (folder / "relevance.pt").exists():
        model.context_encoder.relevance.load_state_dict(finished(folder, "relevance"))
    for part in (model.vae, model.context_encoder):
        assert isinstance(part, nn.Module)
        part.to(device).requires_grad_(False)
    defaults = Defaults.from_dict(recipe.defaults) if recipe.defaults else model.defaults
    if isinstance(model, Mini):
        model.specialists |= finished_specialists(recipe, folder, model)
    return replace(model, tasks=_claimed(recipe), defaults=defaults, device=device)


def untrained(folder: Path, recipe: Recipe, material: Material, words: Path, device: torch.device) -> Mini:
    """Return an embedded model with the VAE, image encoder and relevance of a run's folder, and a new transformer."""
    vae = finished_vae(recipe, folder)
    tokenizer, table = read_words(folder, recipe, material, words)
    torch.manual_seed(0)
    context = MiniContext(context_config(recipe), tokenizer)
    context.words.weight.data.copy_(table)
    encoder = image_encoder.MattingEncoder(**recipe.image_encoder.network)
    encoder.load_state_dict(finished(folder, "image-encoder"))
    context.image_encoder.load_state_dict(encoder.encoder.state_dict())
    context.relevance.load_state_dict(finished(folder, "relevance"))
    network = transformer(recipe)
    # A new network predicts nothing: with a residual, that is the input itself.
    nn.init.zeros_(network.proj_out.weight)
    nn.init.zeros_(network.proj_out.bias)
    return put_together(recipe, network, context, vae, device)


def read_words(folder: Path, recipe: Recipe, material: Material, words: Path) -> tuple[Tokenizer, Tensor]:
    """Prune a BERT-style model's word table to what captions use; the tokenizer is left in the run's folder."""
    labels = sorted(material.words())
    prompts = [task.prompt.replace("{text}", "") for task in TASKS.values()]
    tokenizer, table = prune(words, context_config(recipe).vocabulary, [*labels, *prompts])
    tokenizer.save(str(folder / TOKENIZER_FILE), pretty=False)
    return tokenizer, table


def put_together(
    recipe: Recipe, network: Transformer, context: MiniContext, vae: LightVAE, device: torch.device
) -> Mini:
    """Return an embedded model of these networks."""
    return Mini(
        transformer=network,
        vae=vae.to(device, memory_format=torch.channels_last),  # type: ignore[call-overload]
        context_encoder=context,
        prediction="residual",
        tasks=_claimed(recipe),
        defaults=Defaults.from_dict(recipe.defaults),
        schedule=Schedule(shift_terminal=None),  # the last step reaches clean latents
        device=device,
    )


def trained_context(recipe: Recipe, model: OmniAlpha) -> MiniContext | None:
    """Return the context, where it learns along: the embedded one, unless adapters are all that learns."""
    context = model.context_encoder
    return context if isinstance(context, MiniContext) and not recipe.lora else None


def open_for_training(recipe: Recipe, trained: sft.Trained) -> None:
    """Say which parameters learn: adapters, which it puts in, or all of the transformer."""
    if recipe.lora:
        lora.adapt(trained.transformer, recipe.lora)
    else:
        trained.transformer.requires_grad_(True)


def finished_vae(recipe: Recipe, folder: Path) -> LightVAE:
    """Return the light VAE that was trained in a run's folder, frozen."""
    trained = light_vae.TrainedVAE(LightVAEConfig.from_dict(recipe.vae.network))
    trained.load_state_dict(finished(folder, "vae"))
    return trained.finished().requires_grad_(False)


def finished_specialists(recipe: Recipe, folder: Path, model: Mini) -> dict[str, nn.Module]:
    """Return the specialists that were trained in a run's folder, by name."""
    found: dict[str, nn.Module] = {}
    for name, row in SPECIALISTS.items():
        if (folder / f"{name}.pt").exists():
            state = finished(folder, name)
            found[name] = network = specialist(recipe, model, row, state)
            if isinstance(network, Generator) and (folder / NAMES).exists():
                network.config = replace(network.config, **json.loads((folder / NAMES).read_text()))
            network.load_state_dict(state)
            network.requires_grad_(False)
    return found


def specialist(recipe: Recipe, model: Mini, row: Specialist, state: Mapping[str, Tensor]) -> nn.Module:
    """Return an untrained specialist of the sizes that a state dict has."""
    if row.name == "generator":
        return generator(recipe, model, *(len(state.get(f"{kind}.meanings", ())) for kind in ("sketch", "backgrounds")))
    return row.build({}, model)


def generator(recipe: Recipe, model: OmniAlpha, names: int, backgrounds: int) -> Generator:
    """Return the generator of `model` for so many names of objects and of backgrounds.

    Without one it is untrained, but for the image stream of its transformer. With 0 backgrounds it keeps those that it
    knows.
    """
    if not isinstance(model, Mini):
        raise UsageError(f"{recipe.start} draws by itself")
    known, context = model.specialist("generator"), model.context_encoder
    assert isinstance(context, MiniContext)
    own = known.config if isinstance(known, Generator) else GeneratorConfig()
    counts: dict[str, Any] = {"names": names, "backgrounds": backgrounds or own.backgrounds, "known": ()}
    if backgrounds:
        counts["known_backgrounds"] = ()
    config = GeneratorConfig.from_dict({**asdict(own), **recipe.generator.network, **counts})
    new = Generator(config, model.transformer.config, context.tokenizer, context.words.weight)
    state = (known or model.transformer).state_dict()
    fitted = ("sketch.", "backgrounds.") if backgrounds else ("sketch.",)  # anew
    shared = [name for name in new.state_dict() if name in state and not name.startswith(fitted)]
    new.load_state_dict({name: state[name] for name in shared}, strict=False)
    return new


def finished(folder: Path, name: str) -> dict[str, Tensor]:
    """Return what a training left in a run's folder. Raises UsageError if it has not ended."""
    path = folder / f"{name}.pt"
    if not path.exists():
        raise UsageError(f"{path} is missing: run `omnialpha train {name}` first")
    state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def _claimed(recipe: Recipe) -> tuple[str, ...]:
    return recipe.claimed or tuple(name for name in TASKS if recipe.tasks.get(name, 0) > 0)
