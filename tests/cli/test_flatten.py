"""`--flatten`: results on a colour, without transparency, for JPEG too."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage

from omnialpha_cli.media.read import read_image


def pixels(path: str) -> np.ndarray:
    return np.asarray(PILImage.open(path)).astype(float)


def test_the_result_is_its_transparent_one_on_the_colour(run, picture):
    picture(Path("a.png"))
    run("matte", "a.png", "-o", "plain")
    assert run("matte", "a.png", "--flatten", "#ff8000", "-o", "flat").code == 0
    rgb, alpha = pixels("plain/a.png")[..., :3], pixels("plain/a.png")[..., 3:] / 255
    assert 0 < alpha.mean() < 1
    flat = pixels("flat/a.png")
    assert np.abs(flat[..., :3] - (rgb * alpha + np.array([255, 128, 0]) * (1 - alpha))).max() <= 1.5  # roundings
    assert (flat[..., 3] == 255).all()


def test_in_linear_light_the_colour_is_linear(run, picture):
    picture(Path("a.png"))
    run("matte", "a.png", "--format", "exr", "-o", "plain")
    run("matte", "a.png", "--format", "exr", "--flatten", "rgb(188, 188, 188)", "-o", "flat")
    plain, flat = read_image("plain/a.exr"), read_image("flat/a.exr")
    expected = plain.rgb * plain.alpha[..., None] + 0.503 * (1 - plain.alpha[..., None])
    assert np.abs(flat.rgb - expected).max() < 2e-3 and (flat.alpha == 1).all()


def test_jpeg_is_for_opaque_results(run, picture):
    picture(Path("a.png"))
    refused = run("matte", "a.png", "--format", "jpg")
    assert refused.code == 2 and "--format jpg has no transparency" in refused.err and "--flatten white" in refused.err
    assert run("matte", "a.png", "--flatten", "white").code == 0
    made = run("matte", "a.png", "--flatten", "white", "--format", "jpg")
    assert made.lines == ["matte/a.jpg"] and PILImage.open("matte/a.jpg").format == "JPEG"
    assert np.abs(pixels("matte/a.jpg") - pixels("matte/a.png")[..., :3]).mean() < 2
    assert run("remove", "a.png", "--format", "jpg").lines == ["remove/a.jpg"]


def test_one_colour_has_one_name(run, picture):
    picture(Path("a.png"))
    run("matte", "a.png", "--flatten", "white")
    (item, _) = map(json.loads, run("matte", "a.png", "--flatten", "#FFFFFF", "--json").lines)
    assert item["status"] == "skipped"
    assert "flatten #ffffff (now #000000)" in run("matte", "a.png", "--flatten", "black").err


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("matte", ("--flatten", "nothing"), "'nothing' is no opaque colour"),
        ("matte", ("--flatten", "#00000080"), "is no opaque colour"),
        ("matte", ("--flatten", "red", "--alpha-only"), "--alpha-only and --flatten exclude each other"),
        ("decompose", ("--flatten", "red"), "--flatten puts one picture on a colour, not layers"),
        ("decompose", ("--format", "jpg"), "--format jpg has no transparency"),
    ],
)
def test_what_makes_no_sense_is_refused(run, picture, command, arguments, message):
    picture(Path("a.png"))
    outcome = run(command, "a.png", *arguments)
    assert outcome.code == 2 and message in outcome.err
