"""A picture beside what came back of it: over backgrounds, and colour and alpha alone."""

import numpy as np
import pytest

from omnialpha_cli.lab.evaluate import metrics
from omnialpha_cli.lab.evaluate.backgrounds import COLOURS
from omnialpha_cli.lab.evaluate.reconstruction import judge_reconstruction

RNG = np.random.default_rng(0)
KNOWN = RNG.random((20, 24, 4)).astype(np.float32)
FOUND = np.clip(KNOWN + RNG.normal(0, 0.05, KNOWN.shape), 0, 1).astype(np.float32)


class MeanDifference:
    metric = "features"

    def __call__(self, a, b):
        return float(np.abs(a - b).mean())


def over(rgba, colour):
    return rgba[..., 3:] * rgba[..., :3] + (1 - rgba[..., 3:]) * np.array(colour, np.float32)


def test_what_came_back_whole_has_no_error():
    scores = judge_reconstruction("a", KNOWN, KNOWN, MeanDifference()).scores
    assert scores == {
        "psnr_composite": 100, "ssim_composite": pytest.approx(1), "l1_composite": 0, "features_composite": 0,
        "psnr_colour": 100, "psnr_alpha": 100, "mad_alpha": 0,
    }  # fmt: skip


def test_every_measure_is_the_mean_over_the_nine_backgrounds():
    scores = judge_reconstruction("a", FOUND, KNOWN, MeanDifference()).scores
    pairs = [(over(FOUND, colour), over(KNOWN, colour)) for colour in COLOURS.values()]
    for name, measure in {
        "psnr_composite": metrics.psnr, "ssim_composite": metrics.ssim, "l1_composite": metrics.mad,
        "features_composite": MeanDifference(),
    }.items():  # fmt: skip
        assert scores[name] == pytest.approx(np.mean([measure(*pair) for pair in pairs]), rel=1e-5), name


def test_opaque_pictures_are_judged_as_any_others_are():
    found, known = FOUND.copy(), KNOWN.copy()
    found[..., 3] = known[..., 3] = 1
    scores = judge_reconstruction("a", found, known).scores
    assert scores["psnr_composite"] == pytest.approx(metrics.psnr(found[..., :3], known[..., :3]))
    assert scores["ssim_composite"] == pytest.approx(metrics.ssim(found[..., :3], known[..., :3]))
    found[0, 0, 3] = 0.5  # one pixel less: the nine differ a little
    assert judge_reconstruction("a", found, known).scores["ssim_composite"] < scores["ssim_composite"]


def test_colours_nobody_sees_do_not_count():
    known = KNOWN.copy()
    known[:, :12, 3] = 0
    found = known.copy()
    found[:, :12, :3] = 1 - found[:, :12, :3]
    scores = judge_reconstruction("a", found, known).scores
    assert (scores["psnr_composite"], scores["psnr_colour"]) == (100, 100)


def test_a_colour_counts_as_much_as_it_covers():
    known = np.zeros((2, 2, 4), np.float32)
    known[0, 0, 3], known[0, 1, 3] = 1, 0.5
    found = known.copy()
    found[0, 1, :3] = 0.1
    error = 0.5 * 3 * 0.1**2 / (1.5 * 3)
    assert judge_reconstruction("a", found, known).scores["psnr_colour"] == pytest.approx(-10 * np.log10(error))


def test_an_empty_picture_has_no_colours_to_be_wrong():
    empty = np.zeros((12, 12, 4), np.float32)
    assert judge_reconstruction("a", empty, empty).scores["psnr_colour"] == 100
