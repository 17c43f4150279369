"""A clean plate gives a trimap: what differs is the object, and the network decides what the difference cannot."""

import pytest
import torch
from torch.nn import functional as F

from omnialpha_cli.imaging.matte.difference_key import difference_trimap

SIZE = 120, 160
OBJECT, WALL = (0.8, 0.3, 0.2), (0.45, 0.5, 0.5)


def colour(rgb) -> torch.Tensor:
    return torch.tensor(rgb)[:, None, None].expand(3, *SIZE).clone()


def texture() -> torch.Tensor:
    """A fine texture (3, H, W) around the wall's colour."""
    fine = torch.rand(1, 3, 60, 80, generator=torch.Generator().manual_seed(2)) * 0.4 - 0.2
    return colour(WALL) + F.interpolate(fine, SIZE, mode="bilinear")[0]


def disc(radius: float = 35) -> torch.Tensor:
    y, x = torch.meshgrid(*(torch.arange(n).float() for n in SIZE), indexing="ij")
    return ((radius - (y - 60).hypot(x - 70)) / 2 + 0.5).clamp(0, 1)


def grain(seed: int, strength: float = 0.01) -> torch.Tensor:
    return torch.randn(3, *SIZE, generator=torch.Generator().manual_seed(seed)) * strength


def shadow() -> torch.Tensor:
    """What a soft shadow leaves of the light, (H, W)."""
    return 1 - 0.4 * F.avg_pool2d(disc().roll((20, 30), (0, 1))[None], 9, 1, 4)[0]


def key(scene: torch.Tensor, clean: torch.Tensor, matte: torch.Tensor) -> torch.Tensor:
    return difference_trimap((scene + grain(0)).clamp(0, 1), (clean + grain(1)).clamp(0, 1), matte)


NOTHING, DOUBT = torch.zeros(SIZE), torch.full(SIZE, 0.5)


@pytest.mark.parametrize("clean", [colour(WALL), texture()], ids=["wall", "texture"])
@pytest.mark.parametrize("matte", [NOTHING, DOUBT, 1 - disc()], ids=["nothing", "doubt", "wrong"])
def test_where_the_difference_decides_the_network_has_no_say(clean, matte):
    alpha = disc()
    trimap = key(colour(OBJECT) * alpha + clean * (1 - alpha), clean, matte)
    assert (trimap > 0.95)[disc(25) == 1].all()
    assert (trimap < 0.05)[disc(46) == 0].float().mean() > 0.99
    assert not (trimap < 0.05)[alpha > 0.2].any() and not (trimap > 0.95)[alpha < 0.8].any()


def test_grain_is_no_difference():
    clean = texture()
    scene, clean = (clean + grain(seed, 0.05) for seed in (5, 6))
    trimap = difference_trimap(scene.clamp(0, 1), clean.clamp(0, 1), NOTHING)
    assert (trimap < 0.05).float().mean() > 0.98


def test_a_shadow_on_a_texture_is_seen_through():
    alpha, clean = disc(), texture()
    scene = colour(OBJECT) * alpha + clean * shadow() * (1 - alpha)
    trimap = key(scene, clean, alpha)
    assert not (trimap > 0.95)[disc(40) == 0].any()
    assert (trimap < 0.05)[(disc(46) == 0) & (shadow() < 0.7)].float().mean() > 0.9


@pytest.mark.parametrize(("matte", "known"), [(NOTHING, 0), (DOUBT, 0.5), (torch.ones(SIZE), 1)])
def test_what_is_but_darker_than_a_wall_is_for_the_network(matte, known):
    clean, dark = colour(WALL), disc()
    trimap = key(clean * (1 - 0.3 * dark), clean, matte)
    assert (trimap - known).abs()[disc(20) == 1].max() < 0.05


def test_part_of_an_object_in_the_colour_of_the_wall_is_for_the_network():
    alpha, part = disc(), disc(5)
    object_colour = colour(OBJECT) * (1 - part) + colour(WALL) * part
    scene, clean = object_colour * alpha + colour(WALL) * (1 - alpha), colour(WALL)
    assert (key(scene, clean, alpha)[disc(3) == 1] > 0.05).all()
    assert (key(scene, clean, alpha * (1 - disc(9)))[disc(2) == 1] < 0.05).any()  # a ring


def test_a_soft_edge_is_left_open():
    alpha, clean = F.avg_pool2d(disc()[None], (1, 31), 1, (0, 15))[0], texture()
    scene = colour(OBJECT) * alpha + clean * (1 - alpha)
    trimap = key(scene, clean, alpha)
    assert not (trimap > 0.95)[alpha < 0.6].any()


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (13, 7)])
def test_pictures_of_any_size(size):
    trimap = difference_trimap(torch.rand(3, *size), torch.rand(3, *size), torch.rand(4, 4))
    assert trimap.shape == size and trimap.min() >= 0 and trimap.max() <= 1
