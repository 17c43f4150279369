"""Pictures made from words, beside them and beside true ones."""

import numpy as np
import pytest

from omnialpha_cli.lab.evaluate.backgrounds import composites
from omnialpha_cli.lab.evaluate.generation import Generation
from omnialpha_cli.lab.evaluate.perceptual import PictureFeatures
from omnialpha_cli.lab.evaluate.prompts import read_prompts
from omnialpha_cli.lab.evaluate.sets import Sets
from omnialpha_cli.status import ItemError, UsageError


class Means:
    metric = "fid"

    def __call__(self, pictures):
        return pictures.mean((1, 2))


def flat(red, green, blue, alpha=1.0):
    return np.full((8, 8, 4), (red, green, blue, alpha), np.float32)


def unreadable():
    raise ItemError("unreadable", "x.png is torn")


def test_the_nearest_true_picture_is_found_and_shown():
    truth = [flat(1, 0, 0), flat(0, 0, 1), flat(0, 1, 0, 0.5)]
    judge = Generation(Sets([Means()]), [lambda one=one: one for one in truth], None)
    judged = judge.judge("a", flat(0, 0.1, 0.9), None)
    assert judged.scores == {"nearest": pytest.approx(np.hypot(0.1, 0.1), abs=1e-5)}
    assert judged.panels["nearest truth"][120, 120].tolist() == [0, 0, 255]
    assert judge.judge("b", truth[2], None).scores["nearest"] == pytest.approx(0, abs=1e-6)
    assert judge.sets.counts == (2, 3) and set(judge.sets.totals()) == {"fid"}


def test_a_picture_is_compared_with_its_own_true_one_and_with_the_others():
    truth = [flat(1, 0, 0), flat(0, 0, 1), flat(0, 1, 0), flat(0, 0, 1)]
    names = ["red", "blue", "green", "blue again"]
    judge = Generation(Sets([Means()]), [lambda one=one: one for one in truth], None, names)
    assert judge.judge("red", flat(0.9, 0, 0), None).scores["own"] == 1
    assert judge.judge("red", flat(0, 0.2, 0.9), None).scores["own"] == 0
    assert judge.judge("blue", flat(0.2, 0, 0.9), None).scores["own"] == pytest.approx((0.5 + 2) / 3)
    assert "own" not in judge.judge("another", flat(1, 0, 0), None).scores


def test_words_are_scored_over_the_backgrounds():
    asked = []

    def words(pictures, text):
        asked.append((len(pictures), text))
        return 0.8

    judge = Generation(Sets([Means()]), [], words)
    judged = judge.judge("a", flat(1, 0, 0, 0.5), "a red haze")
    assert (judged.name, judged.scores) == ("a: a red haze", {"clip": 0.8})
    assert asked == [(9, "a red haze")]
    assert judge.sets.totals() == {}  # nothing to be like


def test_a_true_picture_that_cannot_be_read_is_left_out_and_reported():
    judge = Generation(Sets([Means()]), [lambda: flat(1, 0, 0), unreadable], None)
    assert judge.sets.counts == (0, 1)
    assert [str(error) for error in judge.unreadable] == ["x.png is torn"]


@pytest.mark.slow
def test_the_embedded_network_sees_pictures_of_any_size():
    network = PictureFeatures()
    small, large = (np.random.default_rng(0).random((2, side, side + 7, 3)) for side in (16, 300))
    assert network(small).shape == network(large).shape == (2, 320)
    half = composites(np.dstack((large[0], np.full(large.shape[1:3], 0.5))))
    assert np.ptp(network(half), axis=0).max() > 0


class TestPrompts:
    def test_lines_belong_to_the_numbers_that_the_command_writes(self, tmp_path):
        (tmp_path / "p.txt").write_text("a cat\n\n  a dog \n")
        prompts = read_prompts(tmp_path / "p.txt")
        assert [prompts.of(name) for name in ("0000_0", "0000_7", "0001_0", "sub/0001")] == ["a cat", "a cat"] + [
            "a dog"
        ] * 2
        for name in ("0002_0", "cat", "0001_0_x"):
            with pytest.raises(ItemError, match="no prompt for"):
                prompts.of(name)

    def test_a_table_has_names(self, tmp_path):
        (tmp_path / "p.csv").write_text('x/cat.png,"a cat, asleep"\n\ndog,a dog\n')
        prompts = read_prompts(tmp_path / "p.csv")
        assert (prompts.of("x/cat"), prompts.of("dog")) == ("a cat, asleep", "a dog")
        with pytest.raises(ItemError, match="no prompt for 0000_0"):
            prompts.of("0000_0")

    def test_a_table_without_two_columns_is_refused(self, tmp_path):
        (tmp_path / "p.csv").write_text("cat,a cat, asleep\n")
        with pytest.raises(UsageError, match="line 1"):
            read_prompts(tmp_path / "p.csv")

    def test_a_file_that_is_not_there_is_refused(self, tmp_path):
        with pytest.raises(UsageError, match="cannot be read"):
            read_prompts(tmp_path / "p.txt")
