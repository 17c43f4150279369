"""A hole filled from its border: smooth, exact outside, and without a trace of what was in it."""

import pytest
import torch

from omnialpha_cli.imaging.removal.fill import fill_masked, paint_over


def fill_mask(h: int, w: int) -> torch.Tensor:
    hole = torch.zeros(h, w, dtype=torch.bool)
    hole[h // 4 : h * 3 // 4, w // 3 : w * 2 // 3] = True
    return hole


@pytest.mark.parametrize("size", [(64, 96), (33, 47), (5, 7)])
def test_outside_the_mask_nothing_changes_and_inside_nothing_remains(size):
    image, hole = torch.rand(3, *size), fill_mask(*size)
    other = torch.where(hole, torch.rand(3, *size), image)
    filled = fill_masked(image, hole)
    assert torch.equal(filled[:, ~hole], image[:, ~hole])
    assert torch.equal(filled, fill_masked(other, hole))
    assert filled.min() >= image.min() - 1e-5 and filled.max() <= image.max() + 1e-5


def test_a_ramp_goes_on_through_the_mask():
    ramp = torch.linspace(0, 1, 128)[None, None].expand(1, 96, 128)
    filled = fill_masked(ramp, fill_mask(96, 128))
    assert (filled - ramp).abs().max() < 0.02


def test_the_fill_is_nearly_harmonic():
    hole = fill_mask(16, 64)
    rows = torch.linspace(0, 3, 16)[:, None].sin()
    image = (rows + torch.linspace(0, 1, 64))[None].expand(3, 16, 64)
    exact = image.clone()
    for _ in range(3000):  # Jacobi to the end
        p = torch.nn.functional.pad(exact[None], (1, 1, 1, 1), mode="replicate")[0]
        mean = (p[:, :-2, 1:-1] + p[:, 2:, 1:-1] + p[:, 1:-1, :-2] + p[:, 1:-1, 2:]) / 4
        exact = torch.where(hole, mean, image)
    assert (fill_masked(image, hole) - exact).abs().mean() < 0.01


def test_all_or_nothing_is_left_as_it_is():
    image = torch.rand(3, 20, 20)
    assert torch.equal(fill_masked(image, torch.ones(20, 20, dtype=torch.bool)), image)
    assert torch.equal(fill_masked(image, torch.zeros(20, 20, dtype=torch.bool)), image)


def test_what_a_hint_shows_is_painted_over_with_a_margin():
    scene = torch.full((3, 40, 40), 0.25)
    scene[:, 10:30, 10:30] = 1.0  # the object, its edge a pixel wider than the mask
    mask = torch.zeros(40, 40)
    mask[11:29, 11:29] = 1.0
    assert torch.allclose(paint_over(scene, mask), torch.full_like(scene, 0.25), atol=1e-5)
