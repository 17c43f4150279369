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


HOSTILE_CONFIGS = [
    "[" * 100_000, "5", "[]", "{", '{"tasks": 5}', '{"tasks": [[1]]}', '{"defaults": 5}',
    '{"defaults": {"commands": 5}}',
    '{"defaults": {"commands": {"matte": 5}}}', '{"defaults": {"steps": "x"}}', '{"defaults": {"canvas": 1e999}}',
    '{"defaults": {"canvas": 999999999}}', '{"defaults": {"steps": []}}', '{"defaults": {"steps": true}}', "9" * 9999,
]  # fmt: skip


@pytest.mark.parametrize("content", HOSTILE_CONFIGS)
def test_a_hostile_config_is_one_line_and_exit_4(tmp_path, omnialpha, picture, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "config.json").write_text(content)
    outcome = omnialpha("matte", picture(tmp_path / "a.png"), "--model", "w", "--dry-run")
    assert outcome.code == 4
    assert len(outcome.err.splitlines()) == 1
    assert "config.json is damaged" in outcome.err


@pytest.mark.parametrize(
    "content",
    ["a = 1", "a = " + "[" * 10_000, "[a]\ntitle = 1", "\xff", "[a]\ntitle='t'\nlicence='l'\nfiles=[1]",
     "[a]\ntitle='t'\nlicence='l'\n[[a.files]]\npath='../x'\nsize=1\nsha256='0'\nlicence='l'",
     "[a]\ntitle='t'\nlicence='l'\n[[a.files]]\npath=1\nsize=1\nsha256='0'\nlicence='l'"],
)  # fmt: skip
def test_a_hostile_lock_is_one_line_and_exit_4(tmp_path, omnialpha, picture, monkeypatch, content):
    monkeypatch.setenv("OMNIALPHA_HOME", str(tmp_path))
    (tmp_path / "weights.lock").write_text(content, "latin-1")
    outcome = omnialpha("matte", picture(tmp_path / "a.png"), "--dry-run")
    assert outcome.code == 4
    assert len(outcome.err.splitlines()) == 1
