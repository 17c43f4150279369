"""weights.lock: what it holds, and which files it lets through."""

from dataclasses import replace
from pathlib import Path

import pytest

from omnialpha_cli.status import WeightsError
from omnialpha_cli.weights.lock import LockedFile, Source, lock_folder, lock_path, read_lock, verify, write_lock


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "w"
    (folder / "deep").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "deep" / "model.safetensors").write_bytes(b"0123456789")
    (folder / "README.md").write_text("a model card is not locked")
    return folder


def test_a_lock_is_read_as_it_was_written(folder, tmp_path):
    locked = {
        "mini": lock_folder(folder, "mini", 'Mini "v1" – größer', "Apache-2.0"),
        "a b": lock_folder(folder, "a b", "t", "MIT"),
    }
    write_lock(tmp_path / "weights.lock", locked)
    assert read_lock(tmp_path / "weights.lock") == locked
    assert [file.path for file in locked["mini"].files] == ["config.json", "deep/model.safetensors"]
    assert locked["mini"].size == 12


def test_locked_files_pass(folder):
    verify(folder, lock_folder(folder, "w", "t", "l"), "mend")


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda path: path.unlink(), "is missing"),
        (lambda path: path.write_bytes(b"01234"), "has 5 bytes instead of 10"),
        (lambda path: path.write_bytes(b"012345678X"), "is not the file in weights.lock"),
    ],
    ids=["missing", "truncated", "tampered"],
)
def test_a_damaged_file_is_named_with_the_command_that_mends_it(folder, damage, says):
    locked = lock_folder(folder, "w", "t", "l")
    damage(folder / "deep" / "model.safetensors")
    with pytest.raises(WeightsError, match=f"model.safetensors {says}.*mend it with: do this"):
        verify(folder, locked, "do this")


def test_identity_follows_names_and_contents(folder):
    locked = lock_folder(folder, "w", "t", "l")
    assert locked.identity == replace(locked, files=locked.files[::-1], title="other").identity
    assert locked.identity != replace(locked, files=locked.files[:1]).identity


def test_a_folder_without_config_cannot_be_locked(tmp_path):
    with pytest.raises(WeightsError, match=r"no config\.json"):
        lock_folder(tmp_path, "w", "t", "l")


@pytest.mark.parametrize("text", ["not toml [", "[mini]\ntitle = 'x'", "[mini]\ntitle='x'\nlicence='y'\nfiles=3"])
def test_what_is_no_lock_file_is_refused(tmp_path, text):
    (tmp_path / "weights.lock").write_text(text)
    with pytest.raises(WeightsError, match="is not a lock file"):
        read_lock(tmp_path / "weights.lock")


def test_what_is_not_known_is_written_as_unknown_and_never_passes(folder, tmp_path):
    locked = lock_folder(folder, "w", "t", "l")
    doubtful = replace(locked.files[1], size=None, sha256="unknown")
    locked = replace(locked, files=(locked.files[0], doubtful))
    write_lock(tmp_path / "weights.lock", {"w": locked})
    assert (tmp_path / "weights.lock").read_text().count('"unknown"') == 2
    assert read_lock(tmp_path / "weights.lock") == {"w": locked}
    assert not locked.known
    with pytest.raises(WeightsError, match=r"nothing is known of .*model.safetensors.*omnialpha weights lock w"):
        verify(folder, locked, "mend")


def test_what_was_recorded_fills_gaps_and_replaces_nothing(folder):
    there = lock_folder(folder, "w", "t", "l")
    source = Source("a/b", "unknown", "MIT", 5, ("*",))
    lock = replace(
        there,
        files=(
            LockedFile("config.json", None, "unknown", "MIT"),
            LockedFile("deep/model.safetensors", 10, "f" * 64, "MIT"),
        ),
        sources=(source,),
    )
    got = lock.completed(replace(there, sources=(replace(source, revision="abc"),)))
    assert got.known and got.sources[0].revision == "abc"
    assert {file.path: file.sha256 for file in got.files} == {
        "config.json": there.files[0].sha256,
        "deep/model.safetensors": "f" * 64,  # known before: it stands
    }


def test_the_published_weights_are_described_without_an_invented_hash():
    locked = read_lock(lock_path())["omnialpha"]
    assert {source.repository for source in locked.sources} == {"Qwen/Qwen-Image-Edit-2509", "Longin-Yu/OmniAlpha"}
    assert {file.sha256 for file in locked.files} == {"unknown"}
    assert round(locked.size / 1e9, 1) == 59.7
