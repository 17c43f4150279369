"""--memory, --quantize and --compile on the command line."""

import pytest
import torch


def test_what_was_chosen_and_why_is_said_with_v(run, picture, tmp_path):
    picture(tmp_path / "a.png")
    assert "memory: resident: " in run("matte", "a.png", "-v", "--device", "cpu").err
    assert "memory: stream: as asked for" in run("matte", "a.png", "-o", "b", "-v", "--memory", "stream").err
    assert "memory:" not in run("matte", "a.png", "-o", "c").err


def test_memory_changes_no_pixels_and_so_makes_nothing_again(run, picture, tmp_path):
    picture(tmp_path / "a.png")
    run("matte", "a.png", "-o", "out", "--memory", "resident")
    run("matte", "a.png", "-o", "streamed", "--memory", "stream")
    assert (tmp_path / "out/a.png").read_bytes() == (tmp_path / "streamed/a.png").read_bytes()
    assert '"skipped"' in run("matte", "a.png", "-o", "out", "--memory", "cpu", "--json").out


@pytest.mark.slow
def test_a_folder_that_makes_several_windows_is_made_as_without_them(run, picture, tmp_path):
    for i in range(11):
        picture(tmp_path / "in" / f"{i}.png", (96, 64) if i % 3 else (64, 96), seed=i)
    for memory in ("resident", "stream"):
        outcome = run("matte", "in", "-o", memory, "--memory", memory, "--batch-size", "1", "--json")
        assert outcome.code == 0 and outcome.out.count('"done"') == 11 + 1, outcome.err
    for i in range(11):
        assert (tmp_path / f"resident/{i}.png").read_bytes() == (tmp_path / f"stream/{i}.png").read_bytes()


def test_quantised_weights_are_other_settings(run, picture, tmp_path):
    picture(tmp_path / "a.png")
    run("matte", "a.png", "-o", "out")
    refused = run("matte", "a.png", "-o", "out", "--quantize", "int8")
    assert refused.code == 2 and "quantize None (now int8)" in refused.err


def test_weights_that_do_not_fit_into_memory_are_one_line_and_exit_5(run, picture, tmp_path, monkeypatch):
    picture(tmp_path / "a.png")
    monkeypatch.setattr("omnialpha_cli.picture.load.free_memory", lambda: 1000)
    outcome = run("matte", "a.png", "--device", "cpu")
    (line,) = [line for line in outcome.err.splitlines() if not line.endswith("…")]
    assert outcome.code == 5 and "of memory, of which 0.0 GB are free: end other programs" in line


def test_a_machine_that_cannot_compile_is_reported_before_anything_is_done(run, picture, tmp_path, monkeypatch):
    def compile(function):
        raise RuntimeError("InvalidCxxCompiler: No working C++ compiler found\n\nSet TORCHDYNAMO_VERBOSE=1")

    monkeypatch.setattr(torch, "compile", compile)
    picture(tmp_path / "a.png")
    refused = run("matte", "a.png", "-o", "out", "--compile")
    assert refused.code == 5 and not (tmp_path / "out/a.png").exists()
    (line,) = refused.err.splitlines()
    assert "No working C++ compiler found; leave --compile out" in line
