"""`omnialpha run`: the model itself, asked about any pictures with any words."""

import json

import numpy as np
import pytest
import torch
from PIL import Image as PILImage

from omnialpha_cli.model.omnialpha import OmniAlpha


@pytest.fixture
def asked(monkeypatch):
    """The requests that reach the transformer, with the guidance they are run with."""
    requests = []
    sample = OmniAlpha.sample

    def kept(self, batch, contexts, inputs, steps, scale):
        requests.extend((request, len(contexts)) for request in batch)
        return sample(self, batch, contexts, inputs, steps, scale)

    monkeypatch.setattr(OmniAlpha, "sample", kept)
    return requests


@pytest.fixture(params=["mini", "published"])
def ask(request, omnialpha, tiny_weights, published, tmp_path, monkeypatch):
    """`ask(INPUTS…, "--prompt", …)` of weights of either kind, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    folder = tiny_weights if request.param == "mini" else published
    common = ("--model", folder, "--canvas", 160, "--steps", 2, "--device", "cpu", "--dtype", "float32")
    return lambda *arguments: omnialpha("run", *arguments, *common)


def test_all_inputs_are_the_pictures_of_one_item_in_their_order(ask, asked, picture, tmp_path):
    picture(tmp_path / "b.png", (96, 64))
    picture(tmp_path / "a.png", (64, 128), seed=1)
    outcome = ask("b.png", "a.png", "--prompt", "a red cat", "--layers", "3")
    assert outcome.code == 0, outcome.err
    assert outcome.lines == [f"run/b/{i:02}_image.png" for i in range(3)]
    ((request, _),) = asked
    assert request.prompt == "a red cat" and len(request.targets) == 3
    shapes = [image.shape[1] > image.shape[2] for image in request.inputs]
    assert shapes == [False, True] and request.targets[0] == request.inputs[0].shape[1:]
    assert PILImage.open("run/b/00_image.png").size == (96, 64)


def test_results_are_what_the_model_painted_with_its_transparency(ask, picture, tmp_path):
    picture(tmp_path / "a.png", (64, 64))
    assert ask("a.png", "--prompt", "x", "--json").code == 0
    made = np.asarray(PILImage.open("run/a.png"))
    assert made.shape == (64, 64, 4) and made.dtype == np.uint8


def test_no_input_is_none(ask, asked):
    outcome = ask("--prompt", "a feather", "--size", "96x64")
    assert (outcome.code, outcome.lines) == (0, ["run/0000_0.png"]), outcome.err
    ((request, _),) = asked
    assert request.inputs == () and PILImage.open("run/0000_0.png").size == (96, 64)


def test_a_picture_is_shown_with_its_transparency(ask, asked, picture, tmp_path):
    picture(tmp_path / "a.png", (64, 64), mode="RGBA")
    ask("a.png", "--prompt", "x", "--guidance", "1", "--no-enlarge")
    ((request, _),) = asked
    pixels = torch.from_numpy(np.asarray(PILImage.open("a.png")).copy()).permute(2, 0, 1) / 255
    assert torch.allclose(request.inputs[0], pixels, atol=0.01)


@pytest.mark.parametrize(("guidance", "contexts"), [("0", 1), ("0.5", 1), ("1", 1), ("1.5", 2)])
def test_guidance_at_or_below_one_is_none(ask, asked, guidance, contexts):
    assert ask("--prompt", "x", "--guidance", guidance).code == 0
    assert [count for _, count in asked] == [contexts]


@pytest.mark.slow
def test_a_negative_prompt_is_what_guidance_leads_away_from(ask, picture, tmp_path):
    picture(tmp_path / "a.png", (64, 64))

    def made(name, *more):
        outcome = ask("a.png", "--prompt", "a red cat", "-o", name, *more)
        assert outcome.code == 0, outcome.err
        return np.asarray(PILImage.open(f"{name}/a.png")).astype(int), outcome.err

    plain, _ = made("a", "--guidance", "4")
    empty, _ = made("b", "--guidance", "4", "--negative-prompt", "")
    other, told = made("c", "--guidance", "4", "--negative-prompt", "a blue dog on a wall")
    assert (plain == empty).all() and (plain != other).any() and "negative" not in told
    _, told = made("d", "--guidance", "1", "--negative-prompt", "a blue dog on a wall")
    assert "--negative-prompt does nothing without guidance" in told


def test_it_is_done_once_and_again_with_other_words(ask, picture, tmp_path):
    picture(tmp_path / "a.png", (64, 64))
    assert ask("a.png", "--prompt", "x").code == 0
    again = ask("a.png", "--prompt", "x", "--json")
    assert json.loads(again.lines[0])["status"] == "skipped"
    outcome = ask("a.png", "--prompt", "y")
    assert outcome.code == 2 and "was made with text x (now y)" in outcome.err


def test_a_missing_picture_is_named(ask, picture, tmp_path):
    picture(tmp_path / "a.png", (64, 64))
    outcome = ask("a.png", "gone.png", "--prompt", "x")
    assert outcome.code == 3 and "gone.png does not exist" in outcome.err


def test_a_prompt_is_needed(ask):
    assert "--prompt is empty" in ask("--prompt", " ").err
    assert ask().code == 2


@pytest.mark.slow
def test_images_share_the_canvas_of_published_weights(omnialpha, published, asked, picture, tmp_path, monkeypatch):
    """All images of a request have at most 1024² pixels together, as the published model was trained."""
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.png", (1500, 1000))
    common = ("--model", published, "--steps", 1, "--guidance", 1, "--dtype", "float32", "--device", "cpu")
    outcome = omnialpha("run", "a.png", "--prompt", "x", "--layers", 2, *common)
    assert outcome.code == 0, outcome.err
    ((request, _),) = asked
    together = sum(h * w for h, w in [*request.targets, *(image.shape[1:] for image in request.inputs)])
    assert 0.8 * 1024**2 < together <= 1024**2


@pytest.mark.parametrize(
    ("weights", "option", "side"),
    [("published", (), 64), ("published", ("--enlarge",), 128), ("mini", (), 128), ("mini", ("--no-enlarge",), 64)],
)
def test_published_weights_do_not_enlarge_small_pictures(
    omnialpha, tiny_weights, published, asked, picture, tmp_path, monkeypatch, weights, option, side
):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.png", (64, 64))
    model, shared = (published, 181) if weights == "published" else (tiny_weights, 128)
    common = ("--model", model, "--steps", 1, "--guidance", 1, "--dtype", "float32", "--device", "cpu")
    for command in (("matte", "a.png", "--canvas", 128), ("run", "a.png", "--prompt", "x", "--canvas", shared)):
        outcome = omnialpha(*command, *common, *option)
        assert outcome.code == 0, outcome.err
    assert {request.inputs[0].shape[-1] for request, _ in asked} == {side}
