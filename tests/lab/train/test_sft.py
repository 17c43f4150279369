"""The flow's loss: what is drawn, what is weighted, and that it is the error of every target."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from tiny_model import tiny_model
from torch import nn
from torch.nn import functional as F

from omnialpha_cli.lab.train.examples import Example
from omnialpha_cli.lab.train.loop import Schedule
from omnialpha_cli.lab.train.pictures import GAP, sheet, validation_sheet
from omnialpha_cli.lab.train.sft import (
    MIX,
    Flow,
    Trained,
    auxiliary_alpha,
    draw_sigma,
    encode_targets,
    objective,
    token_weights,
)
from omnialpha_cli.model.parts import Context
from omnialpha_cli.model.transformer import pack
from omnialpha_cli.tasks import TASKS

STAGE = Schedule(steps=1, lr=1.0, batch=3, size=64, bf16=False)
PLAIN = Flow(sigma="uniform", at_one=0.0, error="velocity", prompt_dropout=0.0)


def canvas(height, width, side):
    return side, side


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Oracle(nn.Module):
    """A transformer that knows the answer: `output` is what it says."""

    def __init__(self, model):
        super().__init__()
        self.real = model.transformer
        self.config = model.transformer.config
        self.output = torch.zeros(())

    def prepare(self, *arguments):
        return self.real.prepare(*arguments)

    def hidden(self, x, sigma, prepared):
        return self.output.expand_as(x), None


@pytest.fixture
def model():
    tiny = tiny_model("velocity")
    return replace(tiny, transformer=Oracle(tiny))


def of(material, model, flow, task="decompose.auto", stage=STAGE):
    return objective(material, model, {task: 1.0}, stage, canvas, flow, context_is_trained=False)


def batch_of(training, step: int = 0, seed: int = 0):
    return training.ready(training.draw(step, 0, generator(seed)))


@pytest.mark.parametrize("flow", [PLAIN, replace(PLAIN, error="clean")])
def test_the_right_velocity_of_all_targets_has_no_error(material, model, flow):
    trained = Trained(model.transformer, None)
    training = of(material, model, flow)
    batch = batch_of(training)
    model.transformer.output = right = batch.noise - batch.clean
    assert float(training.loss(trained, batch, 0)[0]) == 0
    tokens = right.shape[1] // 2
    for target in (slice(0, tokens), slice(tokens, None)):  # background, foreground
        model.transformer.output = wrong = right.clone()
        wrong[:, target] += 1
        assert float(training.loss(trained, batch, 0)[0]) > 0.01


def test_the_plain_error_is_the_mean_square_of_all_targets(material, model):
    training = of(material, model, PLAIN)
    batch = batch_of(training)
    value, figures = training.loss(Trained(model.transformer, None), batch, 0)
    assert torch.allclose(value, (batch.noise - batch.clean).square().mean())
    assert figures == {"flow": pytest.approx(float(value)), "flow/decompose.auto": pytest.approx(float(value))}


def test_the_network_sees_the_targets_between_clean_and_noise(material, model, monkeypatch):
    seen = {}

    def hidden(x, sigma, prepared):
        seen.update(x=x, sigma=sigma, layout=prepared.layout)
        return torch.zeros_like(x), None

    monkeypatch.setattr(model.transformer, "hidden", hidden)
    training = of(material, model, PLAIN)
    batch = batch_of(training)
    training.loss(Trained(model.transformer, None), batch, 0)
    s = batch.sigma[:, None, None]
    assert torch.equal(seen["x"], (1 - s) * batch.clean + s * batch.noise)
    assert torch.equal(seen["sigma"], batch.sigma)
    assert len(seen["layout"].targets) == 2 and len(seen["layout"].inputs) == 1


@pytest.mark.parametrize("rounding", [True, False])
def test_sigma_is_rounded_in_the_noise_and_for_the_network_alike(material, model, monkeypatch, rounding):
    seen = {}

    def hidden(x, sigma, prepared):
        seen.update(x=x, sigma=sigma)
        return torch.zeros_like(x), None

    monkeypatch.setattr(model.transformer, "hidden", hidden)
    model.transformer.config = replace(model.transformer.config, timestep_rounding=rounding)
    parts = {"vae": model.vae.bfloat16(), "context_encoder": model.context_encoder.bfloat16()}
    model.transformer.real.bfloat16()
    model = replace(model, dtype=torch.bfloat16, **parts)
    training = of(material, model, PLAIN)
    drawn = training.draw(0, 0, generator())
    batch = training.ready(drawn)
    training.loss(Trained(model.transformer, None), batch, 0)
    wanted = ((drawn.sigma * 1000).bfloat16() / 1000).float() if rounding else drawn.sigma
    assert torch.equal(seen["sigma"], wanted)
    s = wanted[:, None, None]
    assert torch.equal(seen["x"], ((1 - s) * batch.clean + s * batch.noise).bfloat16())


def test_clean_tokens_are_the_latents_of_the_targets_in_order(material, model):
    batch = batch_of(of(material, model, PLAIN))
    clean = encode_targets(model, batch.examples)
    background, foreground = batch.examples[1].targets
    latents = [model.vae.encode(x[None] * 2 - 1) for x in (background, foreground)]
    assert torch.allclose(clean[1], torch.cat([pack(z, 2) for z in latents], dim=1)[0], atol=1e-5)
    assert torch.equal(clean, batch.clean)


def test_uniform_sigma_is_uniform_above_zero():
    sigma = draw_sigma(50_000, PLAIN, generator(), one_step=True)
    assert float(sigma.min()) > 0 and float(sigma.max()) <= 1
    assert torch.histc(sigma, 10, 0, 1) / 5000 == pytest.approx(torch.ones(10).tolist(), rel=0.06)


def test_the_mini_s_sigma_is_one_for_half():
    sigma = draw_sigma(20_000, Flow(), generator(), one_step=True)
    assert float((sigma == 1).float().mean()) == pytest.approx(0.5, abs=0.02)
    logits = sigma[sigma < 1].logit()
    assert float(logits.mean()) == pytest.approx(0.8, abs=0.05) and float(logits.std()) == pytest.approx(1, abs=0.05)


def test_what_takes_several_steps_is_trained_between_them(material, model):
    defaults = replace(model.defaults, steps=1, commands={"decompose": {"steps": 4}})
    training = partial(of, material, replace(model, defaults=defaults), Flow(at_one=1.0))
    assert bool((training("matte.auto").draw(0, 0, generator()).sigma == 1).all())
    assert bool((training("decompose.auto").draw(0, 0, generator()).sigma < 1).all())


def test_balanced_a_tenth_less_counts_alike(material, model):
    """The gradient of the logarithm is the error's own, divided by it."""
    trained, gradients = Trained(model.transformer, None), []
    for flow in (PLAIN, replace(PLAIN, balanced=True)):
        training = of(material, model, flow)
        batch = batch_of(training)
        model.transformer.output = torch.zeros(batch.clean.shape, requires_grad=True)
        value, figures = training.loss(trained, batch, 0)
        gradients.append(
            torch.autograd.grad(value, model.transformer.output)[0] * (figures["flow"] if flow.balanced else 1)
        )
    assert torch.allclose(gradients[0], gradients[1], rtol=1e-4)


CERTAIN = torch.ones(1, 32, 32)


def test_shadows_outside_of_the_mask_may_count_for_more():
    task, plain = TASKS["remove.mask"], torch.full((4, 32, 32), 0.5)
    scene, mask = plain.clone(), torch.zeros(4, 32, 32)
    scene[:3, :16, 16:] = 0.3  # shadow
    scene[:3, 16:, :16], mask[:3, 16:, :16] = 0.1, 1.0  # the object
    example = Example(task, "", [scene, mask], [plain], CERTAIN)
    assert token_weights(example, 6.0)[:, 0].tolist() == [1, 6, 1, 1]
    assert token_weights(example, 1.0)[:, 0].tolist() == [1, 1, 1, 1]
    mattes = Example(TASKS["matte.mask"], "", [scene, mask], [plain], CERTAIN)
    assert token_weights(mattes, 6.0)[:, 0].tolist() == [1, 1, 1, 1]


def test_prompts_are_dropped_by_their_share_and_pictures_kept(material, model):
    training = of(material, model, replace(PLAIN, prompt_dropout=0.5), stage=replace(STAGE, batch=40, size=32))
    prompts = training.draw(0, 0, generator()).prompts
    assert 10 <= prompts.count("") <= 30 and set(prompts) == {"", TASKS["decompose.auto"].prompt}
    requests = batch_of(training).requests
    assert [request.prompt for request in requests] == prompts
    assert all(len(request.inputs) == 1 for request in requests)


def test_a_batch_depends_on_its_generator_alone(material, model):
    training = of(material, model, PLAIN)
    a, b, c = (batch_of(training, step, seed) for step, seed in ((0, 1), (9, 1), (0, 2)))
    assert torch.equal(a.clean, b.clean) and torch.equal(a.noise, b.noise) and torch.equal(a.sigma, b.sigma)
    assert not torch.equal(a.noise, c.noise)


def test_a_command_s_own_canvas_is_trained_on(material, model):
    model = replace(model, defaults=replace(model.defaults, commands={"decompose": {"canvas": 32}}))
    assert of(material, model, PLAIN).draw(0, 0, generator()).examples[0].targets[0].shape == (4, 32, 32)
    assert of(material, model, PLAIN, "matte.auto").draw(0, 0, generator()).examples[0].targets[0].shape == (4, 64, 64)


def test_validation_pictures_are_the_same_examples_whatever_was_drawn_before(material):
    tasks = {"matte.auto": 0.7, "decompose.mask": 0.3}
    first, second = (validation_sheet(tiny_model(), material, MIX, tasks, 64, canvas) for _ in range(2))
    assert torch.equal(first, second)
    columns = len(["scene", "mask", "background", "foreground", "background", "foreground"])
    assert first.shape == (3, 2 * (64 + GAP) + GAP, columns * (64 + GAP) + GAP)


def test_a_sheet_shows_transparency_on_a_checkerboard():
    clear, red = torch.zeros(4, 32, 32), torch.tensor([1.0, 0, 0, 1])[:, None, None].expand(4, 32, 40)
    out = sheet([[clear, red]])
    assert out.shape == (3, 32 + 2 * GAP, 2 * (40 + GAP) + GAP)
    assert out[0, GAP : GAP + 32, GAP : GAP + 32].unique().tolist() == pytest.approx([0.6, 0.8])
    assert out[:, GAP + 5, 40 + 2 * GAP + 5].tolist() == [1, 0, 0]


def test_the_auxiliary_alpha_is_read_from_the_tokens_that_see_it():
    """Each stride-16 token of the first input says the alpha of its cells, wherever words put it in the sequence."""
    task, h, w = TASKS["matte.mask"], 2, 3
    alphas = (torch.rand(2, h * 4, w * 4, generator=generator()) > 0.5).float()
    images = [F.interpolate(alpha[None, None], scale_factor=4)[0].expand(4, -1, -1) for alpha in alphas]
    examples = [Example(task, "", [image, image], [image], torch.ones_like(image[:1])) for image in images]
    cells = F.pixel_unshuffle(alphas[:, None], 4).flatten(2).mT  # (2, 6, 16)
    hidden, positions = torch.zeros(2, 12, 16), torch.full((2, 12, 3), -16.0)
    for i, words in enumerate((1, 3)):
        near, far, other = (slice(words + a, words + b) for a, b in ((0, 6), (6, 7), (7, 9)))
        hidden[i, near] = cells[i] * 100 - 50
        positions[i, near, 0], positions[i, far, 0], positions[i, other, 0] = -1, -1, -2
    assert float(auxiliary_alpha(hidden, Context(hidden, None, positions), examples, nn.Identity())) < 1e-6
    assert float(auxiliary_alpha(-hidden, Context(hidden, None, positions), examples, nn.Identity())) > 10
