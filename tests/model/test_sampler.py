"""The sampler against diffusers' Flow-Match Euler scheduler, and against equations with known solutions."""

import math

import pytest
import torch

from omnialpha_cli.model.sampler import Schedule, draw_noise, euler, guide, schedule

PUBLISHED = {
    "_class_name": "FlowMatchEulerDiscreteScheduler",
    "base_image_seq_len": 256,
    "base_shift": 0.5,
    "invert_sigmas": False,
    "max_image_seq_len": 8192,
    "max_shift": 0.9,
    "num_train_timesteps": 1000,
    "shift": 1.0,
    "shift_terminal": 0.02,
    "stochastic_sampling": False,
    "time_shift_type": "exponential",
    "use_beta_sigmas": False,
    "use_dynamic_shifting": True,
    "use_exponential_sigmas": False,
    "use_karras_sigmas": False,
}


def reference(steps: int, mu: float, **changes):
    from diffusers import FlowMatchEulerDiscreteScheduler

    config = {k: v for k, v in (PUBLISHED | changes).items() if not k.startswith("_")}
    scheduler = FlowMatchEulerDiscreteScheduler(**config)
    scheduler.set_timesteps(sigmas=[1 - k / steps for k in range(steps)], mu=mu)
    return scheduler


@pytest.mark.slow  # importing diffusers takes seconds
@pytest.mark.parametrize("steps", [2, 4, 20, 50])
@pytest.mark.parametrize("tokens", [64, 256, 4096, 8192, 20000])
@pytest.mark.parametrize("terminal", [0.02, None])
def test_sigmas_are_the_published_ones(steps, tokens, terminal):
    parameters = Schedule.from_dict(PUBLISHED | {"shift_terminal": terminal})
    mu = 0.5 + 0.4 * (tokens - 256) / (8192 - 256)
    assert parameters.mu(tokens) == pytest.approx(mu, abs=1e-12)
    expected = reference(steps, mu, shift_terminal=terminal).sigmas
    assert torch.tensor(schedule(steps, tokens, parameters)) == pytest.approx(expected, abs=1e-6)


def test_the_published_schedule_runs_from_one_to_the_terminal_value_then_to_zero():
    sigmas = schedule(50, 4096)
    assert len(sigmas) == 51
    assert (sigmas[0], sigmas[-1]) == (1.0, 0.0)
    assert sigmas[-2] == pytest.approx(0.02)
    assert sigmas == sorted(sigmas, reverse=True)


def test_one_step_goes_from_one_to_zero():
    assert schedule(1, 4096) == [1.0, 0.0]
    assert schedule(1, 4096, Schedule(shift_terminal=None)) == [1.0, 0.0]


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="at least 1 step"):
        schedule(0, 256)


@pytest.mark.parametrize(
    "change", [{"use_dynamic_shifting": False}, {"time_shift_type": "linear"}, {"use_karras_sigmas": True}]
)
def test_a_schedule_of_another_kind_is_refused(change):
    with pytest.raises(ValueError, match="dynamic exponential shift"):
        Schedule.from_dict(PUBLISHED | change)


@pytest.mark.slow  # importing diffusers takes seconds
def test_each_euler_step_is_the_schedulers():
    scheduler = reference(4, Schedule().mu(1024))
    generator = torch.Generator().manual_seed(0)
    x, velocities = torch.randn(1, 8, 4, generator=generator), torch.randn(4, 1, 8, 4, generator=generator)
    theirs = x
    for timestep, velocity in zip(scheduler.timesteps, velocities, strict=True):
        theirs = scheduler.step(velocity, timestep, theirs, return_dict=False)[0]
    remaining = iter(velocities)
    ours = euler(lambda x, sigma: next(remaining), x, schedule(4, 1024))
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_euler_is_exact_on_a_straight_path():
    x0, noise = torch.full((3,), 2.0), torch.tensor([-1.0, 0.0, 1.0])
    for steps in (1, 2, 7):
        assert torch.allclose(euler(lambda x, sigma: noise - x0, noise, schedule(steps, 256)), x0, atol=1e-6)


def test_euler_converges_on_exponential_decay():
    # dx/dsigma = x from sigma 1 to 0 divides x by e; the error of Euler falls with the step.
    x = torch.ones(1, dtype=torch.float64)
    errors = [
        abs(float(euler(lambda x, sigma: x, x, [1 - k / n for k in range(n + 1)])) - math.exp(-1)) for n in (50, 100)
    ]
    assert errors[1] < errors[0] / 1.9 < 0.01


def test_denoise_sees_every_sigma_but_the_last():
    seen = []
    euler(lambda x, sigma: seen.append(sigma) or x, torch.zeros(1), [1.0, 0.5, 0.25, 0.0])
    assert seen == [1.0, 0.5, 0.25]


def test_guidance_keeps_the_norm_of_every_token():
    generator = torch.Generator().manual_seed(0)
    cond, uncond = torch.randn(2, 2, 5, 16, generator=generator)
    combined = uncond + 4 * (cond - uncond)
    guided = guide(cond, uncond, 4.0)
    assert torch.allclose(guided.norm(dim=-1), cond.norm(dim=-1), rtol=1e-5)
    assert torch.allclose(torch.cosine_similarity(guided, combined, dim=-1), torch.ones(2, 5))
    assert torch.allclose(guide(cond, uncond, 1.0), cond, atol=1e-6)


def test_guidance_of_nothing_is_nothing():
    assert torch.equal(guide(torch.zeros(1, 4), torch.zeros(1, 4), 4.0), torch.zeros(1, 4))


def test_noise_depends_on_the_seed_and_the_targets_before_it_alone():
    first, second = draw_noise([(16, 4, 6), (16, 8, 8)], seed=7)
    assert (first.shape, second.shape, first.dtype) == ((16, 4, 6), (16, 8, 8), torch.float32)
    torch.manual_seed(99)  # the global generator has no part in it
    assert torch.equal(draw_noise([(16, 4, 6)], seed=7)[0], first)
    assert not torch.equal(draw_noise([(16, 4, 6)], seed=8)[0], first)
