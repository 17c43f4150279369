"""Views and colours: what a drawn variation keeps, and that it comes from its generator alone."""

import numpy as np
import torch

from omnialpha_cli.lab.train.augment import Geometry, blur, degrade, draw_colour, extend_colours, view

STILL = Geometry(scale=(1, 1), aspect=0, rotation=0, shift=0, flip=0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def gradient(h: int, w: int) -> np.ndarray:
    y, x = np.mgrid[:h, :w]
    return np.dstack((x * 255 / (w - 1), y * 255 / (h - 1), x * 0, x * 0 + 255)).round().astype(np.uint8)


def test_the_plain_view_is_the_picture_on_the_canvas():
    rgba = gradient(64, 96)
    out = view(rgba, (64, 96), STILL, generator(), fit="stretch")
    assert torch.allclose(out, torch.from_numpy(rgba).permute(2, 0, 1) / 255, atol=1e-6)


def test_a_flip_mirrors_the_picture():
    rgba = gradient(32, 48)
    mirrored = view(rgba, (32, 48), Geometry((1, 1), 0, 0, 0, flip=1), generator(), fit="stretch")
    assert torch.allclose(mirrored, view(rgba, (32, 48), STILL, generator(), fit="stretch").flip(-1), atol=1e-5)


def test_contain_keeps_proportions_and_surrounds_with_nothing():
    out = view(gradient(40, 80), (64, 64), STILL, generator(), fit="contain")
    assert out[3, 32].min() == 1
    assert out[3, :15].max() == 0
    assert out[3, 17:47].min() == 1


def test_the_same_generator_draws_the_same_view():
    rgba = gradient(50, 70)
    a, b, c = (view(rgba, (48, 48), Geometry(), generator(s), fit="stretch") for s in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_extended_colours_keep_the_solid_and_replace_the_rest():
    rgba = np.zeros((40, 40, 4), np.uint8)
    rgba[..., 1] = 200  # green everywhere
    rgba[10:30, 10:30] = (220, 30, 40, 255)  # a red square
    out = extend_colours(rgba, 0.9)
    assert (out[10:30, 10:30] == rgba[10:30, 10:30]).all()
    assert (out[..., 3] == rgba[..., 3]).all()
    assert np.abs(out[..., :3].astype(int) - (220, 30, 40)).max() <= 2  # no green is left


def test_colour_and_degradation_stay_in_range():
    rgb = torch.rand(3, 32, 40, generator=generator())
    for seed in range(30):
        g = generator(seed)
        out = degrade(draw_colour(g)(rgb), g)
        assert out.shape == rgb.shape
        assert out.min() >= 0 and out.max() <= 1


def test_blur_keeps_what_is_flat():
    flat = torch.full((3, 33, 47), 0.3)
    assert torch.allclose(blur(flat, 5), flat, atol=1e-5)
