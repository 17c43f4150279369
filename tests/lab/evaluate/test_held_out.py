"""Judging a model on held-out material: with models that are right by construction, and with a small real one."""

import math

import numpy as np
import pytest
from training_packs import disc

from omnialpha_cli.api import OmniAlpha
from omnialpha_cli.lab.evaluate import held_out
from omnialpha_cli.lab.evaluate.baselines import border_mean, fills, grow
from omnialpha_cli.lab.evaluate.perceptual import FeatureDistance
from omnialpha_cli.lab.train.packs import Picture

PHOTOS = [Picture(f"p{i}", disc(64 + 8 * i, i), label) for i, label in enumerate(("ball", "dot", "sun"))]


class Echo:
    """Returns the hint as the matte, and the picture itself as the background."""

    def matte(self, image, **options):
        hint = options.get("trimap", options.get("mask", options.get("rough_mask")))
        return np.dstack((image, np.full(image.shape[:2], 255, np.uint8) if hint is None else hint))

    def remove(self, image, **options):
        return np.dstack((image, np.full(image.shape[:2], 255, np.uint8)))

    def decompose(self, image, **options):
        return [self.remove(image), self.matte(image, **options)]


@pytest.fixture(scope="module")
def distance():
    return FeatureDistance()


def test_the_model_gets_the_hint_of_the_matte():
    by_hint = {h: [j.scores["mse"] for j in held_out.matting(Echo(), PHOTOS, h, None)] for h in held_out.HINTS}
    for mask, rough, none in zip(*(by_hint[h] for h in ("mask", "rough-mask", "none")), strict=True):
        assert mask < rough < none


def test_an_empty_matte_is_shown_beside_mattes():
    judged = next(held_out.matting(Echo(), PHOTOS, "none", None))
    alpha = PHOTOS[0].rgba[..., 3] / 255
    assert judged.baselines["empty"]["mse"] == pytest.approx(np.square(alpha).mean(), abs=1e-6)


def test_who_removes_nothing_loses_to_the_mean_of_the_border(distance):
    for judged in held_out.removal(Echo(), PHOTOS, "mask", None, distance, fills()):
        baseline = judged.baselines["border-mean"]
        assert judged.scores["psnr_hole"] < baseline["psnr_hole"]
        assert judged.scores["features"] > 0 < baseline["features"]
        assert judged.scores.keys() == baseline.keys()


def test_a_mask_for_alpha_decomposes_nearly_right():
    for judged in held_out.decomposition(Echo(), PHOTOS, "mask", None):
        assert judged.scores["soft_iou"] > 0.9
        assert judged.scores["recomposition_l1"] == pytest.approx(0, abs=1e-6)
        assert judged.scores["hidden_l1"] > 0.1


def test_who_does_not_listen_to_words_is_right_half_the_time_at_most():
    class Left(Echo):
        def matte(self, image, **options):
            alpha = np.zeros(image.shape[:2], np.uint8)
            alpha[:, : image.shape[1] // 2] = 255
            return np.dstack((image, alpha))

    right = [j.scores["right"] for j in held_out.referring(Left(), PHOTOS, [], None)]
    assert len(right) == 2 * len(PHOTOS)
    assert np.mean(right) == 0.5


@pytest.mark.slow
def test_a_real_model_is_judged_at_every_task(tiny_weights, distance):
    model = OmniAlpha.load(tiny_weights, "cpu")
    runs = [
        held_out.matting(model, PHOTOS, "rough-mask", 64),
        held_out.removal(model, PHOTOS, "trimap", 64, distance, {}),
        held_out.decomposition(model, PHOTOS, "none", 64),
        held_out.referring(model, PHOTOS, [], 64),
    ]
    for judged in map(next, runs):
        assert all(map(math.isfinite, judged.scores.values()))


def test_equal_pictures_have_no_distance_and_worse_ones_more(distance):
    picture = disc(64, 0)[..., :3] / 255
    noise = np.random.default_rng(0).normal(0, 1, picture.shape)
    near, far = (distance(picture, np.clip(picture + s * noise, 0, 1)) for s in (0.02, 0.2))
    assert distance(picture, picture) == 0
    assert 0 < near < far < 16
    assert distance(picture, 1 - picture) == pytest.approx(distance(1 - picture, picture), rel=1e-5)


def test_the_border_mean_fills_the_mask_alone():
    scene = np.full((20, 20, 3), 50, np.uint8)
    scene[5:15, 5:15] = 200
    mask = np.zeros((20, 20), bool)
    mask[5:15, 5:15] = True
    assert (border_mean(scene, mask) == 50).all()
    assert (border_mean(scene, ~np.zeros_like(mask)) == scene).all()  # nothing around it


def test_growing_a_mask_goes_every_way():
    point = np.zeros((9, 9), bool)
    point[4, 4] = True
    assert grow(point, 2).sum() == 25


def test_telea_is_opencvs():
    pytest.importorskip("cv2")
    scene, mask = np.full((20, 20, 3), 50, np.uint8), np.zeros((20, 20), bool)
    mask[8:12, 8:12] = True
    scene[mask] = 255
    assert fills()["telea"](scene, mask).astype(int) == pytest.approx(50, abs=5)
