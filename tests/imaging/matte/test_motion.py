"""Mattes carried from frame to frame: they go with the object, and only as far as that is found again."""

import pytest
import torch
from scenes import disc, hair, textured

from omnialpha_cli.imaging.composite import over
from omnialpha_cli.imaging.matte.motion import as_drawn, carry

HEIGHT, WIDTH = 120, 160
OBJECT, BEHIND = textured(HEIGHT, WIDTH, (0.8, 0.5, 0.3), 1), textured(HEIGHT, WIDTH, (0.2, 0.3, 0.5), 2)


def frame(alpha: torch.Tensor, down: int, right: int, light: float = 1.0) -> tuple[torch.Tensor, torch.Tensor]:
    """An object moved before a background that stays: a picture with a camera's noise, and its alpha."""
    layer = torch.cat((OBJECT, alpha[None])).roll((down, right), (1, 2))
    noise = torch.randn(3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(down)) * 0.02
    return (over(layer, BEHIND) * light + noise).clamp(0, 1), layer[3]


@pytest.mark.parametrize(("down", "right", "light"), [(2, 3, 1.0), (-6, 9, 1.0), (3, -2, 0.9)])
def test_a_matte_goes_with_its_object(down, right, light):
    before, alpha = frame(hair(HEIGHT, WIDTH, 20), 0, 0)
    now, true = frame(alpha, down, right, light)
    carried = carry(before, now, alpha)
    still, moved = ((one - true).abs().mean() for one in (alpha, carried.alpha))
    assert moved < still / 4 and carried.trust[true[::1, ::1] > 0.9].mean() > 0.9


@pytest.mark.slow
def test_far_from_where_it_started_the_matte_of_the_start_is_found_again():
    before, alpha = frame(hair(HEIGHT, WIDTH, 20), 0, 0)
    last, _ = frame(alpha, -20, 34)
    now, true = frame(alpha, -20, 36)
    blurred = torch.nn.functional.avg_pool2d(alpha[None], 5, 1, 2)[0].roll((-20, 34), (0, 1))
    carried = carry(last, now, blurred)
    found = carried.from_start(carry(before, now, alpha, carried.alpha))
    assert (found.alpha - true).abs().mean() < (carried.alpha - true).abs().mean() / 2


def test_what_does_not_move_stays_as_it_is():
    before, alpha = frame(disc(HEIGHT, WIDTH, 3), 0, 0)
    carried = carry(before, before, alpha)
    torch.testing.assert_close(carried.alpha, alpha, atol=1e-3, rtol=0)


@pytest.mark.slow
def test_after_a_cut_there_is_nothing_to_carry():
    before, alpha = frame(disc(HEIGHT, WIDTH, 3), 0, 0)
    checks = ((torch.arange(HEIGHT)[:, None] // 8 + torch.arange(WIDTH) // 8) % 2).float().expand(3, -1, -1)
    assert carry(before, checks, alpha) is None
    assert carry(before, torch.zeros_like(before), alpha) is None


def test_what_is_new_is_decided_by_the_frame_itself():
    """An arm that comes out from behind: the matte of the frame before has nothing there."""
    before, alpha = frame(disc(HEIGHT, WIDTH, 3), 0, 0)
    now, fresh = before.clone(), alpha.clone()
    now[:, 50:70, 110:150], fresh[50:70, 110:150] = torch.tensor([0.9, 0.9, 0.1])[:, None, None], 1
    steady = carry(before, now, alpha).steady(fresh)
    assert steady[53:67, 115:145].mean() > 0.9


def test_a_wrong_matte_is_not_carried_on():
    before, alpha = frame(disc(HEIGHT, WIDTH, 3), 0, 0)
    wrong = alpha.clone()
    wrong[:, :40] = 1
    steady = carry(before, before, wrong).steady(alpha)
    assert steady[:, :30].max() < 0.05 and (steady - alpha)[:, 60:].abs().max() < 0.05


def test_a_matte_of_hair_is_kept_as_it_is_and_an_outline_is_not():
    matte, worse = hair(360, 480), disc(360, 480, 2)
    kept = as_drawn(matte).steady(worse)
    assert (kept - matte).abs().mean() < (worse - matte).abs().mean() / 3
    for softness in (0.1, 1, 4, 20):
        outline = disc(360, 480, softness)
        assert torch.equal(as_drawn(outline).steady(matte), matte)
