"""`omnialpha bench`: `pipeline` and `matte` run the product's own pipeline, `finish` its way to full size."""

import json

from typer.testing import CliRunner

from omnialpha_cli.cli.main import app


def measured(*arguments: str) -> dict:
    result = CliRunner().invoke(app, ["bench", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    (record,) = [json.loads(line) for line in result.stdout.splitlines()]
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


def test_a_size_that_is_none_is_refused():
    result = CliRunner().invoke(app, ["bench", "matte", "--size", "1920"])
    assert result.exit_code != 0
    assert "1920x1080" in str(result.exception)


def test_finish_shows_what_each_way_gains_on_hair():
    """At least a quarter less error in the unknown band than bilinear."""
    result = CliRunner().invoke(app, ["bench", "finish", "--size", "640x360", "--json"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    trials = {record["refine"]: record for record in map(json.loads, result.stdout.splitlines())}
    assert list(trials) == ["none", "guided", "laplacian"]
    for method in ("guided", "laplacian"):
        assert trials[method]["mad"] < 0.75 * trials["none"]["mad"]
        assert trials[method]["mse"] < 0.75 * trials["none"]["mse"]
        assert trials[method]["seconds"] > 0


def test_steady_measures_a_shot_both_ways(tiny_weights):
    arguments = ["bench", "steady", "--frames", "3", "--model", str(tiny_weights), "--device", "cpu", "--json"]
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    found = {record["steady"]: record for record in map(json.loads, result.stdout.splitlines())}
    assert set(found) == {False, True} and all(record["flicker"] > 0 for record in found.values())
    assert found[False]["mse"] != found[True]["mse"]


def test_the_full_width_reports_rates_and_an_image(monkeypatch):
    from omnialpha_cli.model import config

    narrow = config.TransformerConfig(num_layers=60, num_attention_heads=1, attention_head_dim=128)
    monkeypatch.setattr(config, "TransformerConfig", lambda: narrow)
    small = ["--layers", "2", "--canvas", "64", "--rounds", "1", "--device", "cpu"]
    arguments = ["bench", "model", "--config", "full", *small]
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    (record,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert record["event"] == "bench.model.full" and record["layers"] == 2
    assert record["image"] > record["step"] > 0 and record["peak"] > 0
    text = CliRunner().invoke(app, arguments, catch_exceptions=False).stdout
    assert "2 of 60 blocks" in text and "TFLOP/s" in text and "an image" in text
