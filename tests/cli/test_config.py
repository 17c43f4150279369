"""Options by a file and by environment variables: which wins, and what is said of names that do not exist."""

import json
from pathlib import Path

import pytest


@pytest.fixture
def seed(run, picture):
    """The seed of `omnialpha matte` in a folder with an omnialpha.toml of this content."""
    picture(Path("a.png"))

    def of(content: str, *arguments: object) -> int:
        Path("omnialpha.toml").write_text(content)
        outcome = run("matte", "a.png", "--json", "--overwrite", *arguments)
        assert outcome.code == 0, outcome.err
        return json.loads(outcome.lines[0])["seed"]

    return of


@pytest.mark.slow
def test_the_command_line_wins_over_the_environment_and_that_over_the_file(seed, monkeypatch):
    assert seed("seed = 1") == 1
    assert seed("seed = 1\n[matte]\nseed = 2") == 2
    assert seed("seed = 1\n[remove]\nseed = 2") == 1
    monkeypatch.setenv("OMNIALPHA_SEED", "3")
    assert seed("seed = 1") == 3
    assert seed("seed = 1", "--seed", 4) == 4


def test_another_file_is_named_by_config(seed):
    Path("other.toml").write_text("seed = 5")
    assert seed("seed = 1", "--config", "other.toml") == 5


def test_values_are_those_of_the_command_line(run, picture):
    picture(Path("a.png"))
    Path("omnialpha.toml").write_text('output = "out"\nbatch-size = 2\n[matte]\nalpha_only = true\ndepth = 16\n')
    assert run("matte", "a.png", "-v").lines == ["out/a.png"]
    assert run("remove", "a.png", "--name", "b").lines == ["out/b.png"]


def test_the_model_itself_takes_them_too(run):
    Path("omnialpha.toml").write_text("seed = 1\n[run]\nseed = 2")
    outcome = run("run", "--prompt", "a cat", "--dry-run")
    assert (outcome.code, outcome.lines) == (0, ["run/0000_2.png"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("batchsize = 1", "omnialpha.toml: there is no option batchsize; did you mean batch-size?"),
        ("[mate]", "omnialpha.toml: there is no section [mate]; did you mean matte?"),
        ("[remove]\nrefine = 'none'", "omnialpha.toml: [remove] has no option refine"),
        ("refine = 'best'", "omnialpha: omnialpha.toml: refine: 'best' is not one of 'guided', "),
        ("steps = 0", "omnialpha: omnialpha.toml: steps: "),
        ("steps = [1]", "omnialpha.toml: steps: give text, a number, true or false"),
        ("steps", "omnialpha.toml is not TOML: "),
    ],
)
def test_what_is_wrong_in_a_file_is_said(run, picture, content, message):
    picture(Path("a.png"))
    Path("omnialpha.toml").write_text(content)
    outcome = run("matte", "a.png")
    assert outcome.code == 2 and message in outcome.err


def test_a_file_that_is_not_there(run):
    outcome = run("matte", "a.png", "--config", "gone.toml")
    assert outcome.code == 2 and "--config gone.toml: No such file or directory" in outcome.err


def test_misspelt_variables_are_reported_with_the_near_one(run, picture, monkeypatch):
    picture(Path("a.png"))
    monkeypatch.setenv("OMNIALPHA_BATCHSIZE", "2")
    monkeypatch.setenv("OMNIALPHA_HOME", "home")
    outcome = run("matte", "a.png", "--dry-run")
    said = [line for line in outcome.err.splitlines() if "OMNIALPHA" in line]
    assert outcome.code == 0 and said == [
        "warning: the environment variable OMNIALPHA_BATCHSIZE is not read; did you mean OMNIALPHA_BATCH_SIZE?"
    ]
