"""Training of the generator: names and tags to cut-outs, from weights that see, by the command."""

import numpy as np
import pytest
import torch
from tiny_model import tiny_model
from training_packs import disc, encoded, index, write_tar
from typer.testing import CliRunner

from omnialpha_cli.cli.main import app
from omnialpha_cli.model.generator import Generator
from omnialpha_cli.model.omnialpha import OmniAlpha, Request
from omnialpha_cli.training import generator
from omnialpha_cli.training.loop import Schedule
from omnialpha_cli.training.packs import Picture, read_packs

RECIPE = """
claimed = ["matte.auto", "generate.foreground"]
[generator]
places = 2
[[generator.stages]]
size = 32
steps = 2
batch = 2
lr = 1e-3
picture_every = 2
"""


def blank(label: str, *tags: str) -> Picture:
    return Picture(label, np.zeros((8, 8, 4), np.uint8), label, tags)


def started(model: OmniAlpha) -> Generator:
    torch.manual_seed(0)
    context = model.context_encoder
    return Generator(model.transformer.config, context.tokenizer, context.words.weight)


def test_captions_are_the_name_perhaps_with_an_article_and_tags_or_tags():
    g = torch.Generator().manual_seed(0)
    told = {generator.caption(blank("apple", "fruit", "red"), g) for _ in range(200)}
    assert {"apple", "an apple", "apple, fruit", "apple, red fruit", "fruit", "red fruit"} <= told
    assert all(set(words.replace(",", "").split()) <= {"an", "apple", "fruit", "red"} for words in told)
    assert {generator.caption(blank("apple"), g) for _ in range(50)} == {"apple", "an apple"}


def test_names_that_begin_alike_are_drawn_less():
    weights = generator.rarity([blank("flag: A"), blank("Flag: B"), blank("flag: C"), blank("flag: D"), blank("dog")])
    assert weights.tolist() == [0.5, 0.5, 0.5, 0.5, 1.0]


def test_tags_are_read_from_the_index(tmp_path):
    files = {"a.webp": encoded(disc(32, 1), "WEBP"), "b.webp": encoded(disc(32, 2), "WEBP")}
    rows: list[list[object]] = [["a.webp", "red disc", "round thing"], ["b.webp", "dot", ""]]
    files["index.csv"] = index(["file", "label", "tags"], rows)
    packs = read_packs(None, write_tar(tmp_path / "c.tar", files))
    assert {p.label: p.tags for p in packs.cutouts} == {"red disc": ("round", "thing"), "dot": ()}


def test_some_steps_learn_to_draw_each_by_its_name(monkeypatch):
    model, names = tiny_model(steps=4), ("cat", "matte")
    # An untrained VAE hardly tells them apart.
    known = torch.randn(2, 4, 64, generator=torch.Generator().manual_seed(5))
    monkeypatch.setattr(generator, "encode", lambda *_: known)
    network = started(model).requires_grad_(True)
    stage = Schedule(steps=60, batch=8, lr=3e-3, size=32)
    objective = generator.objective([blank(name) for name in names], [], model, network, stage)
    optimiser = torch.optim.Adam(network.parameters(), stage.lr)
    for step in range(stage.steps):
        batch = objective.ready(objective.draw(step, 0, torch.Generator().manual_seed(step)))
        value, _ = objective.loss(network, batch, 0)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    drawing = model.drawing(network.eval())
    requests = [Request(generator.TASK.prompt.replace("{text}", name), (), ((32, 32),)) for name in names]
    with torch.no_grad():
        drawn = drawing.sample(requests, drawing.context(requests, guided=False), [], 4, 1.0)
    errors = (drawn[:, None] - known[None]).square().mean((2, 3))  # [drawn, known]
    assert float(errors.diagonal().max()) < 0.3 < 1 < float(errors[~torch.eye(2, dtype=torch.bool)].min())


def invoke(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_by_command_from_weights_and_exported_beside_them(packs, tiny_weights, tmp_path):
    recipe, run, out = tmp_path / "r.toml", tmp_path / "run", tmp_path / "weights"
    recipe.write_text(RECIPE)
    trained = invoke(
        "train", "generator", recipe, "--cutouts", packs["cutouts"], "--start", tiny_weights, "--run", run
    )
    assert trained.exit_code == 0, trained.output
    assert list(run.glob("generator-1/pictures/*.png"))
    assert invoke("train", "export", recipe, out, "--start", tiny_weights, "--run", run).exit_code == 0
    model, before = OmniAlpha.load(out), OmniAlpha.load(tiny_weights)
    assert model.tasks == ("matte.auto", "generate.foreground") and model.generator is not None
    torch.testing.assert_close(model.transformer.state_dict(), before.transformer.state_dict(), atol=2e-3, rtol=2e-3)
    # What it starts with is the transformer that sees.
    learnt = model.generator.transformer.transformer_blocks.state_dict()
    torch.testing.assert_close(learnt, before.transformer.transformer_blocks.state_dict(), atol=5e-3, rtol=1e-2)
    # Training goes on from the generator that weights have.
    again = invoke(
        "train", "generator", recipe, "--cutouts", packs["cutouts"], "--start", out, "--run", tmp_path / "again"
    )
    assert again.exit_code == 0, again.output


def test_without_weights_to_start_from_it_says_so(packs, tmp_path):
    (tmp_path / "r.toml").write_text(RECIPE)
    outcome = invoke("train", "generator", tmp_path / "r.toml", "--cutouts", packs["cutouts"], "--run", tmp_path / "r")
    assert "--start" in str(outcome.exception)


@pytest.mark.parametrize("name", ["mini-tasks.toml"])
def test_the_recipe_of_the_embedded_weights_trains_it(name):
    from omnialpha_cli.training.recipe import RECIPES, read_recipe

    recipe = read_recipe(RECIPES / name)
    assert recipe.generator.stages and recipe.generator.network["places"]
