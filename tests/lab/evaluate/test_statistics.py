"""Intervals against closed forms and known tables, and the comparison of two sets of scores."""

import numpy as np
import pytest

from omnialpha_cli.lab.evaluate.compare import compare
from omnialpha_cli.lab.evaluate.statistics import paired_difference, wilson


def test_the_bootstrap_interval_is_that_of_a_normal_mean_for_many_pictures():
    rng = np.random.default_rng(1)
    a = rng.normal(0, 1, 400)
    b = a + rng.normal(0.1, 0.5, 400)
    found = paired_difference(a, b)
    error = 1.96 * np.std(b - a) / 20
    assert found.estimate == pytest.approx(np.mean(b - a))
    assert (found.low, found.high) == pytest.approx((found.estimate - error, found.estimate + error), abs=0.005)
    assert paired_difference(a, b) == found


def test_pairing_removes_what_both_share():
    rng = np.random.default_rng(2)
    a = rng.normal(0, 100, 50)
    found = paired_difference(a, a + 0.5)
    assert (found.low, found.high) == pytest.approx((0.5, 0.5))


def test_one_picture_has_no_spread():
    found = paired_difference([0.25], [0.5])
    assert found.low == found.estimate == found.high == 0.25


# Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
@pytest.mark.parametrize(("wins", "count", "low", "high"), [
    (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718),
])  # fmt: skip
def test_wilson_intervals_are_those_of_newcombes_table(wins, count, low, high):
    found = wilson(wins, count)
    assert found.estimate == wins / count
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


def test_the_better_side_follows_the_metric_and_doubt_stays_open():
    rng = np.random.default_rng(3)
    a = {str(i): {"mse": 0.2, "psnr": 20.0, "sad": float(x)} for i, x in enumerate(rng.normal(0, 1, 30))}
    b = {str(i): {"mse": 0.1, "psnr": 25.0, "sad": float(x)} for i, x in enumerate(rng.normal(0, 1, 30))}
    found = compare(a, b)
    assert {name: one.better for name, one in found.items()} == {"mse": "B", "psnr": "B", "sad": "open"}
    assert compare(b, a)["mse"].better == "A"
    assert found["mse"].difference.estimate == pytest.approx(-0.1)


def test_only_pictures_with_the_score_on_both_sides_count():
    a = {"x": {"mse": 0.1, "mse_unknown": 0.5}, "y": {"mse": 0.3}, "only a": {"mse": 9.0}}
    b = {"y": {"mse": 0.2}, "x": {"mse": 0.2, "mse_unknown": 0.4}}
    found = compare(a, b)
    assert (found["mse"].a, found["mse"].b, found["mse"].count) == pytest.approx((0.2, 0.2, 2))
    assert found["mse_unknown"].count == 1


def test_few_pictures_decide_nothing():
    a, b = ({str(i): {"mse": mse} for i in range(9)} for mse in (0.1, 0.2))
    assert compare(a, b)["mse"].better == "open"
    assert compare({**a, "9": {"mse": 0.1}}, {**b, "9": {"mse": 0.2}})["mse"].better == "A"
