"""`omnialpha bench`: `pipeline` and `matte` run the product's own pipeline, `finish` its way to full size."""

import json
import os
import signal
import sys
import tempfile

import pytest
import torch
from documented import FIELDS
from typer.testing import CliRunner

from omnialpha_cli.batch import job
from omnialpha_cli.cli.main import app
from omnialpha_cli.lab.evaluate import scenes
from omnialpha_cli.lab.evaluate.scenes import hair_scene

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def one_thread(monkeypatch):
    """The plain loop computes on all cores, where networks this small only wait for one another."""
    monkeypatch.setattr(job, "count_cores", lambda: 1)
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def records(lines: str) -> list[dict]:
    """Records as they are documented."""
    found = [json.loads(line) for line in lines.splitlines()]
    assert all(record.keys() == {"schema", "event", *FIELDS[record["event"]]} for record in found)
    return found


def measured(*arguments: str) -> dict:
    result = CliRunner().invoke(app, ["bench", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    (record,) = records(result.stdout)
    return record


def test_pipeline_reports_the_whole_every_stage_and_memory(tiny_weights):
    arguments = ("--count", "3", "--size", "96x64", "--model", str(tiny_weights), "--device", "cpu")
    record = measured("pipeline", *arguments)
    assert (record["event"], record["count"], record["width"], record["height"]) == ("bench.pipeline", 3, 96, 64)
    assert set(record["stages"]) == {"read", "prepare", "infer", "finish", "write"}
    assert record["seconds"] > 0 and record["over_slowest"] >= 1 and record["peak_memory"] > 2**20


def test_matte_runs_beside_a_plain_loop(tiny_weights, picture, tmp_path):
    arguments = ("--count", "3", "--size", "96x64", "--rounds", "1", "--model", str(tiny_weights), "--device", "cpu")
    record = measured("matte", str(picture(tmp_path / "a.png")), *arguments)
    assert record["batch"] > 0 and record["loop"] > 0
    assert record["ratio"] == record["loop"] / record["batch"]


def test_matte_says_how_far_it_is_and_leaves_nothing_when_it_is_terminated(
    omnialpha, tiny_weights, tmp_path, monkeypatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(
        "omnialpha_cli.lab.bench.matte.seconds", lambda work: signal.raise_signal(signal.SIGTERM)
    )  # while it measures
    before = signal.getsignal(signal.SIGTERM)
    try:
        outcome = omnialpha("bench", "matte", "--count", "2", "--size", "96x64", "--model", tiny_weights)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert outcome.code == 143 and outcome.err.startswith("writing 2 pictures, loading weights")
    assert list(tmp_path.glob("omnialpha-bench-*")) == []


def test_a_size_that_is_none_is_refused():
    result = CliRunner().invoke(app, ["bench", "matte", "--size", "1920"])
    assert result.exit_code != 0
    assert "1920x1080" in str(result.exception)


def test_a_photograph_that_is_not_there_is_refused_before_anything_runs(tmp_path):
    result = CliRunner().invoke(app, ["bench", "matte", str(tmp_path / "none.jpg")])
    told = " ".join(result.stderr.replace("│", " ").split())
    assert result.exit_code == 2 and "does not exist" in told


def test_finish_shows_what_each_way_gains_on_hair():
    """At least a quarter less error in the unknown band than bilinear."""
    result = CliRunner().invoke(app, ["bench", "finish", "--size", "640x360", "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    trials = {record["refine"]: record for record in records(result.stdout)}
    assert list(trials) == ["none", "guided", "laplacian"]
    for method in ("guided", "laplacian"):
        assert trials[method]["mad"] < 0.75 * trials["none"]["mad"]
        assert trials[method]["mse"] < 0.75 * trials["none"]["mse"]
        assert trials[method]["seconds"] > 0


def test_steady_measures_a_shot_each_way(tiny_weights, monkeypatch):
    """These weights know nothing, so what a mask of the first frame tells is all there is."""
    monkeypatch.setattr(scenes, "hair_scene", lambda height, width: hair_scene(height // 3, width // 3))
    arguments = ["bench", "steady", "--frames", "4", "--first-mask", "--model", str(tiny_weights), "--device", "cpu"]
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    alone, steady, masked = records(result.stdout)
    assert [(one["steady"], one["first_mask"]) for one in (alone, steady, masked)] == [
        (False, False), (True, False), (True, True),
    ]  # fmt: skip
    assert alone["flicker"] > 0 and steady["flicker"] < alone["flicker"]
    assert masked["mse"] < alone["mse"]


def test_the_full_width_reports_rates_and_an_image(monkeypatch):
    from omnialpha_cli.model import config

    narrow = config.TransformerConfig(num_layers=60, num_attention_heads=1, attention_head_dim=128)
    monkeypatch.setattr(config, "TransformerConfig", lambda: narrow)
    small = ["--layers", "2", "--canvas", "64", "--rounds", "1", "--device", "cpu"]
    arguments = ["bench", "model", "--config", "full", *small]
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    (record,) = records(result.stdout)
    assert record["event"] == "bench.model.full" and record["layers"] == 2
    assert record["image"] > record["step"] > 0 and record["peak"] > 0
    text = CliRunner().invoke(app, arguments, catch_exceptions=False).stdout
    assert "2 of 60 blocks" in text and "TFLOP/s" in text and "an image" in text


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Puts a program on PATH that copies its input folder to its output folder, or does otherwise."""

    def put(name, body):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{body}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        return program

    return put


@pytest.fixture
def ours(tool, monkeypatch):
    """Puts a program in the place of this tool's own command line, for what is about the others."""
    monkeypatch.setattr(sys, "executable", str(tool("python", 'mkdir -p "$6" && cp "$4"/* "$6"')))


class TestAgainst:
    @pytest.fixture
    def against(self, omnialpha, tiny_weights):
        arguments = ("--count", 2, "--size", "64x64", "--rounds", 1, "--model", tiny_weights, "--device", "cpu")
        return lambda tools, *more: omnialpha("bench", "matte", *arguments, "--against", tools, *more)

    def test_their_own_commands_run_on_the_same_folder(self, against, tool, tmp_path):
        tool("rembg", f'test "$1" = p && cp "$2"/* "$3" && echo "$@" >> {tmp_path}/log')
        tool("backgroundremover", 'test "$1$3" = "-if-of" && for f in "$2"/*; do cp "$f" "$4/output_${f##*/}"; done')
        outcome = against("rembg, backgroundremover", "--json")
        assert outcome.code == 0, outcome.err
        own, *others = records("\n".join(outcome.lines))
        assert own["event"] == "bench.matte"
        assert [(one["event"], one["tool"]) for one in others] == [
            ("bench.matte.against", "rembg"), ("bench.matte.against", "backgroundremover"),
        ]  # fmt: skip
        assert all(one["ours"] > one["theirs"] > 0 and 0 < one["ratio"] < 1 for one in others)
        ran = (tmp_path / "log").read_text().splitlines()
        assert len(ran) == 2 and len(set(ran)) == 2  # one to warm up; every time into an empty folder

    def test_a_table_says_how_many_times_as_fast(self, against, tool, ours):
        tool("rembg", 'cp "$2"/* "$3"')
        outcome = against("rembg")
        assert "from their start" in outcome.out and "rembg" in outcome.out

    def test_one_that_is_not_installed_is_named_before_anything_is_timed(self, against, monkeypatch):
        def timed(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr("shutil.which", lambda name: None)
        monkeypatch.setattr("omnialpha_cli.lab.bench.matte.write_pictures", timed)
        assert "rembg is not installed" in against("rembg").err

    def test_one_that_is_not_installed_is_named_with_what_brings_it(self, against, monkeypatch):
        monkeypatch.setattr("shutil.which", lambda name: None)
        outcome = against("rembg")
        assert outcome.code == 0 and outcome.out
        assert "rembg is not installed; get it with: pip install 'rembg[cpu,cli]'" in outcome.err
        assert "from their start" not in outcome.out

    @pytest.mark.parametrize(
        ("body", "says"),
        [("echo no weights >&2; exit 3", "made 0 of 2 pictures, exit code 3: no weights"),
         ('cp "$2"/00000.jpg "$3"', "made 1 of 2 pictures, exit code 0: it said nothing")],
    )  # fmt: skip
    def test_one_that_fails_has_no_figures(self, against, tool, ours, body, says):
        tool("rembg", body)
        outcome = against("rembg", "--json")
        assert outcome.code == 1 and says in outcome.err
        assert len(outcome.lines) == 1

    def test_a_tool_that_nobody_knows_is_refused(self, against):
        outcome = against("photoshop")
        assert outcome.code == 2 and "known are rembg, backgroundremover" in outcome.err
