"""Judging mattes: the error by hand, the summary, the picture of the worst."""

import numpy as np
import pytest

from omnialpha_cli.evaluation.matting import TILE, score, summary, worst
from omnialpha_cli.training.packs import Picture


def picture(name: str, alpha: np.ndarray) -> Picture:
    return Picture(name, np.dstack((np.full((*alpha.shape, 3), 90), alpha)).astype(np.uint8))


HALF = np.repeat([[0, 255]], 6, axis=0).repeat(4, axis=1)  # 6 × 8, its right half opaque
PICTURES = [picture("half", HALF), picture("all", np.full((6, 8), 255)), picture("none", np.zeros((6, 8)))]


def opaque(rgb):
    return np.dstack((rgb, np.full(rgb.shape[:2], 255, np.uint8)))


def test_the_error_is_the_mean_square_over_all_pixels():
    assert [s.mse for s in score(PICTURES, opaque)] == pytest.approx([0.5, 0, 1])


def test_the_summary_has_what_an_empty_matte_would_get():
    figures = summary(list(score(PICTURES, opaque)))
    assert figures == pytest.approx({"count": 3, "mean": 0.5, "median": 0.5, "all_zero": 0.5})


def test_the_worst_come_first():
    sheet = worst(list(score(PICTURES, opaque)), 2)
    assert sheet.shape == (2 * TILE, 4 * TILE, 4)
    assert sheet[..., 3].min() == 1
    known = sheet[TILE // 3, TILE + TILE // 2, 0], sheet[TILE + TILE // 3, TILE + TILE * 7 // 8, 0]
    assert known == (0, 1)  # "none" above "half"
