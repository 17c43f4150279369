"""The second look at a matte: what it may change, and how far."""

import pytest
import torch

from omnialpha_cli.model.mini.detail import DOUBT, Detail


@pytest.fixture
def lighter() -> Detail:
    """A network that would have every alpha .2 higher."""
    network = Detail().requires_grad_(False)
    network.leave.bias.zero_()
    network.leave.bias[12:] = 0.2  # of the last way, at each pixel of 2 × 2
    return network


def look(network: Detail, alpha: torch.Tensor, trimap: torch.Tensor | None = None) -> torch.Tensor:
    return network.refined(torch.rand(3, *alpha.shape), torch.rand(6, *alpha.shape), alpha, trimap)


@pytest.mark.parametrize("size", [(1, 1), (7, 90), (64, 48)])
def test_an_untrained_one_changes_nothing_of_any_shape(size):
    network, alpha = Detail().requires_grad_(False), torch.rand(size)
    network.leave.bias.zero_()
    assert torch.equal(look(network, alpha), alpha)


@pytest.mark.slow
def test_with_a_trimap_it_decides_all_that_is_unknown(lighter):
    alpha, trimap = torch.full((40, 60), 0.5), torch.full((40, 60), 0.5)
    trimap[:10] = 1
    found = look(lighter, alpha, trimap)
    torch.testing.assert_close(found[10:], torch.full((30, 60), 0.7))
    assert (found[:10] == 0.5).all()


def test_without_one_what_is_soft_far_and_wide_stays_in_doubt(lighter):
    alpha = torch.full((60, 60), 0.5)
    alpha[:, 30:33], alpha[:, 33:] = torch.tensor([0.1, 0.5, 0.9]), 1.0
    alpha[:, 27:30] = 0.0
    found = look(lighter, alpha)
    torch.testing.assert_close(found[:, 31], torch.full((60,), 0.7))  # an edge
    torch.testing.assert_close(found[:, 10], torch.full((60,), 0.5 + DOUBT * 0.2))
    assert (found[:, 50] == 1).all()


def test_colour_between_object_and_background_is_alpha():
    network, alpha = Detail().requires_grad_(False), torch.full((16, 16), 0.5)
    network.leave.bias.zero_()
    network.leave.bias[:4] = 1  # all the way to the line
    front, back, truth = torch.tensor([0.9, 0.2, 0.1]), torch.tensor([0.1, 0.3, 0.8]), torch.rand(16, 16)
    plate = truth * front[:, None, None] + (1 - truth) * back[:, None, None]
    colours = torch.cat((front, back))[:, None, None].expand(6, 16, 16)
    found = network.refined(plate, colours, alpha, torch.full((16, 16), 0.5))
    torch.testing.assert_close(found, truth, atol=1e-5, rtol=0)
