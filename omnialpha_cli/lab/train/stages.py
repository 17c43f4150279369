"""Run the trainings, one function each, in the order of this file; then export embedded weights.

Each keeps its checkpoints and logs below the run's folder and leaves its averaged weights there as `NAME.pt`; what is
for the published layout lies ready in a folder of its name. A stage that was interrupted goes on from its last
checkpoint.
"""

import copy
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import nn

from ...imaging.canvas import choose_canvas
from ...model.mini.context import TOKENIZER_FILE, MiniContext, load_tokenizer
from ...model.mini.detail import Detail
from ...model.mini.effects import Effects
from ...model.mini.inpainter import Inpainter
from ...model.mini.light_vae import LightVAEConfig
from ...model.mini.model import SPECIALISTS, Mini
from ...model.mini.segmenter import Segmenter
from ...model.omnialpha import OmniAlpha
from ...status import UsageError
from . import (
    detail,
    effects,
    generator,
    grpo,
    image_encoder,
    inpainter,
    light_vae,
    lora,
    networks,
    relevance,
    rewards,
    segmenter,
    sft,
)
from . import vae as alpha_vae
from .export import write_alpha_vae, write_transformer, write_weights
from .loop import Objective
from .loop import Schedule as Stage
from .material import Material, make_material
from .packs import Packs
from .perceptual import load_distance
from .recipe import Part
from .run import Run, train_stages

NEW = {"detail": Detail, "effects": Effects, "inpainter": Inpainter}  # those that need nothing to be built
NO_WORDS = "--words is needed, unless the recipe starts from weights"


def canvas_size(height: int, width: int, side: int) -> tuple[int, int]:
    """Return (h, w) of the canvas that the product would choose."""
    return choose_canvas(height, width, side).size


def train_vae(run: Run, material: Material, held_out: Material | None = None) -> None:
    """Train the recipe's VAE: the light one, or with `[vae.loss]` the published one."""
    recipe, device = run.recipe, run.group.device
    torch.manual_seed(0)
    if recipe.vae_loss is None:
        light = light_vae.TrainedVAE(LightVAEConfig.from_dict(recipe.vae.network))
        train_stages(run, "vae", light, recipe.vae.stages, partial(light_vae.objective, material, device=device))
        return
    start = networks.alpha_vae(recipe)
    trained = alpha_vae.TrainedVAE(start)
    reference = copy.deepcopy(start).eval().requires_grad_(False).to(device) if recipe.start else None
    distance = load_distance(run.lpips, device)

    def objective(stage: Stage) -> Objective:
        assert recipe.vae_loss is not None
        return alpha_vae.objective(material, trained, reference, distance, recipe.vae_loss, stage, device, held_out)

    train_stages(run, "vae", trained, recipe.vae.stages, objective)
    if run.group.first:
        write_alpha_vae(trained.vae, run.folder / "vae" / "rgba_vae")


def train_image_encoder(run: Run, material: Material, backbone: Path) -> None:
    """Adapt the pretrained `backbone` (the published EfficientNet-Lite0 state dict) to matting."""
    torch.manual_seed(0)
    model = image_encoder.MattingEncoder(**run.recipe.image_encoder.network)
    image_encoder.load_pretrained(model.encoder.backbone, backbone, "lite0")
    objective = partial(image_encoder.objective, material, canvas=canvas_size, device=run.group.device)
    train_stages(run, "image-encoder", model, run.recipe.image_encoder.stages, objective)


def train_segmenter(run: Run, material: Material, backbone: Path) -> None:
    """Teach which pixels belong to a subject, from the `backbone`, the published EfficientNet-Lite2 state dict."""
    part = run.recipe.segmenter
    torch.manual_seed(0)
    model = Segmenter(float(part.network.get("drop_path", 0.0)))
    image_encoder.load_pretrained(model.backbone, backbone, "lite2")
    sources = dict(part.network.get("sources", {}))
    objective = partial(segmenter.objective_of, material, sources, canvas_size, run.group.device)
    train_stages(run, "segmenter", model, part.stages, objective)


def train_relevance(run: Run, material: Material, backbone: Path, class_names: Path, words: Path | None = None) -> None:
    """Teach where the named object is, from the `backbone`'s classifier and the names of its classes, one a line.

    `words` is a BERT-style model folder, for its word table; not needed where the recipe starts from weights.
    """
    recipe, device = run.recipe, run.group.device
    if not material.photos:
        raise UsageError("relevance is taught by pairs of objects that it puts together: give --photos")
    if recipe.start:
        context = networks.started(recipe, run.folder, (), device).context_encoder
        if not isinstance(context, MiniContext):
            raise UsageError(f"{recipe.start} reads words by a network of its own")
        tokenizer, table = context.tokenizer, context.words.weight.detach().cpu()
    elif words is None:
        raise UsageError(NO_WORDS)
    else:
        tokenizer, table = networks.read_words(run.folder, recipe, material, words)
    published = torch.load(backbone, map_location="cpu", weights_only=True)
    model = relevance.named_classes(published, class_names.read_text(encoding="utf-8").splitlines(), tokenizer, table)
    relevance.train_words_alone(model)
    objective = partial(relevance.objective, material, tokenizer, table, canvas=canvas_size, device=device)
    train_stages(run, "relevance", model, recipe.relevance.stages, objective)


def train_effects(run: Run, material: Material) -> None:
    """Teach what shadows and reflections an object casts beside its mask."""
    objective = partial(effects.objective, material, canvas=canvas_size, device=run.group.device)
    _train_specialist(run, "effects", run.recipe.effects, objective)


def train_inpainter(run: Run, material: Material) -> None:
    """Teach what is likely to be behind an object."""
    objective = partial(inpainter.objective, material, device=run.group.device)
    _train_specialist(run, "inpainter", run.recipe.inpainter, objective)


def train_generator(run: Run, packs: Packs) -> None:
    """Teach what draws cut-outs, and backgrounds, by their names, from the weights that the recipe starts from."""
    recipe = run.recipe
    if not recipe.start:
        raise UsageError(networks.NO_START)
    torch.manual_seed(0)
    model = networks.started(recipe, run.folder, run.loras, run.group.device)
    cutouts = [cutout for cutout in make_material(packs).cutouts if cutout.label]
    backgrounds = [background for background in packs.backgrounds if background.label]
    trained = networks.generator(recipe, model, len(cutouts), len(backgrounds))
    objective = partial(generator.objective, cutouts, packs.cutouts_val, backgrounds, model, trained)
    train_stages(run, "generator", trained, recipe.generator.stages, objective)
    names = {"known": [one.label for one in cutouts], "known_backgrounds": [one.label for one in backgrounds]}
    if run.group.first:
        (run.folder / networks.NAMES).write_text(json.dumps({kind: of for kind, of in names.items() if of}))


def train_sft(run: Run, material: Material, words: Path | None = None, held_out: Material | None = None) -> None:
    """Train the transformer, and with the embedded context its projections; or adapters beside the transformer.

    `words` is a BERT-style model folder, for its word table; not needed where the recipe starts from weights.
    """
    recipe, device = run.recipe, run.group.device
    if not recipe.tasks:
        raise UsageError("this recipe has no [tasks]")
    torch.manual_seed(0)
    if recipe.start:
        model = networks.started(recipe, run.folder, run.loras, device)
        if isinstance(model.context_encoder, MiniContext):
            model.context_encoder.tokenizer.save(str(run.folder / TOKENIZER_FILE), pretty=False)
    elif words is None:
        raise UsageError(NO_WORDS)
    else:
        model = networks.untrained(run.folder, recipe, material, words, device)
    trained = sft.Trained(model.transformer, networks.trained_context(recipe, model))
    networks.open_for_training(recipe, trained)

    def objective(stage: Stage) -> Objective:
        learns = trained.context is not None
        return sft.objective(material, model, recipe.tasks, stage, canvas_size, recipe.flow, learns, held_out)

    train_stages(run, "sft", trained, recipe.transformer.stages, objective)
    _write(run, "sft", trained)


def train_grpo(run: Run, material: Material, held_out: Material | None = None) -> None:
    """Reinforce the transformer of the weights that the recipe starts from, or adapters beside it."""
    recipe, device = run.recipe, run.group.device
    if recipe.grpo is None or not recipe.tasks:
        raise UsageError("this recipe has no [tasks] or no [[grpo.stages]]")
    if not recipe.start:
        raise UsageError(networks.NO_START)
    settings = recipe.grpo
    model = networks.started(recipe, run.folder, run.loras, device)
    trained = sft.Trained(model.transformer, None)
    networks.open_for_training(recipe, trained)
    score = partial(rewards.score, distance=load_distance(run.lpips, device))

    def objective(stage: Stage) -> Objective:
        return grpo.objective(material, model, recipe.tasks, score, stage, canvas_size, settings, held_out)

    train_stages(run, "grpo", trained, recipe.grpo_stages, objective)
    _write(run, "grpo", trained)


def train_detail(run: Run, material: Material) -> None:
    """Teach what a matte's pixels say of it, from what the weights that the recipe starts from make of examples."""
    recipe, device = run.recipe, run.group.device
    if not recipe.start:
        raise UsageError(networks.NO_START)
    if len(recipe.detail.stages) != 1:
        raise UsageError("this recipe has not one [[detail.stages]]")
    torch.manual_seed(0)
    model = networks.started(recipe, run.folder, run.loras, device)
    network = _started_from("detail", model)
    model.transformer.to(device)
    count, size = int(recipe.detail.network.get("examples", detail.EXAMPLES)), recipe.detail.stages[0].size
    predict = partial(detail.predict, material, model, canvas_size, size)
    examples = detail.read_examples(predict, count, run.folder, run.group, run.report)
    train_stages(run, "detail", network, recipe.detail.stages, lambda stage: detail.objective(examples, stage, device))


def export(run: Run, name: str, out: Path) -> dict[str, tuple[int, int]]:
    """Write the trained parts as a weights folder of the embedded kind; returns (parameters, bytes) of each."""
    recipe = run.recipe
    if recipe.lora or recipe.vae_loss:
        raise UsageError(f"what this recipe trains lies ready in {run.folder}; export is for the embedded kind")
    stage = "grpo" if recipe.grpo else "sft"
    beside = any((run.folder / f"{name}.pt").exists() for name in ("relevance", *SPECIALISTS))
    as_it_was = bool(recipe.start) and beside and not (run.folder / f"{stage}.pt").exists()
    state = None if as_it_was else networks.finished(run.folder, stage)
    if recipe.start:
        model = networks.started(recipe, run.folder, run.loras, run.group.device)
    else:
        context = MiniContext(networks.context_config(recipe), load_tokenizer(run.folder))
        vae = networks.finished_vae(recipe, run.folder)
        model = networks.put_together(recipe, networks.transformer(recipe), context, vae, run.group.device)
        model.specialists |= networks.finished_specialists(recipe, run.folder, model)
    if state is not None:
        trained = sft.Trained(model.transformer, networks.trained_context(recipe, model) if stage == "sft" else None)
        trained.load_state_dict(state)
    if not isinstance(model, Mini):
        raise UsageError(f"{recipe.start} is not of the embedded kind")
    return write_weights(model, name, out)


def _write(run: Run, name: str, trained: sft.Trained) -> None:
    """Write the published layout: the adapters, or the transformer of weights that are no embedded ones."""
    if run.recipe.lora:
        lora.save(trained.transformer, run.recipe.lora, run.folder / name / lora.FILE, run.group)
    elif trained.context is None and name == "sft":
        write_transformer(trained.transformer, run.folder / name / "transformer", run.group)


def _started_from(name: str, model: OmniAlpha | None) -> nn.Module:
    """Return the specialist of the weights that a training starts from, or a new one, ready to learn."""
    known = model.specialist(name) if isinstance(model, Mini) else None
    return (known or NEW[name]()).requires_grad_(True)


def _train_specialist(run: Run, name: str, part: Part, objective: Callable[[Stage], Objective]) -> None:
    """Train a specialist, from that of the weights that the recipe starts from, or anew."""
    torch.manual_seed(0)
    recipe = run.recipe
    started = networks.started(recipe, run.folder, run.loras, run.group.device) if recipe.start else None
    network = _started_from(name, started)
    train_stages(run, name, network, part.stages, objective)
