"""The trainings of the embedded weights, in order: `vae`, `image-encoder`, `transformer`; then `export`.

Each keeps its checkpoints and log below the run's folder and leaves its averaged weights there as `NAME.pt`. A stage
that was interrupted goes on where its last checkpoint stands.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..imaging.canvas import choose_canvas
from ..model.config import TransformerConfig
from ..model.context.image_encoder import fold_published
from ..model.context.mini import TOKENIZER_FILE, MiniContext, MiniContextConfig, load_tokenizer
from ..model.light_vae import LightVAE, LightVAEConfig
from ..model.omnialpha import Defaults, OmniAlpha
from ..model.sampler import Schedule
from ..model.transformer import Transformer
from ..status import UsageError
from ..tasks import TASKS
from ..weights.store import find
from . import image_encoder, sft, vae
from .examples import Material
from .export import write_weights
from .loop import Loss, train
from .loop import Schedule as Stage
from .recipe import Recipe
from .words import prune

Report = Callable[[str], None]


@dataclass(frozen=True)
class Run:
    """One training run: its recipe, the folder it lives in, and where it says how it goes."""

    recipe: Recipe
    folder: Path
    report: Report
    device: str = "cpu"


def canvas_size(height: int, width: int, side: int) -> tuple[int, int]:
    """(h, w) of the canvas that the product would choose."""
    return choose_canvas(height, width, side).size


def train_vae(run: Run, material: Material) -> None:
    """Train the light VAE."""
    model = vae.TrainedVAE(LightVAEConfig.from_dict(run.recipe.vae.network))
    _train_stages(run, "vae", model, run.recipe.vae.stages, lambda stage: vae.make_loss(material, stage))


def train_image_encoder(run: Run, material: Material, backbone: Path) -> None:
    """Adapt the pretrained `backbone` (the published EfficientNet-Lite0 state dict) to matting."""
    model = image_encoder.MattingEncoder(**run.recipe.image_encoder.network)
    published = torch.load(backbone, map_location="cpu", weights_only=True)
    model.encoder.backbone.load_state_dict(fold_published(published))

    def loss(stage: Stage) -> Loss:
        return image_encoder.make_loss(material, stage, canvas_size)

    _train_stages(run, "image-encoder", model, run.recipe.image_encoder.stages, loss)


def train_transformer(run: Run, material: Material, words: Path | None) -> None:
    """Train the transformer and the context's projections.

    `words` is a BERT-style model folder, for its word table; not needed where the recipe starts from weights.
    """
    if run.recipe.start:
        trained = _started(run)
    elif words is None:
        raise UsageError("--words is needed, unless the recipe starts from weights")
    else:
        trained = _untrained_transformer(run, material, words)
    model = put_together(run, trained)

    def loss(stage: Stage) -> Loss:
        return sft.make_loss(material, model, run.recipe.tasks, stage, canvas_size, sft.Flow())

    _train_stages(run, "transformer", trained, run.recipe.transformer.stages, loss)


def export(run: Run, name: str, out: Path) -> dict[str, tuple[int, int]]:
    """Write the trained parts as a weights folder; returns (parameters, bytes) of each."""
    state = _finished(run, "transformer")
    if run.recipe.start:
        trained = _started(run)
    else:
        trained = sft.Trained(_transformer(run), MiniContext(_context_config(run), load_tokenizer(run.folder)))
    trained.load_state_dict(state)
    return write_weights(put_together(run, trained), name, out)


def put_together(run: Run, trained: sft.Trained) -> OmniAlpha:
    """The model that shares the modules being trained, with the frozen VAE."""
    frozen = _start(run).vae if run.recipe.start else _trained_vae(run)
    assert isinstance(frozen, LightVAE)
    return OmniAlpha(
        transformer=trained.transformer,
        vae=frozen.to(run.device, memory_format=torch.channels_last),  # type: ignore[call-overload]
        context_encoder=trained.context,
        prediction="residual",
        tasks=run.recipe.claimed or tuple(name for name in TASKS if run.recipe.tasks.get(name, 0) > 0),
        defaults=Defaults(**run.recipe.defaults),
        schedule=Schedule(shift_terminal=None),  # the last step reaches clean latents
        device=run.device,
    )


def _start(run: Run) -> OmniAlpha:
    """The weights that the recipe starts from."""
    weights = find(str(run.recipe.start))
    weights.verify()
    return OmniAlpha.load(weights.folder)


def _started(run: Run) -> sft.Trained:
    model = _start(run)
    assert isinstance(model.context_encoder, MiniContext)
    model.context_encoder.tokenizer.save(str(run.folder / TOKENIZER_FILE), pretty=False)
    return sft.Trained(model.transformer, model.context_encoder)


def _trained_vae(run: Run) -> LightVAE:
    trained = vae.TrainedVAE(LightVAEConfig.from_dict(run.recipe.vae.network))
    trained.load_state_dict(_finished(run, "vae"))
    return trained.finished().requires_grad_(False)


def _untrained_transformer(run: Run, material: Material, words: Path) -> sft.Trained:
    config = _context_config(run)
    labels = sorted(material.words())
    prompts = [task.prompt.replace("{text}", "") for task in TASKS.values()]
    tokenizer, table = prune(words, config.vocabulary, [*labels, *prompts])
    tokenizer.save(str(run.folder / TOKENIZER_FILE), pretty=False)
    torch.manual_seed(0)
    context = MiniContext(config, tokenizer)
    context.words.weight.data.copy_(table)
    encoder = image_encoder.MattingEncoder(**run.recipe.image_encoder.network)
    encoder.load_state_dict(_finished(run, "image-encoder"))
    context.image_encoder.load_state_dict(encoder.encoder.state_dict())
    transformer = _transformer(run)
    # A new network predicts nothing: with a residual, that is the input itself.
    nn.init.zeros_(transformer.proj_out.weight)
    nn.init.zeros_(transformer.proj_out.bias)
    return sft.Trained(transformer, context)


def _transformer(run: Run) -> Transformer:
    return Transformer(TransformerConfig.from_dict(run.recipe.transformer.network))


def _context_config(run: Run) -> MiniContextConfig:
    config = TransformerConfig.from_dict(run.recipe.transformer.network)
    return MiniContextConfig(dim=config.joint_attention_dim, rope_canvas=config.rope_canvas or 16)


def _train_stages(
    run: Run, name: str, model: nn.Module, stages: tuple[Stage, ...], loss: Callable[[Stage], Loss]
) -> None:
    for number, stage in enumerate(stages, 1):
        done = run.folder / f"{name}-{number}.pt"
        if done.exists():
            model.load_state_dict(torch.load(done, map_location="cpu", weights_only=True))
            continue
        train(model, loss(stage), stage, run.folder / f"{name}-{number}", run.report, run.device)
        torch.save(model.state_dict(), done)
    torch.save(model.state_dict(), run.folder / f"{name}.pt")


def _finished(run: Run, name: str) -> dict[str, torch.Tensor]:
    path = run.folder / f"{name}.pt"
    if not path.exists():
        raise UsageError(f"{path} is missing: run `omnialpha train {name}` first")
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state

