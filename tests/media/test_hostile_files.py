"""Every hostile file, read alone in a process with limits: a picture, or one clear error."""

import json
import os
import subprocess
import sys
from pathlib import Path

import hostile
import numpy as np
import PIL.Image
import pytest
from picture_files import assert_refused

from omnialpha_cli.media.read import read_image

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def records(once):
    def read_each(folder: Path) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent}:{TESTS}", "OMP_NUM_THREADS": "1"}
        (folder / "files").mkdir()
        command = [sys.executable, "-W", "ignore", "-m", "hostile.alone", folder / "files"]
        with (folder / "told").open("wb") as told:
            subprocess.run(command, env=environment, stdout=told, stderr=subprocess.PIPE, check=True)

    return [json.loads(line) for line in (once("hostile-files", read_each) / "told").read_bytes().splitlines()]


def test_there_are_many(records):
    assert len(records) > 850
    assert sum(record["outcome"] == "refused" for record in records) > 400
    assert sum(record["outcome"] == "read" for record in records) > 200


def test_every_one_is_read_or_refused(records):
    """A fork that takes more than 2 GB or 5 s, or crashes in a library, has died."""
    assert [record for record in records if record["outcome"] in ("died", "odd")] == []


def test_every_refusal_is_one_line_that_names_the_file(records):
    refusals = [record for record in records if record["outcome"] == "refused"]
    assert [
        r for r in refusals if r["name"] not in r["words"] or "\n" in r["words"] or not r["words"].isprintable()
    ] == []


def test_none_is_greedy(records):
    assert [record for record in records if record["seconds"] > 2 or record["megabytes"] > 600] == []


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("jpeg-baseline-17000-17000.jpg", "unreadable", "17000×17000 pixels cannot be in"),
        ("jpeg-progressive-17000-17000.jpg", "unreadable", "17000×17000 pixels cannot be in"),
        ("jpeg-scan-bomb.jpg", "unsupported", "more than 100 scans"),
        ("exr-attributes-30000.exr", "unsupported", "more than 3000 attributes"),
        ("exr-20000-parts.exr", "unsupported", "more than 2000 parts"),
        ("exr-parts-of-attributes.exr", "unsupported", "more than 100000 entries"),
        ("exr-20000-channels.exr", "unsupported", "more than 1024 channels"),
        ("exr-bytes-in-names.exr", "unsupported", "has the channels G, B"),
    ],
)
def test_what_would_take_long_is_refused_by_its_header(tmp_path, name, code, words):
    (tmp_path / name).write_bytes(hostile.content(name))
    assert_refused(tmp_path / name, code, words)


@pytest.mark.parametrize("kind", ["zero", "nan", "inf", "large", "negative", "one-point"])
def test_chromaticities_that_span_no_colours_are_left_out(tmp_path, kind):
    path = tmp_path / "a.exr"
    path.write_bytes(hostile.content(f"exr-chromaticities-{kind}.exr"))
    image = read_image(path)
    assert image.encoding.primaries is None
    assert "span no colours" in image.notes[0]


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"optimize": True}, {"quality": 1}])
def test_a_large_empty_jpeg_file_is_believed(tmp_path, mode, options):
    path = tmp_path / "a.jpg"
    PIL.Image.new(mode, (2048, 2048)).save(path, **options)
    np.testing.assert_allclose(read_image(path).rgb, 0, atol=0.01)
