"""Removal: the source's own pixels where nothing went, and no step where something did."""

import pytest
import torch
from scenes import disc, textured

from omnialpha_cli.imaging.canvas import choose_canvas
from omnialpha_cli.imaging.composite import over
from omnialpha_cli.imaging.removal.clean_plate import finish_removal, relight


@pytest.fixture
def scene():
    """A background, a disc in front of it, the plate that they make, and its canvas."""
    background, alpha = textured(360, 540, (0.5, 0.6, 0.7), 2), disc(360, 540, 2.0)
    plate = over(torch.cat([textured(360, 540, (0.9, 0.2, 0.1), 1), alpha[None]]), background)
    return background, alpha, plate, choose_canvas(360, 540, 256)


def rendered(colour, canvas):
    small = canvas.fit(colour)
    return torch.cat([small, torch.ones_like(small[:1])])


def test_outside_the_mask_the_plate_is_untouched_bit_for_bit(scene):
    _, alpha, plate, canvas = scene
    noise = torch.rand(4, *canvas.size)
    clean = finish_removal(plate, noise, canvas, alpha)
    outside = alpha < 0.05
    assert torch.equal(clean[:, outside], plate[:, outside])
    assert (clean - plate).abs().amax(0)[alpha == 1].mean() > 0.1
    assert 0 <= clean.min() <= clean.max() <= 1


def test_inside_is_the_models_background(scene):
    background, alpha, plate, canvas = scene
    clean = finish_removal(plate, rendered(background, canvas), canvas, alpha)
    assert (clean - background).abs().max() < 0.1
    assert (clean - background).abs()[:, alpha == 1].mean() < 0.01


def test_a_colour_cast_leaves_no_step_at_the_border(scene):
    background, _, plate, canvas = scene
    mask = (disc(360, 540, 2.0) > 0).float()
    clean = finish_removal(plate, rendered(background + 0.1, canvas), canvas, mask)
    assert (clean - background).abs().mean() < 0.01


def test_without_a_mask_what_the_model_left_alone_is_untouched(scene):
    background, alpha, plate, canvas = scene
    clean = finish_removal(plate, rendered(background, canvas), canvas)
    changed = (clean != plate).any(0)
    assert changed[alpha == 1].all()
    far = torch.nn.functional.max_pool2d(alpha[None], 41, 1, 20)[0] == 0
    assert far.float().mean() > 0.3 and not changed[far].any()
    assert (clean - background).abs().mean() < 0.01


def test_a_model_that_changes_nothing_gives_the_plate_back(scene):
    _, _, plate, canvas = scene
    assert torch.equal(finish_removal(plate, rendered(plate, canvas), canvas), plate)


def test_a_mask_of_everything_is_the_models_background(scene):
    background, _, plate, canvas = scene
    clean = finish_removal(plate, rendered(background, canvas), canvas, torch.ones(360, 540))
    assert (clean - background).abs().mean() < 0.01


def shadowed(background: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A background with a soft shadow beside the disc, and how dark that is (H, W)."""
    rows, columns = torch.arange(360)[:, None] - 230, torch.arange(540) - 400
    dark = 0.4 * torch.exp(-(rows**2 + columns**2) / (2 * 35**2))
    return background * (1 - dark), dark


@pytest.mark.slow
@pytest.mark.parametrize("cast", [0.0, 0.1])
def test_with_effects_a_shadow_goes_though_the_models_colours_are_off(scene, cast):
    background, alpha, _, canvas = scene
    ground, dark = shadowed(background)
    plate = over(torch.cat([textured(360, 540, (0.9, 0.2, 0.1), 1), alpha[None]]), ground)
    off = rendered(background + cast * torch.linspace(-1, 1, 540), canvas)
    mask = (disc(360, 540, 2.0) > 0).float()
    kept = finish_removal(plate, off, canvas, mask)
    gone = finish_removal(plate, off, canvas, mask, effects=True)
    outside = (mask < 0.05) & (dark > 0.1)
    assert torch.equal(kept[:, mask < 0.05], plate[:, mask < 0.05])
    assert (gone - background).abs()[:, outside].mean() < 0.4 * (kept - background).abs()[:, outside].mean()
    far = torch.nn.functional.max_pool2d(((dark > 0.01) | (mask > 0)).float()[None], 61, 1, 30)[0] == 0
    assert far.float().mean() > 0.2 and torch.equal(gone[:, far], plate[:, far])


def test_with_effects_a_model_that_changes_nothing_leaves_all_but_the_mask(scene):
    _, alpha, plate, canvas = scene
    clean = finish_removal(plate, rendered(plate + 0.1, canvas), canvas, alpha, effects=True)
    assert torch.equal(clean[:, alpha < 0.05], plate[:, alpha < 0.05])


@pytest.mark.parametrize("exponent", [1.0, 2.2])
def test_factors_take_a_shadow_out_and_leave_the_rest_bit_for_bit(scene, exponent):
    """Also out of a plate in linear light, by gains that are meant for sRGB. What is hardly darker stays: its rim."""
    background, alpha, _, canvas = scene
    ground, dark = shadowed(background)
    gains = canvas.fit(1 / (1 - dark)[None]).expand(3, -1, -1)
    lit = relight(ground**exponent, gains, canvas, torch.zeros_like(alpha), exponent) ** (1 / exponent)
    assert (lit - background).abs().mean() < 0.25 * (ground - background).abs().mean()
    far = dark < 0.01
    assert torch.equal(relight(ground, gains, canvas, torch.zeros_like(alpha))[:, far], ground[:, far])


def test_under_the_mask_and_at_its_border_the_light_is_that_of_around_it(scene):
    """At the border the model was shown a picture that is painted over, so what it says there is not of the plate."""
    background, alpha, _, canvas = scene
    mask = (alpha > 0.5).float()
    painted = torch.nn.functional.max_pool2d(canvas.fit(mask[None]), 5, 1, 2) > 0
    gains = torch.where(painted, 4.0, 1.5).expand(3, -1, -1)
    lit = relight(background * 0.5, gains, canvas, mask)
    assert (lit / background - 0.75).abs().max() < 0.05


def test_without_a_mask_a_removal_grows_from_where_the_model_changed_something(scene):
    background, _, plate, canvas = scene
    made = rendered(background, canvas)
    narrow, wide = ((finish_removal(plate, made, canvas, grown=n) != plate).any(0) for n in (0, 9))
    # A share that is too small to change a pixel is not seen in `narrow`: two pixels more.
    around = torch.nn.functional.max_pool2d(narrow[None].float(), 23, 1, 11)[0] > 0
    assert wide[narrow].all() and wide.sum() > 1.1 * narrow.sum() and not wide[~around].any()
