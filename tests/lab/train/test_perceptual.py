"""The perceptual distances of trainings: LPIPS of the package, and the features that the weights bring."""

import pytest
import torch
from torch import nn

from omnialpha_cli.lab.train import perceptual
from omnialpha_cli.lab.train.perceptual import load_distance
from omnialpha_cli.status import UsageError


def pictures(seed: int) -> torch.Tensor:
    return torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(seed)) * 2 - 1


class Network(nn.Module):
    """Stands in for LPIPS: a frozen convolution, and one figure a pair."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 4, 3).requires_grad_(False)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        assert a.dtype == torch.float32
        return (self.convolution(a) - self.convolution(b)).square().mean((1, 2, 3), keepdim=True)


@pytest.fixture(params=[False, True])
def distance(request, monkeypatch):
    monkeypatch.setattr(perceptual, "lpips_network", lambda trunk, device: Network() if trunk == "vgg" else None)
    return load_distance(request.param, torch.device("cpu"))


def test_each_pair_is_judged_alone(distance):
    a, b = pictures(1), pictures(2)
    together = distance(a, b)
    assert together.shape == (2,) and float(together.min()) > 0
    assert torch.allclose(together[1:], distance(a[1:], b[1:]), rtol=1e-4)
    assert torch.equal(distance(a, a), torch.zeros(2))


def test_gradients_reach_the_pictures(distance):
    a = pictures(1).requires_grad_()
    distance(a, pictures(2)).sum().backward()
    assert a.grad is not None and float(a.grad.abs().sum()) > 0


def test_lpips_is_in_full_precision_within_a_step_in_half(monkeypatch):
    monkeypatch.setattr(perceptual, "lpips_network", lambda trunk, device: Network())
    distance = load_distance(True, torch.device("cpu"))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert distance(pictures(1).bfloat16(), pictures(2)).dtype == torch.float32


def test_lpips_that_is_not_installed_is_named_with_what_brings_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "lpips", None)
    with pytest.raises(UsageError, match="LPIPS needs lpips"):
        load_distance(True, torch.device("cpu"))
