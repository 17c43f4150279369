"""The layer of a shadow: black whose alpha makes of what would be there what is there."""

import torch

from omnialpha_cli.imaging.canvas import choose_canvas
from omnialpha_cli.imaging.removal.shadow import LEAST, change_by, shadow_alpha, within_range

SIZE = 64, 64
GAIN = 1.6
SHADOW = slice(16, 48), slice(32, 56)


def scene(gain: float = GAIN) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A plate of .5 that is darker in the shadow, what takes that out, and the object beside it."""
    plate, gains, covered = torch.full((3, *SIZE), 0.5), torch.ones(3, *SIZE), torch.zeros(SIZE)
    gains[:, *SHADOW] = gain
    covered[16:48, 16:32] = 1
    return plate / gains, gains, covered


def alpha_of(plate, gains, covered, exponent=1.0):
    return shadow_alpha(plate, gains, choose_canvas(*SIZE, SIZE[0], 32), covered, exponent)


def test_what_is_there_is_what_would_be_there_through_the_layer():
    plate, gains, covered = scene()
    alpha = alpha_of(plate, gains, covered)
    middle = alpha[24:40, 42:52]
    torch.testing.assert_close(middle, torch.full_like(middle, 1 - 1 / GAIN), atol=0.01, rtol=0)
    assert (alpha[:8] == 0).all() and (alpha[:, 60:] == 0).all()


def test_in_linear_light_it_is_as_dark_as_gains_of_srgb_say():
    plate, gains, covered = scene()
    alpha = alpha_of(plate, gains, covered, exponent=2.2)
    assert abs(float(alpha[32, 46]) - (1 - GAIN**-2.2)) < 0.01


def test_it_goes_on_under_the_edge_of_the_object():
    plate, gains, covered = scene()
    alpha = alpha_of(plate, gains, covered)
    assert (alpha[24:40, 30:40] > 0.8 * alpha[32, 46]).all()


def test_faint_changes_and_what_is_lightened_are_no_shadow():
    for gain in (1 + LEAST, 1.1, 0.6):
        assert (alpha_of(*scene(gain)) == 0).all()


def test_within_range_keeps_what_is_below_from_leaving_it():
    plate, gains, covered = scene()
    plate[:, 30, 46] = 0.95
    alpha = within_range(alpha_of(plate, gains, covered), plate)
    assert (plate / (1 - alpha)).max() <= 1 + 1e-6 and abs(float(alpha[30, 46]) - 0.05) < 1e-6
    assert alpha[34, 46] > 0.3


def test_black_stays_without_a_shadow():
    _, gains, covered = scene()
    assert (alpha_of(torch.zeros(3, *SIZE), gains, covered) == 0).all()


def test_the_change_is_told_by_its_direction():
    plate, gains, covered = scene()
    darkened, lightened = change_by(plate, gains, covered)
    assert darkened > 0.01 and lightened == 0
    darkened, lightened = change_by(plate, 1 / gains, covered)
    assert darkened == 0 and lightened > 0.01
