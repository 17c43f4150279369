"""One result beside its truth."""

import numpy as np
import pytest

from omnialpha_cli.lab.evaluate.judge import judge_layers, judge_matte, judge_reference, judge_removal
from omnialpha_cli.lab.evaluate.panels import TILE, difference, panel, sheet
from omnialpha_cli.lab.evaluate.reconstruction import judge_reconstruction
from omnialpha_cli.lab.evaluate.scores import METRICS, Figures, badness, summarise

RNG = np.random.default_rng(0)
SCENE = RNG.random((12, 16, 3)).astype(np.float32)
ALPHA = np.repeat([[0.0, 1.0]], 12, axis=0).repeat(8, axis=1).astype(np.float32)  # its right half
LAYER = np.dstack((SCENE, ALPHA))


class Constant:
    """A distance that is the same of all pictures."""

    def __init__(self, metric, value):
        self.metric, self.value = metric, value

    def __call__(self, a, b):
        return float(self.value)


def test_a_perfect_matte_has_no_error_anywhere():
    trimap = np.full_like(ALPHA, 0.5)
    judged = judge_matte("a", SCENE, LAYER, ALPHA, trimap)
    errors = {m + band for m in ("mse", "mad", "sad", "grad", "conn") for band in ("", "_unknown")}
    assert set(judged.scores) == errors | {"iou", "kept", "lost", "haze"}
    assert {name for name, value in judged.scores.items() if value} == {"iou", "kept"}
    assert judged.size == (12, 16)


def test_a_matte_alone_is_judged_as_the_cut_out_is():
    trimap = np.where(np.arange(16) < 8, 0.5, 1)[None].repeat(12, 0)
    found = np.clip(ALPHA + 0.25, 0, 1)
    alone = judge_matte("a", SCENE, found, ALPHA, trimap)
    assert alone.scores == judge_matte("a", SCENE, np.dstack((SCENE, found)), ALPHA, trimap).scores
    assert alone.scores["mse"] == pytest.approx(1 / 32)
    assert alone.scores["mse_unknown"] == pytest.approx(1 / 16)


def test_a_source_that_is_not_given_is_not_shown():
    assert list(judge_matte("a", None, ALPHA, ALPHA).panels) == ["result", "matte", "known matte", "difference"]
    assert "source" in judge_matte("a", SCENE, ALPHA, ALPHA).panels


def test_a_sure_trimap_has_no_band_to_score():
    assert not any("unknown" in name for name in judge_matte("a", SCENE, LAYER, ALPHA, ALPHA).scores)


def test_removal_is_scored_in_the_mask_and_as_a_whole():
    found = SCENE.copy()
    found[:, 8:] = 1 - found[:, 8:]
    judged = judge_removal("a", SCENE, found, SCENE, ALPHA > 0, Constant("features", 7))
    assert judged.scores["psnr_hole"] == pytest.approx(judged.scores["psnr"] - 10 * np.log10(2))
    assert judged.scores["ssim_hole"] < judged.scores["ssim"] < 1
    assert judged.scores["features"] == 7
    assert list(judge_removal("a", None, found, SCENE).scores) == ["psnr", "ssim"]


def test_of_a_shadow_the_share_that_is_left_is_reported():
    """Around the hole, and not close to it, where the object's own rim may be."""
    known, scene = np.full((40, 60, 3), 0.8, np.float32), np.full((40, 60, 3), 0.8, np.float32)
    mask = np.zeros((40, 60), bool)
    mask[10:30, 5:25] = True
    scene[mask], scene[:, 35:50], scene[10:30, 25:28] = 0.1, 0.4, 0.2
    found = known.copy()
    found[:, 35:50] = 0.6  # half of the way
    assert judge_removal("a", scene, found, known, mask).scores["effects_left"] == pytest.approx(0.25, abs=1e-3)
    assert "effects_left" not in judge_removal("a", np.where(mask[..., None], 0.1, known), known, known, mask).scores


def test_layers_that_are_right_recompose():
    judged = judge_layers("a", None, (SCENE[::-1], LAYER), (SCENE[::-1], LAYER))
    assert judged.scores == {
        "soft_iou": 1, "foreground_l1": 0, "background_l1": 0, "hidden_l1": 0, "recomposition_l1": 0,
        "ghost": pytest.approx(0, abs=1e-6),
    }  # fmt: skip


def test_the_background_is_also_judged_where_it_cannot_be_seen():
    wrong = np.where(ALPHA[..., None] > 0, 1 - SCENE, SCENE)
    scores = judge_layers("a", SCENE, (wrong, LAYER), (SCENE, LAYER)).scores
    assert scores["hidden_l1"] == pytest.approx(2 * scores["background_l1"])
    assert scores["recomposition_l1"] == 0  # the foreground hides it


@pytest.mark.parametrize("left", [0.0, 0.25, 1.0])
def test_what_is_left_of_the_object_at_its_edge_is_told(left):
    scene, known = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    alpha = np.zeros((64, 64), np.float32)
    alpha[16:48, 16:48] = 1
    scene[alpha == 0] = known[alpha == 0]
    background = known + left * (scene - known)
    background[24:40, 24:40] = 0.9  # far from its edge it is not asked
    layer = np.dstack((scene, alpha))
    scores = judge_layers("a", scene, (background, layer), (known, layer)).scores
    assert scores["ghost"] == pytest.approx(left, abs=1e-5)
    smear = np.where(alpha[..., None] > 0, 0.5, known).astype(np.float32)  # which holds nothing of the object
    assert judge_layers("a", scene, (smear, layer), (known, layer)).scores["ghost"] == pytest.approx(0, abs=1e-5)


def test_the_named_object_has_to_get_more_alpha_than_the_other():
    left, right = 1 - ALPHA, ALPHA
    assert judge_reference("a", SCENE, LAYER, right, left).scores == {"soft_iou": 1, "right": 1, "margin": 1}
    assert judge_reference("a", SCENE, LAYER, left, right).scores == {"soft_iou": 0, "right": 0, "margin": -1}
    both = np.dstack((SCENE, np.ones_like(ALPHA)))
    assert judge_reference("a", SCENE, both, left, right).scores == {"soft_iou": 0.5, "right": 0, "margin": 0}


def test_every_score_has_a_title():
    judged = [
        judge_matte("a", SCENE, LAYER, ALPHA, np.full_like(ALPHA, 0.5)),
        *(judge_removal("a", SCENE, SCENE, SCENE, ALPHA > 0, Constant(name, 0)) for name in ("features", "lpips")),
        judge_removal("a", 1 - SCENE, SCENE, SCENE, ALPHA > 2),
        *(judge_reconstruction("a", LAYER, LAYER, Constant(name, 0)) for name in ("features", "lpips")),
        judge_layers("a", SCENE, (SCENE, LAYER), (SCENE, LAYER)),
        judge_reference("a", SCENE, LAYER, ALPHA, ALPHA),
    ]
    of_sets_and_words = {"fid", "nearest", "own", "clip"}
    assert {name for one in judged for name in one.scores} | of_sets_and_words == set(METRICS)


def test_a_summary_leaves_out_pictures_without_the_score():
    figures = summarise([{"mse": 1.0}, {"mse": 0.0, "sad": 4.0}, {"mse": 0.5}])
    assert figures == {"mse": Figures(0.5, 0.5, 3), "sad": Figures(4, 4, 1)}


def test_the_first_score_says_what_is_worse():
    assert badness({"mse": 0.5, "psnr": 1}) > badness({"mse": 0.4, "psnr": 0})
    assert badness({"psnr": 10}) > badness({"psnr": 20})


def test_panels_keep_proportions_and_show_what_is_transparent():
    assert panel(SCENE).shape == (TILE * 3 // 4, TILE, 3)
    empty = panel(np.zeros((8, 8, 4)))
    assert set(np.unique(empty)) == {round(0.6 * 255), round(0.8 * 255)}
    assert np.ptp(difference(ALPHA, ALPHA)) == 0
    assert difference(ALPHA, 0 * ALPHA).max() == 255


def test_a_sheet_has_a_row_a_picture():
    rows = [[panel(ALPHA), panel(SCENE)], [panel(1 - ALPHA)]]
    picture = sheet(rows)
    assert picture.shape == (2 * TILE, 2 * TILE, 4)
    assert picture[..., 3].min() == 1
    assert (picture[10, 10, 0], picture[TILE + 10, 10, 0], picture[-1, -1, 0]) == (0, 1, 0.5)
