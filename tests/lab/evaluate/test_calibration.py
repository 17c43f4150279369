"""Calibration of the confidence: exact chances come back, and what is measured is told of rows that were left out."""

import json

import numpy as np
import pytest
import torch
from PIL import Image as PILImage
from sure_weights import write_sure_weights

from omnialpha_cli.files import sha256
from omnialpha_cli.lab.evaluate.confidence import Row, calibrate, calibration_error, fit, keep_rows, read_rows
from omnialpha_cli.lab.evaluate.material import Scene
from omnialpha_cli.lab.evaluate.shadow import judge_shadow
from omnialpha_cli.model.mini.segmenter import Confidence, signs_of


def rows(count: int = 400) -> list[Row]:
    """Rows that are kept by the chance σ(2x − 1), the agreement saying nothing."""
    g = torch.Generator().manual_seed(0)
    x, agreement = torch.randn(count, generator=g), torch.rand(count, generator=g)
    kept = torch.bernoulli((2 * x - 1).sigmoid(), generator=g)
    iou = 0.7 + 0.25 * kept
    return [Row(f"{i}", *map(float, values)) for i, values in enumerate(zip(x, agreement, iou, strict=True))]


def test_what_chances_follow_is_found():
    known = rows()
    signs = torch.tensor([(row.expected, row.agreement) for row in known])
    found = fit(signs, torch.tensor([row.iou >= 0.9 for row in known]).float())
    assert found.bias == pytest.approx(-1, abs=0.5)
    assert found.expected == pytest.approx(2, abs=0.4) and abs(found.agreement) < 1


@pytest.mark.slow
def test_exact_chances_have_the_error_that_few_rows_leave():
    found = calibrate(rows())
    assert found.ece < 2 * found.floor < 0.12
    assert found.worst_tenth > 0.8  # those that are not kept have .7


def test_the_error_is_the_difference_of_chance_and_share():
    chances = torch.full((10,), 0.75)
    assert calibration_error(chances, torch.tensor([1.0] * 5 + [0.0] * 5)) == pytest.approx(0.25)


def test_signs_are_the_iou_to_expect_and_that_with_the_reduced_picture():
    alpha, reduced = torch.zeros(2, 8, 8), torch.zeros(2, 4, 4)
    alpha[:, 2:6, 2:6] = torch.tensor([0.95, 0.6])[:, None, None]
    reduced[0, 1:3, 1:3], reduced[1, 1:3, 1:2] = 1, 1  # the whole of it, and a half
    signs = signs_of(alpha, reduced).sigmoid()
    assert signs[0, 0] == pytest.approx(0.95) and signs[1, 0] == pytest.approx(0.6)
    assert signs[0, 1] > 0.6 > signs[1, 1]  # corners are cut in enlarging
    sure, doubtful = Confidence(0, 1, 1)(alpha, reduced).tolist()
    assert sure > doubtful


def test_nothing_found_at_either_size_is_doubt():
    assert float(Confidence(0, 1, 1)(torch.zeros(1, 8, 8), torch.zeros(1, 4, 4))) < 0.01


def test_weights_that_were_calibrated_by_other_signs_have_no_confidence():
    assert Confidence.from_dict({"bias": 0, "expected": 1, "border": 0}) is None


@pytest.mark.slow
def test_the_command_writes_what_it_fits_and_draws_it(omnialpha, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    weights = write_sure_weights(tmp_path / "sure", calibrated=False)
    keep_rows(tmp_path / "rows.json", sha256(weights / "segmenter.safetensors"), rows())
    outcome = omnialpha("eval", "confidence", tmp_path, "--model", weights, "--rows", "rows.json", "--write", "--json",
                        "--figure", "figure.png")  # fmt: skip
    assert outcome.code == 0, outcome.err
    told = json.loads(outcome.out)
    block = json.loads((weights / "config.json").read_text())["confidence"]
    assert block == {name: told[name] for name in ("bias", "expected", "agreement")}
    assert PILImage.open("figure.png").size == (490, 480)


def test_rows_of_other_weights_are_measured_again(tmp_path):
    keep_rows(tmp_path / "rows.json", "of one", rows(3))
    assert read_rows(tmp_path / "rows.json", "of one") == rows(3)
    assert read_rows(tmp_path / "rows.json", "of another") is None
    assert read_rows(tmp_path / "none.json", "of one") is None


def test_a_layer_of_a_shadow_is_judged_beside_the_object():
    background = np.full((8, 8, 3), 200, np.uint8)
    scene, foreground = background.copy(), np.zeros((8, 8, 4), np.uint8)
    scene[2:6, 4:] = 100  # the shadow: half of the light
    foreground[:, :2, 3] = 255
    alpha = np.zeros((8, 8))
    alpha[2:4, 4:], alpha[6:, 4:], alpha[:, :2] = 0.5, 0.1, 1
    shade = judge_shadow(Scene("a, shadow", scene, foreground, background), background / 255, alpha)
    assert shade.within == pytest.approx(shade.wanted / 2)  # two of its four rows
    assert shade.elsewhere == pytest.approx(shade.wanted / 10)  # two rows of a fifth
