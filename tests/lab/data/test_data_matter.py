"""What is made: glass, smoke, fire, light, hair; what lens and light do; and what is kept."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from omnialpha_cli.imaging.composite import layered, over
from omnialpha_cli.lab.data import admission, effects, glass, glow, harmony, lens, smoke, strands
from omnialpha_cli.lab.data.captions import caption, describe, named
from omnialpha_cli.lab.data.place import Cuts, cuts_of, put, trimmed

SIDE = 96


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ball(colour: tuple[float, float, float] = (0.8, 0.3, 0.2), side: int = SIDE, radius: float = 0.3) -> torch.Tensor:
    """A ball in the middle of a straight RGBA layer."""
    place = (torch.arange(side) + 0.5) / side - 0.5
    alpha = ((radius - torch.hypot(place[:, None], place)) * side + 0.5).clamp(0, 1)
    return torch.cat((torch.tensor(colour)[:, None, None].expand(3, side, side), alpha[None]))


@pytest.mark.parametrize("draw", [glass.draw_vessel, smoke.draw_smoke, smoke.draw_flame, glow.draw_glow])
@pytest.mark.parametrize("seed", range(6))
def test_made_matter_is_a_layer_that_ends_within_its_picture(draw, seed):
    layer, name = draw(SIDE, generator(seed))
    again, _ = draw(SIDE, generator(seed))
    assert layer.shape == (4, SIDE, SIDE)
    assert torch.equal(layer, again)
    assert name
    assert layer.min() >= 0 and layer.max() <= 1
    alpha = layer[3]
    assert 0.002 < alpha.mean() < 0.7
    border = torch.cat((alpha[0], alpha[:, 0], alpha[:, -1]))
    assert border.max() < 0.05


def test_glass_is_thicker_at_its_rim_than_in_its_middle():
    rims, middles = [], []
    for seed in range(40):
        layer, name = glass.draw_vessel(SIDE, generator(seed))
        if "of" in name.split():  # filled
            continue
        row = layer[3, SIDE // 2]
        inside = torch.nonzero(row > 0.02)[:, 0]
        rims.append(float(row[inside[0] : inside[0] + 4].max()))
        middles.append(float(row[SIDE // 2 - 3 : SIDE // 2 + 3].median()))
    assert np.mean(rims) > 1.3 * np.mean(middles)
    assert np.mean(middles) < 0.6


def test_a_made_thing_of_glass_keeps_its_outline():
    made = glass.make_glass(ball(), generator(1))
    assert (made[3] <= ball()[3] + 1e-6).all()
    assert 0.1 < made[3][SIDE // 2, SIDE // 2] < 0.95


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_light_as_a_layer_adds_to_black_and_vanishes_on_white(seed):
    light = torch.rand(3, 8, 8, generator=generator(seed)) * 2
    layer = glow.as_layer(light)
    assert torch.allclose(over(layer, torch.zeros(3, 8, 8)), 1 - torch.exp(-light), atol=1e-5)
    assert (over(layer, torch.ones(3, 8, 8)) <= 1).all()
    assert (over(layer, torch.full((3, 8, 8), 0.5)) >= 0.5 * layer[:3].sign() * 0).all()


@given(st.integers(0, 10**6))
@settings(max_examples=20, deadline=None)
def test_layers_over_each_other_are_one_layer(seed):
    top, bottom = torch.rand(2, 4, 6, 6, generator=generator(seed))
    background = torch.rand(3, 6, 6, generator=generator(seed + 1))
    assert torch.allclose(over(layered(top, bottom), background), over(top, over(bottom, background)), atol=1e-5)


def test_hair_grows_outward_and_leaves_the_inside_alone():
    grown = 0
    for seed in range(8):
        layer = ball()
        hairy = strands.grow_hair(layer, generator(seed))
        assert (hairy[3] >= layer[3] - 1e-6).all()
        inside = layer[3] > 0.99
        assert torch.allclose(hairy[:, inside], layer[:, inside], atol=1e-5)
        outside = layer[3] == 0
        grown += int((hairy[3][outside] > 0.1).sum() > 20)
        tinted = (hairy[3] > 0.1) & outside
        if tinted.any():  # in the colour of the ball, lighter or darker
            assert (hairy[0][tinted] > hairy[2][tinted]).all()
    assert grown >= 6


def test_defocus_spreads_alpha_and_keeps_colour():
    layer = ball()
    soft = lens.blurred_layer(layer, lens.disc(6))
    assert soft[3].sum() == pytest.approx(float(layer[3].sum()), rel=0.02)
    assert ((soft[3] > 0.02) & (soft[3] < 0.98)).sum() > 3 * ((layer[3] > 0.02) & (layer[3] < 0.98)).sum()
    seen = soft[3] > 0.01
    assert torch.allclose(soft[:3, seen], layer[:3, seen], atol=1e-4)


def test_motion_spreads_along_its_direction_alone():
    layer = ball(radius=0.1)
    moved = lens.blurred_layer(layer, lens.streak(24, 0.0))
    widths = [int((plane[3].amax(axis) > 0.05).sum()) for plane in (layer, moved) for axis in (0, 1)]
    assert widths[2] > widths[0] + 12  # columns
    assert widths[3] <= widths[1] + 2  # rows


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=25, deadline=None)
def test_effects_darken_or_mirror_beside_the_object(seed, on_ground):
    g = generator(seed)
    background = 0.4 + 0.2 * torch.rand(3, SIDE, SIDE, generator=g)
    made = effects.draw_effects(ball(), background, on_ground, g)
    assert made is not None and "shadow" in made.names
    assert made.layer.min() >= 0 and made.layer.max() <= 1
    seen = over(made.layer, background)
    assert (seen - background).abs().max() > 0.02
    if made.names == ("shadow",):
        assert (seen <= background + 1e-5).all()


def test_effects_that_the_object_hides_are_none():
    background = torch.full((3, SIDE, SIDE), 0.5)
    shade = effects.shadow_layer(ball()[3:] * 0.8, background)
    assert not effects.is_visible(effects.Effects(shade, ("shadow",)), ball(radius=0.4), background)
    assert effects.is_visible(effects.Effects(shade, ("shadow",)), ball(radius=0.2), background)


def test_a_contact_shadow_is_at_the_foot():
    alpha = ball()[3:]
    base = effects.base_of(alpha)
    assert base is not None and abs(base - round(0.8 * SIDE)) <= 1
    shade = effects.contact_shadow(alpha, base, generator(0))[0]
    assert shade[base + 1].max() > 0.3
    assert shade[: SIDE // 2].max() < 0.05


def test_harmonising_moves_towards_the_background():
    background = torch.tensor([0.2, 0.4, 0.8])[:, None, None].expand(3, SIDE, SIDE)
    closer = []
    for seed in range(10):
        made = harmony.harmonise(ball(), background, generator(seed))
        assert torch.equal(made[3], ball()[3])
        closer.append(float((made[:3] - background).abs().mean() - (ball()[:3] - background).abs().mean()))
    assert np.mean(closer) < -0.02
    planes = torch.rand(3, 5, 5)
    assert torch.allclose(harmony.from_opponent(harmony.opponent(planes)), planes, atol=1e-5)


def pixels(layer: torch.Tensor) -> np.ndarray:
    return (layer * 255).round().byte().permute(1, 2, 0).numpy()


def test_a_triplet_is_kept_if_its_layers_make_up_its_scene():
    foreground, background = pixels(ball()), pixels(torch.full((3, SIDE, SIDE), 0.5))
    scene = (admission.composed(foreground, None, background) * 255).round().astype(np.uint8)
    assert admission.fault(foreground, None, background, scene) is None
    shadowed = scene.copy()
    shadowed[-4:] //= 2
    assert admission.fault(foreground, None, background, shadowed) == "composite"
    effect = np.zeros((SIDE, SIDE, 4), np.uint8)
    effect[-4:, :, 3] = 128
    told = (admission.composed(foreground, effect, background) * 255).round().astype(np.uint8)
    assert admission.fault(foreground, effect, background, told) is None
    assert admission.fault(foreground, None, background, told) == "composite"


@pytest.mark.parametrize(("alpha", "fault"), [(0.0, "empty"), (0.1, "faint"), (0.5, None), (1.0, None)])
def test_a_triplet_is_kept_if_its_object_is_there(alpha, fault):
    layer = ball()
    layer = torch.cat((layer[:3], layer[3:] * alpha))
    foreground, background = pixels(layer), pixels(torch.full((3, SIDE, SIDE), 0.1))
    scene = (admission.composed(foreground, None, background) * 255).round().astype(np.uint8)
    assert admission.fault(foreground, None, background, scene) == fault


def test_what_fills_the_picture_or_is_not_seen_is_not_kept():
    background = pixels(torch.full((3, SIDE, SIDE), 0.5))
    everywhere = np.full((SIDE, SIDE, 4), 255, np.uint8)
    assert admission.fault(everywhere, None, background, everywhere[..., :3]) == "full"
    same = pixels(ball((0.5, 0.5, 0.5)))
    assert admission.fault(same, None, background, background) == "unseen"


def test_a_pair_may_differ_by_object_and_effect_alone():
    mask = pixels(ball())[..., 3] > 127
    background = np.full((SIDE, SIDE, 3), 120, np.uint8)
    scene = background.copy()
    scene[mask] = 30
    assert admission.fault_of_pair(mask, None, background, scene) is None
    scene[:20] = 60  # a shadow
    assert admission.fault_of_pair(mask, None, background, scene) == "composite"
    effect = mask.copy()
    effect[:20] = True
    assert admission.fault_of_pair(mask, effect, background, scene) is None
    assert admission.fault_of_pair(mask, None, background, background) == "unseen"


def put_down(*, cut: bool, **more) -> tuple[Cuts, torch.Tensor]:
    """A square object that its frame cuts at the bottom, or not, put on a canvas."""
    rgba = np.full((60, 60, 4), 200, np.uint8)
    rgba[..., 3] = 0
    rgba[20 : 60 if cut else 50, 15:45, 3] = 255
    cuts, cropped = cuts_of(rgba, photo=True), trimmed(rgba)
    assert cropped is not None and cropped.shape == ((40, 30, 4) if cut else (30, 30, 4))
    return cuts, put(cropped, cuts, (SIDE, SIDE), generator(3), **{"on_ground": True, "scale": (0.5, 0.5), **more})


def test_what_the_frame_cut_is_cut_by_the_frame_again():
    whole, layer = put_down(cut=False)
    assert whole.count == 0
    assert layer[3, -1].max() == 0 and layer[3].max() > 0.99
    cut, layer = put_down(cut=True)
    assert (cut.bottom, cut.count) == (True, 1)
    assert layer[3, -1].max() > 0.9


def test_two_objects_stand_on_their_sides():
    for side in (-1, 1):
        _, layer = put_down(cut=False, side=side)
        columns = torch.nonzero(layer[3].amax(0) > 0.5)[:, 0].float()
        assert (float(columns.mean()) < SIDE / 2) == (side < 0)


def test_a_cut_out_that_fills_its_frame_is_not_cut():
    square = np.full((40, 40, 4), 255, np.uint8)
    assert cuts_of(square, photo=False).count == 0
    assert cuts_of(square, photo=True).count == 4
    bust = square.copy()
    bust[:10, :, 3] = bust[:, :8, 3] = bust[:, 32:, 3] = 0
    assert cuts_of(bust, photo=False).bottom


def test_captions():
    told = caption("red apple", "beach", ("dog", ""), ("shadow",))
    assert told.foreground == "a red apple"
    assert told.background == "a beach scene"
    assert told.scene == "a red apple in front of a beach scene, beside a dog, casting a shadow"
    assert caption("red apple", "", (), ()).scene == "a red apple"
    assert caption("", "a wet road at night", (), ()).scene == "a wet road at night"
    assert [named(words) for words in ("umbrella", "white smoke", "the man", "french fries", "glass")] == [
        "an umbrella", "white smoke", "the man", "french fries", "a glass",
    ]  # fmt: skip
    assert describe(torch.tensor([0.1, 0.15, 0.5])[:, None, None].expand(3, 32, 32)) == "a plain dark blue background"
