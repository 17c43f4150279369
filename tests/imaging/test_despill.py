"""Spill of a screen goes out of the object's colours, and out of nothing else."""

import pytest
import torch
from scenes import hair, textured

from omnialpha_cli.imaging.canvas import choose_canvas
from omnialpha_cli.imaging.colour import despill, find_screen
from omnialpha_cli.imaging.composite import over
from omnialpha_cli.imaging.matte.finish import finish_layers, finish_matte
from omnialpha_cli.imaging.matte.foreground import estimate_foreground
from omnialpha_cli.lab.evaluate.scenes import hair_scene
from omnialpha_cli.media.colour import LINEAR, SRGB
from omnialpha_cli.picture.view import in_encoding

SCREENS = {"green": (0.15, 0.65, 0.2), "blue": (0.1, 0.22, 0.7)}
LUMINANCE = torch.tensor([0.2126, 0.7152, 0.0722])
SIZE = (240, 320)


def before_a_screen(name: str, spill: float = 0.0):
    """True foreground (4, H, W), and the plate: before the screen, whose light also falls on the object."""
    colour = torch.tensor(SCREENS[name])[:, None, None]
    shade = 0.9 + 0.2 * textured(*SIZE, (0.5, 0.5, 0.5), 3)[:1]  # screens are never lit evenly
    truth = torch.cat([textured(*SIZE, (0.4, 0.38, 0.36), 1), hair(*SIZE)[None]])
    lit = torch.cat([truth[:3] + spill * colour, truth[3:]])
    return truth, over(lit, colour * shade)


def tint(colour: torch.Tensor) -> torch.Tensor:
    """What is left of a colour without its luminance."""
    return colour - torch.tensordot(LUMINANCE, colour, 1)


@pytest.mark.parametrize("screen", SCREENS)
def test_light_of_the_screen_on_the_object_no_longer_tints_it(screen):
    truth, plate = before_a_screen(screen, spill=0.3)
    alpha = truth[3]
    spilt = estimate_foreground(plate, alpha)
    clean = spilt.clone()
    despill(clean, alpha, screen)
    seen = alpha > 0.05
    error, before = ((tint(colour) - tint(truth[:3])).abs()[:, seen].mean() for colour in (clean, spilt))
    assert error < 0.5 * before
    own = {"green": 1, "blue": 2}[screen]
    others = [channel for channel in range(3) if channel != own]
    assert (clean[own] <= clean[others].amax(0) + 1e-6).all()


@pytest.mark.parametrize("screen", SCREENS)
def test_a_matte_that_lets_the_screen_through_is_mended(screen):
    """Alpha too large at the edge: there the plain colours are the screen's."""
    truth, plate = before_a_screen(screen)
    alpha = torch.nn.functional.max_pool2d(truth[3][None], 5, 1, 2)[0]
    spilt = estimate_foreground(plate, alpha)
    clean = spilt.clone()
    despill(clean, alpha, screen)
    edge = (truth[3] > 0.05) & (truth[3] < 0.95)
    assert (clean - truth[:3]).abs()[:, edge].mean() < (spilt - truth[:3]).abs()[:, edge].mean()


def test_what_has_no_spill_is_untouched_bit_for_bit_and_light_on_it_stays_light():
    colour = torch.tensor([[0.8, 0.2, 0.9, 0.3], [0.8, 0.2, 0.1, 0.7], [0.1, 0.2, 0.4, 0.3]])[:, None]  # (3, 1, 4)
    clean = colour.clone()
    despill(clean, torch.ones(1, 4), "green")
    assert torch.equal(clean[:, :, :3], colour[:, :, :3])  # yellow, grey, purple
    torch.testing.assert_close(LUMINANCE @ clean[:, 0, 3], LUMINANCE @ colour[:, 0, 3])


def test_values_above_one_are_limited_too():
    colour = torch.tensor([2.0, 6.0, 1.0])[:, None, None].clone()
    despill(colour, torch.zeros(1, 1), "green")
    assert colour.flatten().tolist() == [2, 2, 1]


def light(encoded: torch.Tensor, stops: float = 0) -> torch.Tensor:
    """Linear light of an sRGB picture, exposed by so many stops more and then written with 8 bits."""
    exposed = in_encoding(in_encoding(encoded, SRGB, LINEAR) * 2**stops, LINEAR, SRGB).clamp(0, 1)
    return in_encoding((exposed * 255).round() / 255, SRGB, LINEAR)


@pytest.mark.parametrize("stops", [-4, -2, 0, 1])
@pytest.mark.parametrize("screen", SCREENS)
def test_the_screen_is_found_at_any_exposure(screen, stops):
    truth, plate = before_a_screen(screen)
    assert find_screen(light(plate, stops), truth[3]) == screen
    assert find_screen(light(plate, stops), torch.ones(SIZE)) is None


def lawn() -> torch.Tensor:
    blades = torch.rand(1, *SIZE, generator=torch.Generator().manual_seed(0))
    return torch.tensor([0.3, 0.45, 0.12])[:, None, None] * (0.5 + blades)


def sky() -> torch.Tensor:
    height = torch.linspace(0, 1, SIZE[0])[:, None].expand(SIZE)
    return torch.stack([0.35 + 0.4 * height, 0.55 + 0.3 * height, 0.8 + 0.1 * height])


@pytest.mark.parametrize(
    "background",
    [lawn(), sky(), torch.rand(3, *SIZE), torch.ones(3, *SIZE), torch.zeros(3, *SIZE), hair_scene(*SIZE).background],
    ids=["lawn", "sky", "noise", "white", "black", "texture"],
)
def test_other_backgrounds_are_no_screens(background):
    truth = torch.cat([textured(*SIZE, (0.2, 0.5, 0.2), 1), hair(*SIZE)[None]])  # a green object
    for stops in (-4, 0, 1):
        assert find_screen(light(over(truth, background), stops), truth[3]) is None


def test_both_commands_take_it_out():
    truth, plate = before_a_screen("green", spill=0.2)
    canvas = choose_canvas(*SIZE, 256)
    matte = canvas.fit(truth)
    cut_out = finish_matte(plate, None, matte[3], canvas, screen="green")
    background = torch.cat([canvas.fit(plate), torch.ones(1, *canvas.size)])
    behind, front = finish_layers(plate, background, [matte], canvas, [(matte[3], canvas)], screen="green")
    for result in (cut_out, front):
        assert (result[1] <= torch.maximum(result[0], result[2]) + 1e-6).all()
    outside = front[3] == 0
    assert torch.equal(behind[:3, outside], plate[:, outside])
