"""Finding weights by a name or a folder."""

from pathlib import Path

import pytest

from omnialpha_cli.status import WeightsError
from omnialpha_cli.weights import store


def test_a_folder_with_a_config_is_found_and_not_locked(tmp_path):
    (tmp_path / "config.json").write_text('{"tasks": ["matte.auto"]}')
    weights = store.find(str(tmp_path))
    assert weights.locked is None
    assert weights.tasks == ("matte.auto",)
    weights.verify()


def test_identity_of_a_folder_follows_its_content(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    before = store.find(str(tmp_path)).identity
    (tmp_path / "config.json").write_text("{ }")
    assert store.find(str(tmp_path)).identity != before


def test_a_folder_without_config_is_refused(tmp_path):
    with pytest.raises(WeightsError, match=r"without config\.json"):
        store.find(str(tmp_path))


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(WeightsError, match=r"names: .*omnialpha weights list"):
        store.find("unheard-of")


def test_a_damaged_config_is_a_fault_of_the_weights(tmp_path):
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(WeightsError, match=r"config.json is damaged"):
        _ = store.find(str(tmp_path)).config


def test_home_is_given_or_the_users_cache(monkeypatch):
    monkeypatch.setenv("OMNIALPHA_HOME", "/data/weights")
    assert store.home() == Path("/data/weights")
    monkeypatch.delenv("OMNIALPHA_HOME")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert store.home() == Path("/cache/omnialpha")
