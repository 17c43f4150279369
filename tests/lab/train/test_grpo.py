"""GRPO: the reward rises on a tiny model; the surrogate is clipped as it should be; the divergence is the normals'."""

import json
from dataclasses import replace
from functools import partial

import pytest
import torch
from tiny_model import tiny_model
from torch.nn import functional as F
from training_runs import RecordedReport

from omnialpha_cli.lab.train import grpo, lora, sft
from omnialpha_cli.lab.train.examples import draw_example
from omnialpha_cli.lab.train.grpo import GRPO, Part, clipped_surrogate, policy_loss, sample_group
from omnialpha_cli.lab.train.loop import Schedule, train
from omnialpha_cli.lab.train.sde import roll_out
from omnialpha_cli.lab.train.triplets import Mix
from omnialpha_cli.model.request import Request
from omnialpha_cli.status import UsageError
from omnialpha_cli.tasks import TASKS

SMALL = GRPO(group=8, steps=4, eta=0.7, shift=1.0, fraction=0.75, clip=0.2, at_once=8)
STAGE = Schedule(
    steps=20, lr=2e-2, batch=1, size=64, decay="constant", warmup=0.0, ema=0.0, bf16=False, log_every=1, save_every=100
)


def opacity(example, layers) -> torch.Tensor:
    """A reward that a tiny model can raise: the foreground's mean alpha."""
    value = torch.zeros(4)
    value[0] = value[3] = layers[-1][3].mean()
    return value


def canvas(height, width, side):
    return 64, 64


def objective(material, model, stage=STAGE, settings=SMALL, tasks=None):
    return grpo.objective(material, model, tasks or {"matte.auto": 1.0}, opacity, stage, canvas, settings)


class Enlarged:
    """A VAE without weights: latents are the picture at an eighth of its size, four times. No alpha is ever full."""

    def encode(self, rgba):
        return F.avg_pool2d(rgba, 8).repeat(1, 4, 1, 1)

    def decode(self, z, clamp=True):
        return F.interpolate((z[:, :4] / 8).tanh(), scale_factor=8)


@pytest.fixture
def model():
    return replace(tiny_model(), vae=Enlarged())


def trained_of(model, adapters: bool) -> sft.Trained:
    trained = sft.Trained(model.transformer, None)
    if adapters:
        lora.adapt(trained.transformer, lora.LoRA(".*", 8, 8))
    else:
        trained.transformer.requires_grad_(True)
    return trained


@pytest.mark.parametrize(("adapters", "lr", "steps"), [(False, 1.5e-3, 40), (True, 1e-2, 20)])
def test_the_reward_rises(material, model, tmp_path, adapters, lr, steps):
    trained = trained_of(model, adapters)
    stage = replace(STAGE, steps=steps, lr=lr)
    train(trained, objective(material, model, stage), stage, tmp_path, RecordedReport())
    rewards = [json.loads(line)["reward"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert sum(rewards[-5:]) / 5 > sum(rewards[:5]) / 5 + 0.01, rewards


def test_several_updates_of_one_sampling_are_clipped(material, model, tmp_path):
    settings = replace(SMALL, updates=4, clip=1e-3)
    trained = trained_of(model, True)
    train(trained, objective(material, model, settings=settings), replace(STAGE, steps=8), tmp_path, RecordedReport())
    log = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["clipped"] > 0 for entry in log] == [False, True, True, True] * 2
    assert len({entry["reward"] for entry in log}) == 2  # two samplings


def group_of(material, model, settings=SMALL, seed=0):
    example = draw_example(material, Mix(), TASKS["matte.auto"], (64, 64), torch.Generator().manual_seed(3))
    return sample_group(model, example, opacity, settings, torch.Generator().manual_seed(seed))


def test_on_the_policy_the_gradient_is_the_advantage_times_that_of_the_log_density(material, model):
    """At ratio 1 the surrogate's gradient is −E[A ∇ log p], whatever the clip."""
    trained_of(model, False)
    rollout = group_of(material, model)
    part, k = rollout.parts[0], rollout.chosen[0]
    value, figures = policy_loss(model, part, k, SMALL)
    assert float(value.detach()) == pytest.approx(0, abs=1e-5)  # advantages have no mean
    assert figures["clipped"] == 0
    weight = model.transformer.proj_out.weight
    (found,) = torch.autograd.grad(value, weight)

    from omnialpha_cli.lab.train.sde import log_density, transition

    trajectory = part.trajectory
    x, sigma, below = trajectory.states[k], trajectory.sigmas[k], trajectory.sigmas[k + 1]
    prepared = model.prepare(part.inputs, part.context, part.request.layout)
    anchor = model.anchor(part.inputs, part.request.layout)
    velocity = model.denoise(x, x.new_full((len(x),), sigma), prepared, anchor)
    density = log_density(trajectory.states[k + 1], *transition(x, velocity, sigma, below, SMALL.eta)) / x[0].numel()
    assert torch.allclose(density, trajectory.log_densities[k] / x[0].numel(), atol=1e-5)
    (wanted,) = torch.autograd.grad(-(part.advantages * density).mean(), weight)
    assert torch.allclose(found, wanted, atol=1e-6)


class Linear:
    """A model whose velocity is rate·x + drift at every place: what it makes, and how that changes, can be known."""

    def __init__(self):
        self.rate, self.drift = (torch.tensor(v, requires_grad=True) for v in (0.4, 0.3))

    def prepare(self, *arguments):
        return None

    def anchor(self, *arguments):
        return 0.0

    def denoise(self, x, sigma, prepared, anchor):
        return self.rate * x + self.drift


def test_the_gradient_is_that_of_the_expected_reward():
    """Of many samples, that of the surrogate points where that through the samples themselves does."""
    model, settings = Linear(), replace(SMALL, steps=6, fraction=1.0)
    sigmas, noise = (
        torch.linspace(1, 0, 7).tolist(),
        torch.randn(60_000, 2, 2, generator=torch.Generator().manual_seed(0)),
    )

    def sampled():
        velocity = partial(model.denoise, prepared=None, anchor=0.0)
        return roll_out(velocity, noise, sigmas, settings.eta, torch.Generator().manual_seed(1))

    def reward(trajectory):
        return (trajectory.states[-1] - 1).square().mean((1, 2))

    unknowns = [model.rate, model.drift]
    through = torch.stack(torch.autograd.grad(reward(sampled()).mean(), unknowns))
    with torch.no_grad():
        trajectory = sampled()
        rewards = reward(trajectory)
    part = Part(Request("", (), ((16, 16),)), [], None, trajectory, rewards - rewards.mean())
    values = [policy_loss(model, part, k, settings)[0] for k in range(settings.trained_steps)]
    by_density = -torch.stack(torch.autograd.grad(torch.stack(values).sum(), unknowns)) * noise[0].numel()
    # What the last step, which has no density, adds is in the first alone: taken away by holding its velocity fixed.
    x, sigma = trajectory.states[-2], sigmas[-2]
    last = torch.stack(
        torch.autograd.grad((x - sigma * model.denoise(x, sigma, None, 0.0) - 1).square().mean(), unknowns)
    )
    assert torch.allclose(by_density, through - last, rtol=0.1), (by_density, through - last)


def test_parts_of_a_group_share_its_advantages(material, model):
    whole = group_of(material, model)
    parts = group_of(material, model, replace(SMALL, at_once=2))
    assert [len(p.advantages) for p in parts.parts] == [2, 2, 2, 2]
    together = torch.cat([p.advantages for p in parts.parts])
    for advantages in (together, whole.parts[0].advantages):
        assert float(advantages.mean()) == pytest.approx(0, abs=1e-5)
        assert float(advantages.std(correction=0)) == pytest.approx(1, abs=1e-3)


def test_the_steps_that_are_trained_on_are_a_share_without_the_last():
    assert GRPO().trained_steps == 12
    assert replace(SMALL, fraction=1.0).trained_steps == SMALL.steps - 1


def test_the_surrogate_is_the_pessimistic_one():
    ratio = torch.tensor([1.5, 0.5, 1.5, 0.5, 1.05])
    advantage = torch.tensor([1.0, 1.0, -1.0, -1.0, 2.0])
    value, figures = clipped_surrogate(ratio, advantage, 0.1)
    assert float(value) == pytest.approx(-(1.1 + 0.5 - 1.5 - 0.9 + 2.1) / 5)
    assert figures["clipped"] == pytest.approx(2 / 5)


def test_the_divergence_is_that_of_the_normals(material, model):
    trained = trained_of(model, True)
    settings = replace(SMALL, kl=1.0)
    rollout = group_of(material, model, settings)
    part, k = rollout.parts[0], rollout.chosen[0]
    _, figures = policy_loss(model, part, k, settings)
    assert figures["kl"] == 0
    for layer in trained.modules():
        if isinstance(layer, lora.Adapted):
            layer.up.data = torch.randn(layer.up.shape, generator=torch.Generator().manual_seed(1)) * 0.1
    value, figures = policy_loss(model, part, k, settings)
    plain, _ = policy_loss(model, part, k, SMALL)
    assert figures["kl"] > 0 and float((value - plain).detach()) == pytest.approx(figures["kl"], rel=1e-3)


def test_settings_that_do_not_go_together_are_refused(material, model):
    with pytest.raises(UsageError, match=r"needs \[lora\]"):
        objective(material, model, settings=replace(SMALL, kl=0.1))
    with pytest.raises(UsageError, match="micro = 1"):
        objective(material, model, replace(STAGE, batch=4))
    with pytest.raises(UsageError, match="updates"):
        objective(material, model, settings=replace(SMALL, updates=3))
    with pytest.raises(ValueError, match="no rewards"):
        objective(material, model, tasks={"generate.scene": 1.0})
    with pytest.raises(ValueError, match="groups of 8"):
        replace(SMALL, at_once=3)
