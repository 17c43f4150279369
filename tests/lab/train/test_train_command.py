"""`omnialpha train`: what is refused, and how."""

import pytest
from training_packs import disc, encoded, write_tar


@pytest.fixture
def photos(tmp_path):
    rgba = disc(48, 0)
    files = {"p.jpg": encoded(rgba[..., :3], "JPEG"), "p.png": encoded(rgba[..., 3], "PNG")}
    return write_tar(tmp_path / "photos.tar", files)


def test_a_device_that_is_not_there_is_refused_in_a_line(omnialpha, photos, tmp_path, monkeypatch):
    monkeypatch.setattr("omnialpha_cli.picture.load.AVAILABLE", {"cuda": lambda: False, "cpu": lambda: True})
    outcome = omnialpha("train", "vae", "mini.toml", "--photos", photos, "--device", "cuda", "--run", tmp_path / "run")
    assert outcome.code == 5
    assert outcome.err.startswith("omnialpha: device cuda is not available") and outcome.err.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_a_recipe_that_is_not_there_is_called_as_it_was_given(omnialpha, photos):
    outcome = omnialpha("train", "vae", "nosuch.toml", "--photos", photos)
    assert outcome.code == 2
    assert outcome.err.startswith("omnialpha: no recipe nosuch.toml: ") and "mini.toml" in outcome.err
