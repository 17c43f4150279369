"""Each metric against a case worked by hand, or against an implementation of its definition by other means."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from scipy import ndimage

from omnialpha_cli.lab.evaluate import metrics

KNOWN = np.repeat([[0.0, 1.0]], 6, axis=0).repeat(4, axis=1)  # 6 × 8, its right half opaque


def soft_alphas(seed):
    rng = np.random.default_rng(seed)
    known = np.clip(ndimage.gaussian_filter(rng.normal(0, 1, (40, 50)), 3) * 6 + 0.5, 0, 1)
    found = np.clip(known + ndimage.gaussian_filter(rng.normal(0, 1, (40, 50)), 1), 0, 1)
    return found, known, rng.random((40, 50)) < 0.4


def test_errors_of_an_empty_and_an_opaque_matte():
    for found in (np.zeros((6, 8)), np.ones((6, 8))):
        assert metrics.mse(found, KNOWN) == metrics.mad(found, KNOWN) == 0.5
        assert metrics.sad(found, KNOWN) == pytest.approx(24 / 1000)


def test_a_constant_error_squared_and_not():
    found = np.abs(KNOWN - 0.25)
    assert metrics.mse(found, KNOWN) == pytest.approx(1 / 16)
    assert metrics.mad(found, KNOWN) == pytest.approx(1 / 4)


def test_only_what_the_mask_covers_counts():
    found, where = np.zeros((6, 8)), np.zeros((6, 8), bool)
    where[0, 3:5] = True  # one pixel of each half
    assert metrics.mse(found, KNOWN, where) == 0.5
    assert metrics.sad(found, KNOWN, where) == pytest.approx(1 / 1000)


def test_the_unknown_band_is_what_the_trimap_is_not_sure_of():
    assert metrics.unknown(np.array([[0, 0.04, 0.5, 128 / 255, 0.96, 1]])).tolist() == [
        [False, False, True, True, False, False]
    ]


@pytest.mark.parametrize("seed", range(3))
def test_gradient_error_is_that_of_two_dimensional_gaussian_derivatives(seed):
    found, known, where = soft_alphas(seed)
    y, x = np.mgrid[-4:5, -4:5]
    kernel = x * np.exp(-(x**2 + y**2) / (2 * 1.4**2))
    kernel /= np.sqrt((kernel**2).sum())

    def slope(alpha):
        return np.hypot(*(ndimage.convolve(alpha, k, mode="nearest") for k in (kernel, kernel.T)))

    expected = (slope(found) - slope(known)) ** 2
    assert metrics.thousands(metrics.gradient_errors(found, known)) == pytest.approx(expected.sum() / 1000)
    assert metrics.thousands(metrics.gradient_errors(found, known), where) == pytest.approx(
        expected[where].sum() / 1000
    )


@pytest.mark.parametrize("seed", range(3))
def test_connectivity_error_follows_the_definition_pixel_by_pixel(seed):
    found, known, where = soft_alphas(seed)
    level = np.zeros(known.shape)
    lost = np.zeros(known.shape, bool)
    for tenths in range(1, 11):
        labels, count = ndimage.label((found >= tenths / 10) & (known >= tenths / 10))
        sizes = [(labels == i).sum() for i in range(1, count + 1)]
        largest = labels == 1 + int(np.argmax(sizes)) if count else np.zeros(known.shape, bool)
        lost |= ~largest
        level[~lost] = tenths / 10
    expected = np.zeros(known.shape)
    for place in np.ndindex(known.shape):
        degrees = []
        for alpha in (found[place], known[place]):
            beyond = alpha - level[place]
            degrees.append(1 - beyond if beyond >= 0.15 else 1)
        expected[place] = abs(degrees[0] - degrees[1])
    assert metrics.thousands(metrics.connectivity_errors(found, known)) == pytest.approx(expected.sum() / 1000)
    assert metrics.thousands(metrics.connectivity_errors(found, known), where) == pytest.approx(
        expected[where].sum() / 1000
    )


def test_a_speck_apart_from_the_object_is_a_connectivity_error():
    known, found = np.zeros((9, 9)), np.zeros((9, 9))
    known[:4, :4] = found[:4, :4] = 1
    found[7, 7] = 1
    assert metrics.thousands(metrics.connectivity_errors(found, known)) == pytest.approx(1 / 1000)


@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12)))
def test_the_largest_component_is_one_of_the_largest_that_scipy_finds(mask):
    found = metrics.largest_component(mask)
    labels, count = ndimage.label(mask)
    sizes = [int((labels == i).sum()) for i in range(1, count + 1)]
    assert found.sum() == max(sizes, default=0)
    assert (labels[found] == labels[found].max(initial=0)).all()
    assert not (found & ~mask).any()


def test_a_winding_component_is_found_whole():
    spiral = np.zeros((15, 15), bool)
    spiral[::2] = True
    spiral[1::4, -1] = spiral[3::4, 0] = True
    assert (metrics.largest_component(spiral) == spiral).all()


def test_soft_iou_by_hand():
    assert metrics.soft_iou(np.array([[0.5, 1.0]]), np.array([[1.0, 0.5]])) == 0.5
    assert metrics.soft_iou(KNOWN, KNOWN) == 1
    assert metrics.soft_iou(np.zeros((2, 2)), np.zeros((2, 2))) == 1


def test_colour_under_alpha_zero_is_free_in_a_layer():
    known, found = np.zeros((1, 2, 3)), np.full((1, 2, 3), 0.5)
    assert metrics.layer_l1(found, known, np.array([[1.0, 1.0]])) == 0.5
    assert metrics.layer_l1(found * [[[1], [0]]], known, np.array([[0.0, 1.0]])) == 0
    assert metrics.layer_l1(found, known, np.zeros((1, 2))) == 0


def test_psnr_by_hand():
    black = np.zeros((4, 4, 3))
    assert metrics.psnr(black + 0.1, black) == pytest.approx(20)
    assert metrics.psnr(black, black) == 100


@pytest.mark.parametrize("seed", range(3))
def test_ssim_is_that_of_gaussian_windows(seed):
    found, known, where = soft_alphas(seed)
    found, known = (np.dstack((x, x[::-1], x**2)) for x in (found, known))

    def mean(x):
        return ndimage.gaussian_filter(x, 1.5, mode="reflect", radius=5)

    maps = []
    for a, b in zip(np.moveaxis(found, 2, 0), np.moveaxis(known, 2, 0), strict=True):
        va, vb, cov = mean(a * a) - mean(a) ** 2, mean(b * b) - mean(b) ** 2, mean(a * b) - mean(a) * mean(b)
        luminance = (2 * mean(a) * mean(b) + 1e-4) / (mean(a) ** 2 + mean(b) ** 2 + 1e-4)
        maps.append(luminance * (2 * cov + 9e-4) / (va + vb + 9e-4))
    expected = np.mean(maps, axis=0)
    assert metrics.ssim(found, known) == pytest.approx(expected[5:-5, 5:-5].mean())
    assert metrics.ssim(found, known, where) == pytest.approx(expected[where].mean())


@given(st.floats(0, 1), st.floats(0, 1))
def test_ssim_of_flat_pictures_compares_luminance_alone(a, b):
    flat = np.ones((12, 12, 3))
    assert metrics.ssim(a * flat, b * flat) == pytest.approx((2 * a * b + 1e-4) / (a * a + b * b + 1e-4), abs=1e-6)


def test_sharpness_is_one_where_all_is_alike_and_nearly_none_in_a_smear():
    picture = np.random.default_rng(0).random((64, 64, 3))
    mask = np.zeros((64, 64), bool)
    mask[20:44, 20:44] = True
    assert metrics.sharpness(picture, mask) == pytest.approx(1, abs=0.2)
    picture[mask] = 0.5
    assert metrics.sharpness(picture, mask) < 0.1
