"""`OmniAlpha.many`: results in order, each as its method gives it, and errors in their places."""

import numpy as np
import pytest
from PIL import Image as PILImage

from omnialpha_cli import ItemError, OmniAlpha, UsageError


@pytest.fixture(scope="module")
def model(tiny_weights):
    return OmniAlpha.load(tiny_weights, device="cpu")


@pytest.fixture
def photos(picture, tmp_path):
    sizes = [(96, 64), (64, 96), (96, 64), (128, 64), (96, 64)]
    return [picture(tmp_path / f"{i}.png", size=size, seed=i) for i, size in enumerate(sizes)]


@pytest.mark.slow
def test_results_are_in_order_and_those_of_the_method(model, photos):
    pictures = [photos[0], np.asarray(PILImage.open(photos[1])), photos[2].read_bytes(), *photos[3:]]
    outcomes = list(model.many("matte", pictures, seed=3))
    assert [outcome.error for outcome in outcomes] == [None] * 5
    for photo, outcome in zip(photos, outcomes, strict=True):
        expected = model.matte(photo, seed=3)
        assert outcome.result.shape == expected.shape and np.abs(outcome.result.astype(int) - expected).max() <= 1


def test_an_error_is_in_its_place(model, photos, tmp_path):
    outcomes = list(model.many("matte", [photos[0], tmp_path / "gone.png", np.zeros((2, 2, 9)), photos[1]]))
    assert [outcome.result is None for outcome in outcomes] == [False, True, True, False]
    assert isinstance(outcomes[1].error, ItemError) and "gone.png does not exist" in str(outcomes[1].error)
    assert "picture 2: an array of shape (2, 2, 9) is not a picture" in str(outcomes[2].error)


def test_a_mask_is_for_all_or_one_for_each(model, photos):
    same = [photos[0], photos[2]]
    masks = [np.zeros((64, 96), bool), np.ones((64, 96), bool)]
    kept, gone = model.many("remove", same, mask=masks)
    assert (kept.result[..., :3] == np.asarray(PILImage.open(photos[0]))).all()
    assert kept.warnings == ("mask 0 is black: nothing was removed. White is the object",)
    assert "nowhere black" in gone.warnings[0]
    for photo, outcome in zip(same, model.many("remove", same, mask=masks[0]), strict=True):
        assert (outcome.result[..., :3] == np.asarray(PILImage.open(photo))).all()


def test_what_is_wrong_with_the_options_is_raised_at_once(model, photos):
    for command, options, message in (
        ("mat", {}, "command='mat': give 'matte'"),
        ("matte", {"steps": 0}, "steps=0: give"),
        ("matte", {"mask": [photos[0]]}, "mask: 1 for 5 pictures"),
        ("matte", {"layers": 2}, "layers=2: they are of 'decompose', not of 'matte'"),
        ("decompose", {"layers": 3}, "untrained=True runs it anyway"),
    ):
        with pytest.raises(UsageError, match=message):
            model.many(command, photos, **options)


def test_layers_are_lists_and_leaving_early_ends_the_rest(model, photos, capsys):
    for outcome in model.many("decompose", photos * 20, progress=True):
        assert len(outcome.result) == 2
        break
    assert "/100" in capsys.readouterr().err
