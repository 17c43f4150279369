"""`omnialpha data`, and training on what it builds."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training_packs import disc, encoded, index, write_tar


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In the working folder: cut-outs and photographs as packs, backgrounds in a folder."""
    monkeypatch.chdir(tmp_path)
    cutouts = {f"c{i}.webp": encoded(disc(64, i), "WEBP") for i in range(2)}
    write_tar(
        tmp_path / "cutouts.tar", cutouts | {"index.csv": index(["file", "label"], [[n, "red disc"] for n in cutouts])}
    )
    photo = disc(64, 5)
    files = {"p.jpg": encoded(photo[..., :3], "JPEG"), "p.png": encoded(photo[..., 3], "PNG")}
    write_tar(tmp_path / "photos.tar", files)
    (tmp_path / "backgrounds").mkdir()
    Image.fromarray(np.ascontiguousarray(disc(90, 7)[:60, :, :3])).save(tmp_path / "backgrounds" / "meadow.jpg")
    return tmp_path


BUILD = ("data", "build", "--cutouts", "cutouts.tar", "--photos", "photos.tar", "--backgrounds", "backgrounds",
         "--size", "96", "--shard-size", "3")  # fmt: skip


def test_build_check_and_show(omnialpha, sources):
    built = omnialpha(*BUILD, "--count", "4", "-o", "triplets")
    assert built.code == 0
    assert built.lines == ["triplets/00000.tar", "triplets/00001.tar"]
    assert "cutouts.tar: plain, 2 to train on, 0 held out" in built.err
    assert "5 triplets made" in built.err
    before = {path.name: path.read_bytes() for path in (sources / "triplets").iterdir()}

    again = omnialpha(*BUILD, "--count", "4", "-o", "triplets")
    assert again.lines == built.lines
    assert "0 triplets made, 2 shards there already" in again.err
    assert {path.name: path.read_bytes() for path in (sources / "triplets").iterdir()} == before

    other = omnialpha(*BUILD, "--count", "4", "--seed", "1", "-o", "triplets")
    assert (other.code, other.out) == (2, "")
    assert "triplets holds a data set that was made with other seed: give another folder, or --overwrite" in other.err
    replaced = omnialpha(*BUILD, "--count", "4", "--seed", "1", "-o", "triplets", "--overwrite")
    assert replaced.code == 0
    assert (sources / "triplets" / "00001.tar").read_bytes() != before["00001.tar"]

    checked = omnialpha("data", "check", "triplets")
    assert (checked.code, checked.err) == (0, "5 triplets, 0 faulty\n")
    shown = omnialpha("data", "show", "triplets", "-o", "sheet.jpg", "--count", "3")
    assert shown.lines == ["sheet.jpg"]
    assert Image.open(sources / "sheet.jpg").width == 2 * 4 * 260


def test_a_dry_run_makes_nothing(omnialpha, sources):
    outcome = omnialpha(*BUILD, "--dry-run", "-o", "triplets")
    assert (outcome.code, outcome.out) == (0, "")
    assert "1001 triplets in 334 shards" in outcome.err
    assert not (sources / "triplets").exists()


def test_shares_of_several_machines(omnialpha, sources):
    lines = [omnialpha(*BUILD, "--count", "8", "-o", "t", "--shard", f"{i}/2").lines for i in range(2)]
    assert sorted(lines[0] + lines[1]) == ["t/00000.tar", "t/00001.tar", "t/00002.tar"]
    assert omnialpha(*BUILD, "--shard", "2/2").code == 2


def test_a_damaged_picture_is_reported_and_the_rest_is_built(omnialpha, sources):
    (sources / "backgrounds" / "broken.jpg").write_bytes(b"no picture")
    outcome = omnialpha(*BUILD, "--count", "6", "-o", "t")
    assert outcome.code == 1
    assert outcome.err.count("failed: backgrounds/broken.jpg: cannot be read as a picture") == 1
    assert "7 triplets made" in outcome.err


def test_a_faulty_triplet_is_reported(omnialpha, sources):
    write_tar(sources / "bad.tar", {"00000000.json": json.dumps({"schema": "other/9"}).encode()})
    outcome = omnialpha("data", "check", "bad.tar")
    assert outcome.code == 1
    assert "bad.tar/00000000: 00000000.json in bad.tar: its schema is other/9, not omnialpha-data/1" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cutouts", "cutouts.tar"), "composed samples need --backgrounds"),
        (("--count", "0"), "nothing to build"),
        (("--photos", "photos.tar", "--count", "0", "--split", "val"), "is all of the split train: nothing for val"),
        (("--pairs", "backgrounds", "--count", "0"), "backgrounds holds no scenes with and without an object"),
    ],
)
def test_what_cannot_be_built_is_refused(omnialpha, sources, arguments, message):
    outcome = omnialpha("data", "build", *arguments, "-o", "t")
    assert outcome.code == 2
    assert message in outcome.err
    assert not (sources / "t").exists()


@pytest.mark.slow
def test_training_reads_the_shards(omnialpha, sources):
    omnialpha(*BUILD, "--count", "4", "-o", "triplets")
    (sources / "r.toml").write_text(
        'tasks = { "matte.auto" = 1.0 }\n[vae]\nchannels = [8, 8, 8]\nblocks = [1, 1, 1]\n'
        "[[vae.stages]]\nsize = 32\nsteps = 2\nbatch = 2\nlr = 1e-3\n"
    )
    outcome = omnialpha("train", "vae", "r.toml", "--triplets", "triplets", "--run", "run")
    assert outcome.code == 0, outcome.err
    assert (sources / "run" / "vae.pt").exists()
    assert omnialpha("train", "vae", "r.toml", "--run", "run").code == 2
