"""The stochastic sampler: its density is one, and its samples are the data's."""

import math

import pytest
import torch

from omnialpha_cli.lab.train.sde import log_density, roll_out, transition

DATA_MEAN, DATA_STD = 1.5, 0.4


def velocity(x: torch.Tensor, sigma: float) -> torch.Tensor:
    """The exact one for normal data: x at sigma is normal, and the velocity the mean of noise − x0 given it."""
    mean, variance = (1 - sigma) * DATA_MEAN, ((1 - sigma) * DATA_STD) ** 2 + sigma**2
    noise = sigma * (x - mean) / variance
    clean = DATA_MEAN + (1 - sigma) * DATA_STD**2 * (x - mean) / variance
    return noise - clean


def test_the_density_integrates_to_one_and_has_the_transition_s_moments():
    x = torch.tensor([[[0.3]]], dtype=torch.float64)
    mean, std = transition(x, velocity(x, 0.7), 0.7, 0.6, 0.3)
    grid = torch.linspace(float(mean) - 8 * std, float(mean) + 8 * std, 20_001, dtype=torch.float64)
    density = log_density(grid.view(-1, 1, 1), mean, std).exp()
    assert float(torch.trapezoid(density, grid)) == pytest.approx(1, abs=1e-9)
    assert float(torch.trapezoid(density * grid, grid)) == pytest.approx(float(mean), abs=1e-9)
    assert float(torch.trapezoid(density * (grid - mean.flatten()) ** 2, grid)) == pytest.approx(std**2, rel=1e-9)


def test_the_log_densities_of_a_trajectory_are_those_of_its_steps():
    g = torch.Generator().manual_seed(0)
    sigmas, eta = [1.0, 0.8, 0.5, 0.2, 0.0], 0.3
    trajectory = roll_out(velocity, torch.randn(3, 4, 5, generator=g), sigmas, eta, g)
    assert len(trajectory.states) == 5 and len(trajectory.log_densities) == 3
    for k, found in enumerate(trajectory.log_densities):
        x, following = trajectory.states[k], trajectory.states[k + 1]
        score = -(x + (1 - sigmas[k]) * velocity(x, sigmas[k])) / sigmas[k]
        step = sigmas[k] - sigmas[k + 1]
        mean = x - step * velocity(x, sigmas[k]) + step * 0.5 * eta**2 * score
        normal = torch.distributions.Normal(mean, eta * math.sqrt(step))
        assert torch.allclose(found, normal.log_prob(following).sum((1, 2)), rtol=1e-4)


def test_a_histogram_of_many_steps_is_the_density():
    x = torch.full((200_000, 1, 1), 0.3)
    g = torch.Generator().manual_seed(1)
    states = roll_out(velocity, x, [0.7, 0.5, 0.0], 0.5, g).states[1].flatten()
    mean, std = transition(x[:1], velocity(x[:1], 0.7), 0.7, 0.5, 0.5)
    edges = torch.linspace(float(mean) - 2 * std, float(mean) + 2 * std, 11)
    share = torch.histogram(states, edges).hist / len(states) / (edges[1] - edges[0])
    centres = ((edges[:-1] + edges[1:]) / 2).view(-1, 1, 1)
    assert torch.allclose(share, log_density(centres, mean, std).exp(), rtol=0.06)


@pytest.mark.parametrize("eta", [0.0001, 0.3, 0.7])
def test_samples_have_the_data_s_mean_and_deviation_whatever_the_noise(eta):
    g = torch.Generator().manual_seed(2)
    sigmas = [1 - k / 200 for k in range(201)]
    x = roll_out(velocity, torch.randn(4000, 1, 1, generator=g), sigmas, eta, g).states[-1]
    assert float(x.mean()) == pytest.approx(DATA_MEAN, abs=0.03)
    assert float(x.std()) == pytest.approx(DATA_STD, rel=0.05)


def test_the_score_is_the_gradient_of_the_log_density():
    """By the transition's drift against the ODE's: −½η²·score·step."""
    x, sigma, below, eta = torch.tensor([[[0.9]]], dtype=torch.float64), 0.6, 0.55, 0.4
    mean, _ = transition(x, velocity(x, sigma), sigma, below, eta)
    score = (mean - x - velocity(x, sigma) * (below - sigma)) / (-0.5 * eta**2 * (below - sigma))
    variance = ((1 - sigma) * DATA_STD) ** 2 + sigma**2
    assert torch.allclose(score, -(x - (1 - sigma) * DATA_MEAN) / variance)
