"""`-`: a picture on standard input becomes one on standard output, and nothing else does."""

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PILImage


@pytest.fixture
def photo(picture, tmp_path) -> bytes:
    return picture(tmp_path / "elsewhere" / "a.png").read_bytes()


def sent(outcome) -> bytes:
    return outcome.out.encode("utf-8", "surrogateescape")


def test_the_result_is_that_of_a_file_and_alone_on_standard_output(run, photo, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    Path("temporary").mkdir()
    outcome = run("matte", "-", stdin=photo)
    assert outcome.code == 0 and "1/1 standard output" in outcome.err and "temporary" not in outcome.err
    run("matte", "elsewhere/a.png", "-o", "out")
    assert sent(outcome) == Path("out/a.png").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["elsewhere", "out", "temporary"]
    assert not list(Path("temporary").iterdir())


def test_layers_are_one_file_or_refused(run, photo):
    refused = run("decompose", "-", stdin=photo)
    assert (refused.code, refused.out) == (2, "") and "choose --format tiff, tiff-pages, exr, ora, psd" in refused.err
    assert sent(run("decompose", "-", "--format", "psd", stdin=photo)).startswith(b"8BPS")


def test_a_mask_is_a_file(run, photo):
    mask = np.zeros((64, 96), np.uint8)
    PILImage.fromarray(mask).save("m.png")
    outcome = run("remove", "-", "--mask", "m.png", stdin=photo)
    clean = np.asarray(PILImage.open(io.BytesIO(sent(outcome))))
    assert (clean[..., :3] == np.asarray(PILImage.open(io.BytesIO(photo)))).all()


@pytest.mark.parametrize(("data", "message"), [(b"", "failed: - is empty"), (b"words", "failed: - is not an image")])
def test_what_is_no_picture_fails_by_that_name(run, data, message):
    outcome = run("matte", "-", stdin=data)
    assert (outcome.code, outcome.out) == (1, "") and message in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-o", "out"), "leave --output out"),
        (("--json",), "leave --json out"),
        (("--report", "r"), "leave --report out"),
        (("--files-from", "list"), "leave --files-from out"),
        (("b.png",), "- is one picture on standard input, by itself"),
        (("--format", "psd", "--depth", "16"), "omnialpha: -: --format psd cannot hold --depth 16"),
    ],
)
def test_what_does_not_go_with_it_is_refused(run, photo, arguments, message):
    outcome = run("matte", "-", *arguments, stdin=photo)
    assert (outcome.code, outcome.out) == (2, "") and message in outcome.err
