"""`decompose --layers auto`: as many layers as make the recomposition better, of weights that know several."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from omnialpha_cli.api import OmniAlpha as Api
from omnialpha_cli.model.omnialpha import OmniAlpha

COMMON = ("--canvas", "64", "--steps", "2", "--device", "cpu", "--dtype", "float32", "--json")


@pytest.fixture
def misses(monkeypatch):
    """Set by how much the layers that the transformer makes miss the picture, by their number; what was asked of it."""
    errors: dict[int, float] = {}
    asked: list[int] = []
    transformed = OmniAlpha.batches

    def painted(self, requests, steps, scale, batch_size):
        for places, layers in transformed(self, requests, steps, scale, batch_size):
            for i, images in zip(places, layers, strict=True):
                asked.append(len(images))
                images[0][:] = requests[i].inputs[0] + errors[len(images)]  # an opaque background, nothing before it
                images[0][3] = 1
                for image in images[1:]:
                    image[3] = torch.zeros_like(image[3])
            yield places, layers

    monkeypatch.setattr(OmniAlpha, "batches", painted)

    def set_to(values):
        errors.update(values)
        return asked

    return set_to


@pytest.fixture
def decompose(omnialpha, published, picture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.png", (64, 64))
    return lambda *more: omnialpha("decompose", "a.png", *more, "--model", published, *COMMON)


def item_of(outcome):
    item, _ = map(json.loads, outcome.out.splitlines())
    return item


def names(item):
    return [Path(path).name for path in item["outputs"]]


@pytest.mark.parametrize(
    ("errors", "count"),
    [
        ({2: 0.3, 3: 0.2, 4: 0.1, 5: 0.1}, 4),  # the fifth gains nothing
        ({2: 0.3, 3: 0.29999}, 2),
        ({2: 0.001}, 2),  # exact: nothing is missing
        ({2: 0.3, 3: 0.2, 4: 0.15, 5: 0.1}, 5),  # never more than five
    ],
)
def test_layers_are_added_until_the_error_stops_falling(decompose, misses, errors, count):
    asked = misses(errors)
    item = item_of(decompose("--layers", "auto"))
    assert names(item) == ["00_background.png", *(f"{i:02}_foreground.png" for i in range(1, count))]
    assert asked == sorted(errors)
    manifest = json.loads(Path("decompose/a/layers.json").read_text())
    assert len(manifest["layers"]) == count and all(Path(path).exists() for path in item["outputs"])


def test_max_layers_is_the_limit(decompose, misses):
    misses({2: 0.3, 3: 0.2, 4: 0.1})
    assert len(names(item_of(decompose("--layers", "auto", "--max-layers", "3")))) == 3


def test_what_is_done_is_skipped_with_the_layers_that_it_has(decompose, misses):
    misses({2: 0.3, 3: 0.2, 4: 0.2})
    first = item_of(decompose("--layers", "auto"))
    again = item_of(decompose("--layers", "auto"))
    assert again["status"] == "skipped" and again["outputs"] == first["outputs"]
    Path("decompose/.omnialpha/0-of-1.jsonl").unlink()
    assert item_of(decompose("--layers", "auto"))["status"] == "skipped"  # the files say it themselves
    Path(first["outputs"][2]).unlink()
    assert item_of(decompose("--layers", "auto"))["status"] == "done"


def test_layers_that_are_no_longer_needed_go(decompose, misses, picture):
    misses({2: 0.3, 3: 0.2, 4: 0.1, 5: 0.1})
    assert len(names(item_of(decompose("--layers", "auto")))) == 4
    picture(Path("a.png"), (64, 64), seed=3)
    misses({3: 0.3})
    assert len(names(item_of(decompose("--layers", "auto")))) == 2
    assert sorted(path.name for path in Path("decompose/a").iterdir()) == [
        "00_background.png", "01_foreground.png", "layers.json",
    ]  # fmt: skip


def test_one_file_holds_the_layers_that_are_needed(decompose, misses):
    misses({2: 0.3, 3: 0.2, 4: 0.2})
    item = item_of(decompose("--layers", "auto", "--format", "ora"))
    assert item["task"] == "decompose.auto/3" and names(item) == ["a.ora"]


def test_the_command_that_makes_it_again_says_auto(decompose, misses, omnialpha):
    misses({2: 0.3, 3: 0.2, 4: 0.2})
    decompose("--layers", "auto")
    assert "--layers auto --max-layers 5" in omnialpha("info", "decompose/a/00_background.png").out


def test_weights_that_know_two_make_two_and_say_so(omnialpha, picture, tmp_path, tiny_weights, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.png", (64, 64))
    outcome = omnialpha("decompose", "a.png", "--layers", "auto", "--model", tiny_weights)
    assert outcome.code == 0 and len(outcome.lines) == 2
    assert "know decompose.auto with a background and one foreground: --layers auto makes these" in outcome.err


@pytest.mark.parametrize("layers", ["1", "10", "many"])
def test_other_layers_are_refused(decompose, layers):
    outcome = decompose("--layers", layers)
    assert outcome.code == 2 and f"--layers {layers}: give a number from 2 to 9, or auto" in outcome.err


def test_python_has_it_too(published, misses):
    misses({2: 0.3, 3: 0.2, 4: 0.2})
    model = Api.load(published, "cpu", torch.float32)
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert len(model.decompose(noise, layers="auto", steps=2)) == 3
    (outcome,) = model.many("decompose", [noise], layers="auto", max_layers=2, steps=2)
    assert len(outcome.result) == 2


def test_weights_that_make_one_image_at_a_time_refuse_several_before_work(
    omnialpha, own_published, picture, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    config = own_published / "transformer" / "config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "zero_cond_t": True}))
    picture(tmp_path / "a.png", (64, 64))
    for arguments in (("decompose", "a.png"), ("run", "a.png", "--prompt", "x", "--layers", "2")):
        outcome = omnialpha(*arguments, "--model", own_published)
        assert outcome.code == 2 and "make one image at a time (zero_cond_t" in outcome.err
        assert len(outcome.err.splitlines()) == 1
