"""`generate` and `complete` say what they drew where that is not what was asked, and refuse what they cannot draw."""

import json

import pytest

NEAREST = "the nearest that these weights know"


@pytest.fixture
def run(omnialpha, tmp_path, monkeypatch, picture):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "a.png", (96, 64), mode="RGBA")
    return lambda *arguments: omnialpha(*arguments, "--steps", "1", "--device", "cpu")


@pytest.mark.slow
def test_what_is_drawn_instead_is_a_warning_and_in_the_record(run):
    outcome = run("generate", "an antelope", "a red apple", "a grinning cat", "--json")
    assert outcome.code == 0
    antelope, apple, cat = sorted(map(json.loads, outcome.lines[:3]), key=lambda item: item["outputs"])
    assert antelope["warnings"] == [f"'an antelope': drawn as 'ant', {NEAREST}"]
    assert apple["warnings"] == cat["warnings"] == []  # "grinning cat with smiling eyes" is one
    assert f"warning: generate/0000_0.png: 'an antelope': drawn as 'ant', {NEAREST}" in outcome.err


@pytest.mark.slow
def test_a_word_that_is_like_nothing_known_fails_its_item_alone(run, tmp_path):
    outcome = run("generate", "a red apple", "quantum", "zxqv")
    assert outcome.code == 1 and outcome.lines == ["generate/0000_0.png"]
    for words in ("quantum", "zxqv"):
        assert f"these weights know nothing that is like {words!r}, and cannot draw it; give other words" in outcome.err


@pytest.mark.slow
def test_a_scene_tells_of_its_background_and_its_object(run):
    outcome = run("generate", "a red apple in a desert", "--scene", "--size", "96x64")
    assert outcome.code == 0 and "'a red apple in a desert': background drawn as 'wide red desert'" in outcome.err
    outcome = run("generate", "quantum on a beach at dusk", "--scene", "--size", "96x64", "-o", "b")
    assert outcome.code == 1 and "nothing that is like 'quantum'" in outcome.err


def test_completions_say_it_too(run):
    given = ("complete", "a.png", "--given", "foreground", "--want", "background")
    outcome = run(*given, "--prompt", "a street")
    assert outcome.code == 0 and "warning: a.png: 'a street': background drawn as 'city lights at night'" in outcome.err
    outcome = run(*given, "--prompt", "a football stadium", "--overwrite")
    assert outcome.code == 1
    assert "a.png: these weights know nothing that is like 'a football stadium'" in outcome.err
