"""Held-out material is the same in every run, and its truth is right."""

import numpy as np
import pytest
from training_packs import disc

from omnialpha_cli.lab.evaluate.material import composites, make_hint, pairs
from omnialpha_cli.lab.train.packs import Picture

PHOTOS = [Picture(f"p{i}", disc(64 + 8 * i, i), label) for i, label in enumerate(("ball", "dot", "", "sun"))]
CUTOUTS = [Picture(f"c{i}", disc(48, 9 + i), label) for i, label in enumerate(("ball", "plate"))]


def test_composites_are_the_same_every_time_and_whatever_comes_after():
    for a, b in zip(composites(PHOTOS, in_focus=True), composites(PHOTOS, in_focus=True), strict=True):
        assert a.name == b.name
        assert (a.scene == b.scene).all()


def test_a_composite_is_its_foreground_over_its_background():
    scenes = list(composites(PHOTOS, in_focus=True))
    assert [s.name.endswith("shadow") for s in scenes] == [False, True, False, True]
    for s in scenes:
        assert s.scene.shape == s.background.shape == (*s.foreground.shape[:2], 3)
        alpha = s.foreground[..., 3:] / 255
        assert alpha.max() == 1
        lit = alpha * s.foreground[..., :3] + (1 - alpha) * s.background
        if s.name.endswith("shadow"):
            assert (s.scene <= lit + 1.5).all()
            assert (s.scene < lit - 20).any()
        else:
            assert np.abs(s.scene - lit).max() <= 1.5


def test_where_nothing_tells_the_object_the_backdrop_is_out_of_focus():
    def edges(scenes):
        return np.mean([np.abs(np.diff(s.background.astype(float), axis=0)).mean() for s in scenes])

    assert edges(composites(PHOTOS, in_focus=False)) < edges(composites(PHOTOS, in_focus=True)) / 3


def test_one_photograph_has_nothing_to_stand_over():
    assert list(composites(PHOTOS[:1], in_focus=True)) == []


@pytest.mark.parametrize(("kind", "values"), [("trimap", {0, 128, 255}), ("mask", {0, 255}), ("rough-mask", {0, 255})])
def test_hints_follow_from_the_matte_and_the_name(kind, values):
    alpha = PHOTOS[0].rgba[..., 3]
    hint = make_hint(kind, "p0", alpha)
    assert hint.shape == alpha.shape
    assert set(np.unique(hint)) == values
    assert (hint == make_hint(kind, "p0", alpha)).all()


def test_a_trimap_is_right_where_it_is_sure():
    alpha = PHOTOS[0].rgba[..., 3] / 255
    trimap = make_hint("trimap", "p0", PHOTOS[0].rgba[..., 3])
    assert (alpha[trimap == 255] > 0.95).all()
    assert (alpha[trimap == 0] < 0.05).all()


def test_pairs_show_two_objects_of_different_names_apart():
    found = list(pairs(PHOTOS, CUTOUTS))
    assert [p.labels[0] for p in found] == ["ball", "dot", "sun"]  # photographs without a name are left out
    assert "beside c" in found[1].name  # every second other object is a cut-out
    for pair in found:
        one, other = pair.alphas
        assert pair.labels[0] != pair.labels[1]
        assert one.shape == other.shape == pair.scene.shape[:2]
        assert one.max() > 250 < other.max()
        assert np.minimum(one, other).max() < 128
