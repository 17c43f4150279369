"""The Fréchet distance: by hand, and against the formula with scipy's matrix square root."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm

from omnialpha_cli.lab.evaluate.backgrounds import COLOURS, composites
from omnialpha_cli.lab.evaluate.frechet import PictureSet, fit, frechet_distance

RNG = np.random.default_rng(0)


def direct(a, b):
    """The definition, on features."""
    (mean, covariance), (other, another) = ((x.mean(0), np.cov(x, rowvar=False)) for x in (a, b))
    root = sqrtm(covariance @ another)
    return np.square(mean - other).sum() + np.trace(covariance + another - 2 * np.real(root))


def test_of_two_gaussians_whose_axes_agree_it_is_the_sum_over_the_axes():
    a = np.array([[0.0, 0], [2, 0], [0, 4], [2, 4]])  # means 1, 2; variances 4/3, 16/3
    b = a * [3, 1] + [5, -1]  # means 8, 1; standard deviations thrice, once
    expected = (8 - 1) ** 2 + (1 - 2) ** 2 + 4 / 3 * (3 - 1) ** 2
    assert frechet_distance(fit(a), fit(b)) == pytest.approx(expected)


@given(st.integers(0, 2**32 - 1), st.integers(8, 40), st.integers(8, 40))
def test_it_is_what_the_definition_gives(seed, n, m):
    g = np.random.default_rng(seed)
    mix = g.normal(size=(5, 5))
    a, b = g.normal(size=(n, 5)) @ mix, g.normal(size=(m, 5)) + g.normal(size=5)
    assert frechet_distance(fit(a), fit(b)) == pytest.approx(direct(a, b), rel=1e-6)


def test_sets_smaller_than_their_space_have_a_distance_too():
    """Where the covariances have no full rank a square root of their product is of little use."""
    a, b = RNG.normal(size=(4, 12)), RNG.normal(size=(6, 12)) * 2
    (one, other) = (np.cov(x, rowvar=False) for x in (a, b))
    eigenvalues = np.linalg.eigvals(one @ other).real.clip(min=0)
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(one + other) - 2 * np.sqrt(eigenvalues).sum()
    assert frechet_distance(fit(a), fit(b)) == pytest.approx(expected, rel=1e-5)


def test_a_set_is_nothing_from_itself_and_the_order_does_not_matter():
    a, b = fit(RNG.normal(size=(9, 4))), fit(RNG.normal(size=(7, 4)))
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a))


def test_pictures_are_laid_over_nine_colours_and_opaque_ones_are_left_alone():
    colour, alpha = RNG.random((4, 5, 3)), RNG.random((4, 5, 1))
    over = composites(np.dstack((colour, alpha)))
    assert over.shape == (9, 4, 5, 3)
    red = list(COLOURS).index("red")
    assert np.allclose(over[red], alpha * colour + (1 - alpha) * [1, 0, 0])
    assert np.array_equal(composites(np.dstack((colour, np.ones_like(alpha)))), colour[None])


def means(pictures):
    """A network whose features are the mean colours."""
    return pictures.mean((1, 2))


def test_a_set_of_pictures_is_the_mean_over_the_backgrounds():
    found, known = ([RNG.random((4, 4, 4)) for _ in range(count)] for count in (5, 6))
    sets = [PictureSet(means), PictureSet(means)]
    for one, pictures in zip(sets, (found, known), strict=True):
        for picture in pictures:
            one.add(picture)
    by_hand = [
        frechet_distance(*(fit(np.stack([means(composites(p))[k] for p in s])) for s in (found, known)))
        for k in range(9)
    ]
    assert sets[0].distance(sets[1]) == pytest.approx(np.mean(by_hand))


def test_opaque_pictures_need_one_background_alone():
    seen = []

    def counting(pictures):
        seen.append(len(pictures))
        return means(pictures)

    one, other = PictureSet(counting), PictureSet(counting)
    pictures = [np.dstack((RNG.random((4, 4, 3)), np.ones((4, 4)))) for _ in range(6)]
    for picture in pictures[:3]:
        one.add(picture)
    for picture in pictures[3:]:
        other.add(picture)
    assert seen == [1] * 6
    expected = frechet_distance(
        *(fit(np.stack([p[..., :3].mean((0, 1)) for p in s])) for s in (pictures[:3], pictures[3:]))
    )
    assert one.distance(other) == pytest.approx(expected)


def test_one_picture_has_no_spread_and_so_no_distance():
    one, other = PictureSet(means), PictureSet(means)
    one.add(RNG.random((4, 4, 4)))
    assert one.distance(other) is None
