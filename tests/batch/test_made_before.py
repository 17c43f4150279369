"""Results of an earlier version are skipped as done: a new field of the settings must not change what is recorded.

`data/made_before` holds inputs, and what the version of commit 36eefee made of them by the commands below with the
weights of `tiny_model`. Of these only `config.json` is kept: their identity in the journals is exchanged for its own.
"""

import json
import shutil
from pathlib import Path

import pytest

from omnialpha_cli.weights import store

MADE_BEFORE = Path(__file__).parents[1] / "data" / "made_before"

COMMANDS = {
    "auto": "matte in",
    "mask": "matte in --mask masks --refine none --despill green --alpha-only",
    "steady": "matte shot/shot.####.png --steady",
    "text": "matte in/a.png --text red␣cat --seed 3 --steps 2 --format tiff --premultiplied --depth 16",
    "remove": "remove in/a.png --mask masks --grow 2",
    "effects": "remove in/a.png --mask masks --effects",
    "layers": "decompose in/a.png",
    "exr": "decompose in/a.png --format exr --exr-parts --canvas 128",
    "words": "generate red␣cat --count 2 --size 64x32",
    "scene": "complete in/a.png --prompt a␣red␣cat --given background --want scene --guidance 1.5",
}


@pytest.fixture
def made(tmp_path, monkeypatch) -> Path:
    folder = shutil.copytree(MADE_BEFORE, tmp_path / "made")
    identity = store.find(str(folder / "weights")).identity
    for journal in folder.glob("out/*/.omnialpha/*.jsonl"):
        lines = [json.loads(line) for line in journal.read_text().splitlines()]
        lines = [line | ({"weights": identity} if line["event"] == "intent" else {}) for line in lines]
        journal.write_text("".join(json.dumps(line) + "\n" for line in lines))
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("name", COMMANDS)
def test_what_an_earlier_version_made_is_done(name, made, omnialpha):
    words = [word.replace("␣", " ") for word in COMMANDS[name].split()]
    outcome = omnialpha(*words, "-o", f"out/{name}", "--model", "weights", "--json")
    assert outcome.code == 0, outcome.err
    *items, summary = map(json.loads, outcome.lines)
    assert [item["status"] for item in items] == ["skipped"] * len(items)
    assert summary["skipped"] == len(items) > 0


def test_other_settings_are_still_refused(made, omnialpha):
    outcome = omnialpha("matte", "in", "--seed", 1, "-o", "out/auto", "--model", "weights")
    assert outcome.code == 2
    assert "seed 0 (now 1)" in outcome.err
