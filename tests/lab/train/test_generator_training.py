"""Training of the generator: names and tags to cut-outs, from weights that see, by the command."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_model import tiny_model
from training_packs import disc, encoded, index, write_tar
from typer.testing import CliRunner

from omnialpha_cli.cli.main import app
from omnialpha_cli.lab.train import generator, kinds
from omnialpha_cli.lab.train.kinds import RIDGE
from omnialpha_cli.lab.train.loop import Schedule
from omnialpha_cli.lab.train.packs import Picture, read_packs
from omnialpha_cli.model.mini.generator import Generator, GeneratorConfig
from omnialpha_cli.model.omnialpha import OmniAlpha, Request
from omnialpha_cli.model.sampler import schedule
from omnialpha_cli.model.transformer import pack

RECIPE = """
claimed = ["matte.auto", "generate.foreground", "generate.background"]
[generator]
side = 4
wide = [2, 4]
[[generator.stages]]
size = 32
steps = 2
batch = 2
lr = 1e-3
picture_every = 2
"""


def blank(label: str, *tags: str) -> Picture:
    return Picture(label, np.zeros((8, 8, 4), np.uint8), label, tags)


def started(model: OmniAlpha, names: int) -> Generator:
    torch.manual_seed(0)
    context = model.context_encoder
    config = GeneratorConfig(names, side=4, num_layers=2)
    return Generator(config, model.transformer.config, context.tokenizer, context.words.weight)


def test_captions_are_the_name_perhaps_with_an_article_and_tags_or_tags():
    g = torch.Generator().manual_seed(0)
    told = {generator.caption(blank("apple", "fruit", "red"), g) for _ in range(200)}
    assert {"apple", "an apple", "apple, fruit", "apple, red fruit", "fruit", "red fruit"} <= told
    assert all(set(words.replace(",", "").split()) <= {"an", "apple", "fruit", "red"} for words in told)
    assert {generator.caption(blank("apple"), g) for _ in range(50)} == {"apple", "an apple"}


def test_names_that_begin_alike_are_drawn_less():
    weights = kinds.rarity([blank("flag: A"), blank("Flag: B"), blank("flag: C"), blank("flag: D"), blank("dog")])
    assert weights.tolist() == [0.5, 0.5, 0.5, 0.5, 1.0]


def test_tags_are_read_from_the_index(tmp_path):
    files = {"a.webp": encoded(disc(32, 1), "WEBP"), "b.webp": encoded(disc(32, 2), "WEBP")}
    rows: list[list[object]] = [["a.webp", "red disc", "round thing"], ["b.webp", "dot", ""]]
    files["index.csv"] = index(["file", "label", "tags"], rows)
    packs = read_packs((), [write_tar(tmp_path / "c.tar", files)])
    assert {p.label: p.tags for p in packs.cutouts} == {"red disc": ("round", "thing"), "dot": ()}


def test_a_sketch_without_a_name_is_that_of_the_others_alone():
    names, prompts = ("red", "cat", "matte", "red cat"), ["a cat", "red matte", ""]
    network = started(tiny_model(), len(names))
    views = torch.randn(2, 4, 16, 4, 4, generator=torch.Generator().manual_seed(3))
    sketches = kinds.Sketches(network.sketch, [blank(name) for name in names], views)
    places, seen = torch.tensor([1, 3, 0]), torch.zeros(3, dtype=torch.long)
    asked = network.sketch.read(prompts)
    known = sketches(asked, places, seen, torch.zeros(3, dtype=torch.bool))
    nobody = torch.zeros(4, dtype=torch.bool)
    at_names = sketches(network.sketch.meanings, torch.arange(4), torch.zeros(4, dtype=torch.long), nobody)
    as_drawn = network.sketch.mean + network.sketch.nearness(network.sketch.meanings) @ network.sketch.weights
    assert torch.allclose(at_names.flatten(1), as_drawn, atol=1e-5)
    without = sketches(asked, places, seen, torch.ones(3, dtype=torch.bool))
    near, looks, mean = network.sketch.nearness, views[0].flatten(1), views[0].flatten(1).mean(0)
    for i, place in enumerate(places.tolist()):
        others = [n for n in range(len(names)) if n != place]
        kernel = near(network.sketch.meanings[others])[:, others] + RIDGE * torch.eye(3)
        asked = near(network.sketch.read(prompts[i : i + 1]))[:, others]
        wanted = mean + asked @ torch.linalg.solve(kernel, looks[others] - mean)
        assert torch.allclose(without[i].flatten(), wanted[0], atol=1e-5)
    assert not torch.allclose(without[0], known[0]) and torch.equal(without[2], known[2])


def test_a_sketch_is_seen_from_where_its_cutout_is():
    names = ("red", "cat")
    first = torch.randn(2, 16, 4, 4, generator=torch.Generator().manual_seed(3))
    network = started(tiny_model(), 2)
    sketches = kinds.Sketches(network.sketch, [blank(name) for name in names], torch.stack([first, first.flip(3)]))
    left_out = torch.tensor([True, False])
    asked, places = network.sketch.read(["cat", "red"]), torch.tensor([1, 0])
    one, other = (sketches(asked, places, torch.full((2,), v), left_out) for v in (0, 1))
    assert torch.allclose(one.flip(3), other, atol=1e-5)


def test_some_steps_learn_to_draw_each_by_its_name(monkeypatch):
    model, names = tiny_model(steps=4), ("cat", "matte")
    # An untrained VAE hardly tells them apart.
    known = torch.randn(2, 16, 4, 4, generator=torch.Generator().manual_seed(5))
    monkeypatch.setattr(kinds, "encode", lambda *_: known)
    monkeypatch.setattr(kinds, "OBJECTS_LEFT_OUT", 0.0)  # of two there is none alike
    network = started(model, 2)
    stage = Schedule(steps=60, batch=8, lr=3e-3, size=32)
    objective = generator.objective([blank(name) for name in names], [], [], model, network, stage)
    optimiser = torch.optim.Adam([p for p in network.parameters() if p.requires_grad], stage.lr)
    for step in range(stage.steps):
        batch = objective.ready(objective.draw(step, 0, torch.Generator().manual_seed(step)))
        value, _ = objective.loss(network, batch, 0)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    model.specialists["generator"] = network.eval()
    requests = [Request(kinds.OBJECT.prompt.replace("{text}", name), (), ((32, 32),)) for name in names]
    with torch.no_grad():
        layout, prompts = requests[0].layout, [request.prompt for request in requests]
        sigmas = schedule(4, layout.num_targets, model.schedule)
        drawn = network.sample(prompts, model.noise(requests), sigmas, 1.0, layout)
    errors = (drawn[:, None] - pack(known, 2)[None]).square().mean((2, 3))  # [drawn, known]
    assert float(errors.diagonal().max()) < 0.3 < 1 < float(errors[~torch.eye(2, dtype=torch.bool)].min())


def test_batches_have_objects_or_backgrounds_with_the_sketches_of_their_parts():
    model = tiny_model()
    model.defaults = replace(model.defaults, commands={"generate.background": {"canvas": 32, "multiple": 16}})
    torch.manual_seed(0)
    context, config = model.context_encoder, GeneratorConfig(2, side=4, num_layers=1, backgrounds=3, wide=(2, 4))
    network = Generator(config, model.transformer.config, context.tokenizer, context.words.weight)
    noise = np.random.default_rng(0).integers(0, 256, (3, 32, 64, 4), np.uint8)
    places = [Picture(name, rgba, name) for name, rgba in zip(("red", "this", "matte"), noise, strict=True)]
    objects = [blank("cat"), blank("red")]
    objective = generator.objective(objects, [], places, model, network, Schedule(steps=1, lr=1, batch=4, size=32))
    seen = set()
    for step in range(40):
        drawn = objective.draw(step, 0, torch.Generator().manual_seed(step))
        batch = objective.ready(drawn)
        seen.add(batch.layout.targets)
        assert len(batch.clean) == (4 if drawn.kind == 0 else 2)
        assert batch.clean.shape == batch.sketch.shape == batch.noise.shape
        value, told = objective.loss(network, batch, 0)
        assert value.isfinite() and set(told) <= {"from noise" if drawn.kind == 0 else "background from noise"}
    assert ((2, 2),) in seen and len(seen) > 2
    assert objective.picture().shape[0] == 3


def invoke(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_by_command_from_weights_and_exported_beside_them(packs, tiny_weights, tmp_path):
    recipe, run, out = tmp_path / "r.toml", tmp_path / "run", tmp_path / "weights"
    recipe.write_text(RECIPE)
    files = {f"{name}.jpg": encoded(disc(64, i)[..., :3], "JPEG") for i, name in enumerate(("red_cat0", "this1", "9"))}
    given = "--cutouts", packs["cutouts"], "--backgrounds", write_tar(tmp_path / "b.tar", files)
    trained = invoke("train", "generator", recipe, *given, "--start", tiny_weights, "--run", run)
    assert trained.exit_code == 0, trained.output
    assert list(run.glob("generator-1/pictures/*.png"))
    assert invoke("train", "export", recipe, out, "--start", tiny_weights, "--run", run).exit_code == 0
    model, before = OmniAlpha.load(out), OmniAlpha.load(tiny_weights)
    assert model.tasks == ("matte.auto", "generate.foreground", "generate.background")
    config = model.specialist("generator").config
    assert config.backgrounds == len(config.known_backgrounds) == 2  # the third has no name
    assert config.names == len(config.known) > 0
    place = Request(kinds.BACKGROUND.prompt.replace("{text}", "a red cat"), (), ((32, 64),), task="generate.background")
    assert not torch.equal(model.run([place])[0][0], replace(model, specialists={}).run([place])[0][0])
    torch.testing.assert_close(model.transformer.state_dict(), before.transformer.state_dict(), atol=2e-3, rtol=2e-3)
    # What it starts with is the transformer that sees.
    learnt, seeing = model.specialist("generator").state_dict(), before.transformer.state_dict()
    shared = [name for name in learnt if name.startswith("transformer_blocks") and name in seeing]
    assert len(shared) > 20
    for name in shared:
        torch.testing.assert_close(learnt[name], seeing[name], atol=5e-3, rtol=1e-2)
    # Training goes on from the generator that weights have.
    again = invoke(
        "train", "generator", recipe, "--cutouts", packs["cutouts"], "--start", out, "--run", tmp_path / "again"
    )
    assert again.exit_code == 0, again.output
    # Without backgrounds it keeps those that it knows.
    state = torch.load(tmp_path / "again" / "generator.pt", weights_only=True)
    torch.testing.assert_close(state["backgrounds.meanings"], model.specialist("generator").backgrounds.meanings)


def test_without_weights_to_start_from_it_says_so(packs, tmp_path):
    (tmp_path / "r.toml").write_text(RECIPE)
    outcome = invoke("train", "generator", tmp_path / "r.toml", "--cutouts", packs["cutouts"], "--run", tmp_path / "r")
    assert "--start" in str(outcome.exception)


@pytest.mark.parametrize("name", ["mini-tasks.toml", "mini-gpu.toml"])
def test_the_recipe_of_the_embedded_weights_trains_it(name):
    from omnialpha_cli.lab.train.recipe import RECIPES, read_recipe

    recipe = read_recipe(RECIPES / name)
    assert recipe.generator.stages and recipe.generator.network["num_layers"] == 8
