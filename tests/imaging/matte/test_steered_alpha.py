"""What is known of a matte besides its picture moves it, and bounds have the last word."""

import torch

from omnialpha_cli.imaging.matte.finish import Steering
from omnialpha_cli.imaging.matte.motion import Carried

ALPHA = torch.tensor([[0.0, 0.5, 1.0]])


def test_without_anything_known_a_matte_stays():
    assert torch.equal(Steering().steer(ALPHA), ALPHA)


def test_alpha_is_put_within_the_bounds_and_the_upper_one_wins():
    steering = Steering(least=torch.tensor([[0.8, 0.8, 0.8]]), most=torch.tensor([[1.0, 0.2, 0.9]]))
    assert torch.allclose(steering.steer(ALPHA), torch.tensor([[0.8, 0.2, 0.9]]))


def test_bounds_have_the_last_word_over_what_is_known():
    known = (Carried(ALPHA.clamp(min=0.04), torch.ones(1, 3)),)
    most = torch.tensor([[0.0, 1.0, 1.0]])
    moved, bounded = Steering(known=known).steer(ALPHA), Steering(most=most, known=known).steer(ALPHA)
    assert moved[0, 0] > 0
    assert torch.equal(bounded, torch.minimum(moved, most))
