"""What belongs to the subject is decided by a network of its own: solid things are solid, edges stay soft."""

import numpy as np
import pytest
import torch
from scipy import ndimage
from tiny_model import tiny_model

from omnialpha_cli.model.mini.segmenter import FAR, NEAR, Segmenter, decided, number_parts, without_doubtful_parts
from omnialpha_cli.model.omnialpha import Request

WIDTH = 384  # where distances are in pixels


def picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(4, height, width, generator=torch.Generator().manual_seed(seed))


def alpha_of(network: Segmenter, rgb: torch.Tensor) -> torch.Tensor:
    return network.full_size(without_doubtful_parts(network.undecided(rgb), network.reduced(rgb)), rgb)


def half_and_half(left: float, right: float) -> torch.Tensor:
    alpha = torch.full((1, 96, WIDTH), right)
    alpha[..., : WIDTH // 2] = left
    return alpha


def test_doubt_far_from_an_edge_goes_to_one_side():
    found = decided(half_and_half(0.7, 0.3))[0]
    middle = WIDTH // 2
    assert (found[:, : middle - FAR - 1] == 1).all() and (found[:, middle + FAR + 1 :] == 0).all()


def test_near_an_edge_alpha_stays_as_it_is():
    alpha = half_and_half(0.7, 0.3)
    middle = WIDTH // 2
    torch.testing.assert_close(
        decided(alpha)[0, :, middle - NEAR : middle + NEAR], alpha[0, :, middle - NEAR : middle + NEAR]
    )


def test_what_is_certain_stays_certain():
    for value in (0.0, 1.0):
        assert (decided(torch.full((2, 40, 56), value)) == value).all()


def object_and(part: float, width: int) -> torch.Tensor:
    """A sure object 20 pixels wide, and a part of so many, which is as sure as told."""
    alpha = torch.zeros(1, 30, 80)
    alpha[:, 5:25, 10:30] = 1
    alpha[:, 5:25, 50 : 50 + width] = part
    return alpha


class TestDoubtfulParts:
    def test_a_small_part_that_is_not_found_in_the_reduced_picture_is_nothing(self):
        without = object_and(0.9, width=0)
        found = without_doubtful_parts(object_and(0.9, width=8), without[:, ::2, ::2])
        torch.testing.assert_close(found, without)

    def test_nor_is_one_of_which_neither_view_is_sure(self):
        alpha = object_and(0.55, width=8)
        torch.testing.assert_close(without_doubtful_parts(alpha, alpha), object_and(0.55, width=0))

    def test_one_that_both_views_are_sure_of_is_an_object_of_its_own(self):
        alpha = object_and(0.9, width=2)
        assert torch.equal(without_doubtful_parts(alpha, alpha), alpha)

    def test_one_that_is_half_as_large_as_the_largest_stays(self):
        alpha = object_and(0.55, width=10)
        assert torch.equal(without_doubtful_parts(alpha, alpha), alpha)

    def test_the_only_part_stays_however_doubtful_and_nothing_stays_nothing(self):
        alpha = object_and(0, width=0) * 0.55
        assert torch.equal(without_doubtful_parts(alpha, torch.zeros_like(alpha)), alpha)
        assert torch.equal(without_doubtful_parts(alpha * 0, alpha), alpha * 0)

    def test_each_picture_of_a_batch_is_by_itself(self):
        some, other = object_and(0.55, width=8), object_and(0.9, width=8)
        batch = torch.cat((some, other))
        found = without_doubtful_parts(batch, batch)
        torch.testing.assert_close(found, torch.cat((object_and(0.55, width=0), other)))


@pytest.mark.parametrize("size", [(64, 96), (50, 70), (1, 33)])
def test_a_picture_of_any_size_has_an_alpha_for_every_pixel(size):
    torch.manual_seed(0)
    alpha = alpha_of(Segmenter().eval().requires_grad_(False), picture(*size)[None, :3])
    assert alpha.shape == (1, *size) and alpha.min() >= 0 and alpha.max() <= 1


def test_it_looks_at_a_picture_made_smaller_and_at_its_mirror_image():
    class Brightness(Segmenter):
        def forward(self, rgb):
            looks.append(rgb)
            return rgb.mean(1, keepdim=True)[..., ::2, ::2] * 20 - 10, rgb

    looks: list[torch.Tensor] = []
    rgb = torch.zeros(1, 3, 96, 128)
    rgb[..., 32:] = 1  # dark to the left
    alpha = Brightness().undecided(rgb)
    mirrored, smaller = looks
    torch.testing.assert_close(mirrored, rgb.flip(-1))
    assert smaller.shape == (1, 3, 96, 96)  # .85 of the sides, in multiples of 32
    assert alpha.shape == (1, 48, 64)
    assert (alpha[..., :14] < 0.01).all() and (alpha[..., 18:] > 0.99).all()  # both as the picture has it


def test_it_serves_automatic_mattes_and_nothing_else():
    model, without = tiny_model(), tiny_model()
    torch.manual_seed(0)
    network = model.specialists["segmenter"] = Segmenter().eval().requires_grad_(False)
    auto = Request("", (picture(64, 96),), ((64, 96),), task="matte.auto")
    words = Request("a cat", (picture(64, 96),), ((64, 96),), task="matte.text")
    (cut_out,), (named,) = model.run([auto, words])
    seen = auto.inputs[0][:3] * auto.inputs[0][3:] + 1 - auto.inputs[0][3:]  # over white
    torch.testing.assert_close(cut_out[3], alpha_of(network, seen[None])[0], atol=1e-5, rtol=0)
    torch.testing.assert_close(cut_out[:3], seen)
    assert torch.equal(named, without.run([words])[0][0])


# The connected parts of a mask are those that scipy finds, numbered in the order of their first pixels.


@pytest.mark.parametrize("seed", range(12))
def test_parts_are_those_of_scipy(seed):
    drawn = np.random.default_rng(seed)
    noise = drawn.random((drawn.integers(1, 60), drawn.integers(1, 70)))
    mask = ndimage.gaussian_filter(noise, 0.2 * seed) > noise.mean()
    known, count = ndimage.label(mask)  # by their sides
    np.testing.assert_array_equal(number_parts(mask), known)
    assert number_parts(mask).max(initial=0) == count


def test_pixels_that_touch_at_a_corner_are_two_parts():
    np.testing.assert_array_equal(number_parts(np.eye(2, dtype=bool)), [[1, 0], [0, 2]])


def test_arms_that_meet_below_are_one_part():
    fork = np.array([[1, 0, 1], [1, 0, 1], [1, 1, 1]], bool)
    np.testing.assert_array_equal(number_parts(fork), fork)


@pytest.mark.parametrize("value", [False, True])
def test_one_value_everywhere_is_no_part_or_one(value):
    np.testing.assert_array_equal(number_parts(np.full((3, 4), value)), np.full((3, 4), value))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.62, 1.0])
def test_parts_of_noise_are_those_of_scipy(share):
    mask = np.random.default_rng(3).random((41, 57)) < share
    found, (known, count) = number_parts(mask), ndimage.label(mask)
    assert found.max() == count
    pairs = set(zip(found.ravel().tolist(), known.ravel().tolist(), strict=True))
    assert len(pairs) == count + (not mask.all())  # one number here for each there, and 0 outside
