"""Recipes: those that come with the package are what the papers say, and build; others are refused with a reason."""

import pytest
import torch

from omnialpha_cli.lab.train import networks
from omnialpha_cli.lab.train.lora import Adapted
from omnialpha_cli.lab.train.patch_gan import PatchGAN
from omnialpha_cli.lab.train.recipe import RECIPES, read_recipe
from omnialpha_cli.lab.train.sft import Trained
from omnialpha_cli.lab.train.vae import TrainedVAE
from omnialpha_cli.model.config import TransformerConfig, VAEConfig
from omnialpha_cli.model.mini.light_vae import LightVAE, LightVAEConfig
from omnialpha_cli.status import UsageError
from omnialpha_cli.tasks import TASKS

PUBLISHED = sorted(p.name for p in RECIPES.glob("omnialpha-*.toml"))


def size(module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_the_three_published_recipes_are_there():
    assert PUBLISHED == ["omnialpha-grpo.toml", "omnialpha-sft.toml", "omnialpha-vae.toml"]


def test_the_vae_is_the_published_one_with_its_discriminator():
    recipe = read_recipe(RECIPES / "omnialpha-vae.toml")
    with torch.device("meta"):
        trained = TrainedVAE(networks.alpha_vae(recipe))
        discriminator = PatchGAN()
    assert trained.vae.config == VAEConfig()
    assert size(trained) == size(trained.vae) + size(discriminator)
    (stage,) = recipe.vae.stages
    assert (stage.steps, stage.batch, stage.lr, stage.size, stage.warmup) == (32_000, 16, 1.5e-5, 1024, 0.05)
    assert stage.decay == "cosine"
    loss = recipe.vae_loss
    assert loss is not None
    assert (loss.perceptual, loss.kl, loss.kl_reference, loss.adversarial_from) == (0.5, 1e-6, 1e-16, 4000)
    assert loss.flatten == 0.3 and loss.backgrounds == (-1.0, 1.0)


@pytest.mark.parametrize("name", ["omnialpha-sft.toml", "omnialpha-grpo.toml"])
def test_the_adapter_has_the_published_number_of_parameters(name):
    recipe = read_recipe(RECIPES / name)
    with torch.device("meta"):
        trained = Trained(networks.transformer(recipe), None)
    networks.open_for_training(recipe, trained)
    assert trained.transformer.config == TransformerConfig()
    learning = [p for p in trained.parameters() if p.requires_grad]
    assert sum(p.numel() for p in learning) == 754_974_720
    assert sum(isinstance(m, Adapted) for m in trained.modules()) == 8 * 60


def test_the_cold_start_is_the_paper_s():
    recipe = read_recipe(RECIPES / "omnialpha-sft.toml")
    (stage,) = recipe.transformer.stages
    assert (stage.steps, stage.batch, stage.lr, stage.decay, stage.weight_decay, stage.clip) == (
        15_000, 64, 5e-5, "constant", 1e-4, 1.0
    )  # fmt: skip
    assert stage.bf16 and stage.shared(64).micro_batch == 1
    assert set(recipe.tasks) == {name for name, task in TASKS.items() if task.published}
    assert (recipe.flow.sigma, recipe.flow.at_one, recipe.flow.error) == ("uniform", 0, "velocity")
    assert recipe.flow.prompt_dropout == 0.15


def test_the_reinforcement_is_the_paper_s():
    recipe = read_recipe(RECIPES / "omnialpha-grpo.toml")
    settings, (stage,) = recipe.grpo, recipe.grpo_stages
    assert settings is not None
    assert (settings.group, settings.steps, settings.eta, settings.shift) == (8, 20, 0.3, 3)
    assert (settings.fraction, settings.clip, settings.trained_steps) == (0.6, 1e-4, 12)
    assert (stage.steps, stage.lr) == (150, 5e-5)
    assert "generate.foreground" not in recipe.tasks


@pytest.mark.parametrize("name", ["mini.toml", "mini-tasks.toml", "mini-gpu.toml"])
def test_the_mini_s_recipes_build(name):
    recipe = read_recipe(RECIPES / name)
    assert recipe.transformer.stages and recipe.tasks and recipe.vae_loss is None and recipe.lora is None
    if recipe.start:
        return
    with torch.device("meta"):
        assert size(networks.transformer(recipe)) > 1e6
        assert size(LightVAE(LightVAEConfig.from_dict(recipe.vae.network))) > 1e5


def test_a_recipe_of_the_package_is_found_by_its_name(tmp_path, monkeypatch):
    from pathlib import Path

    monkeypatch.chdir(tmp_path)
    assert read_recipe(Path("mini.toml")) == read_recipe(RECIPES / "mini.toml")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("tasks = [", "not a training recipe"),
        ('tasks = { "matte.magic" = 1.0 }', "unknown: matte.magic"),
        ('tasks = { "matte.auto" = 1.0 }\n[turbo]', "unknown: turbo"),
        ('tasks = { "matte.auto" = 1.0 }\n[flow]\nspeed = 3', "speed"),
        ('tasks = { "matte.auto" = 1.0 }\n[flow]\nsigma = "odd"', "odd"),
        ('tasks = { "matte.auto" = 1.0 }\n[[transformer.stages]]\nsteps = 3\nlr = 1\nfast = true', "fast"),
        ('tasks = { "matte.auto" = 1.0 }\n[grpo]\nat_once = 3\n[[grpo.stages]]\nsteps = 3\nlr = 1', "groups of 8"),
    ],
)
def test_what_is_no_recipe_is_refused_with_a_reason(tmp_path, text, reason):
    path = tmp_path / "r.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=reason) as error:
        read_recipe(path)
    assert str(path) in str(error.value)
