"""Names that clash, and odd names, through the whole tool: refused before any work, or carried through."""

import os
import sys
from pathlib import Path

import pytest


def refusal(outcome) -> str:
    """The message of a run that was refused before it wrote anything."""
    assert (outcome.code, outcome.out) == (2, "") and not list(Path().glob("out/**/*.png"))
    return outcome.err


commands = pytest.mark.parametrize("command", ["matte", "remove", "decompose"])


@commands
def test_the_same_stem_in_two_folders(run, picture, command):
    picture(Path("p/a.png"))
    picture(Path("q/a.png"))
    told = refusal(run(command, "p", "q", "-o", "out"))
    assert "p/a.png" in told and "q/a.png" in told and "--name" in told
    assert run(command, "p", "q", "-o", "out", "--name", "{parent}_{stem}").code == 0


def test_the_same_name_from_another_folder_in_another_run(run, picture):
    """As `xargs -n1` or a loop in a shell would do it."""
    picture(Path("p/a.png"))
    picture(Path("q/a.png"), seed=1)
    first = run("matte", "p/a.png", "-o", "out")
    made = Path("out/a.png").read_bytes()
    second = run("matte", "q/a.png", "-o", "out")
    assert (first.code, second.code) == (0, 2) and Path("out/a.png").read_bytes() == made
    assert "out/a.png was made from another file, p/a.png; use --overwrite to replace" in second.err
    picture(Path("p/a.png"), seed=2)
    assert run("matte", "p/a.png", "-o", "out").code == 0  # its own picture, changed, is no other
    assert run("matte", "q/a.png", "-o", "out", "--overwrite").code == 0
    Path("q").rename("r")
    assert "1 skipped" in run("matte", "r/a.png", "-o", "out").err  # the same picture at another place


@commands
def test_the_same_stem_with_two_suffixes(run, picture, command):
    picture(Path("p/a.png"))
    picture(Path("p/a.jpg"))
    told = refusal(run(command, "p", "-o", "out"))
    assert "p/a.png" in told and "p/a.jpg" in told
    assert run(command, "p", "-o", "out", "--name", "{stem}_{ext}").code == 0


@commands
def test_names_that_differ_in_case_alone(run, picture, command):
    picture(Path("p/a.png"))
    picture(Path("q/A.png"))
    refusal(run(command, "p", "q", "-o", "out"))


def test_names_that_differ_in_unicode_form_alone(run, picture):
    picture(Path("p/\u00fc.png"))
    picture(Path("q/u\u0308.png"))
    refusal(run("matte", "p", "q", "-o", "out"))


def test_a_result_where_another_needs_a_folder(run, picture):
    picture(Path("p/a.jpg"))
    picture(Path("p/a.png/b.jpg"))
    told = refusal(run("matte", "p", "-r", "-o", "out"))
    assert "out/a.png would be the result of p/a.jpg and a folder for that of p/a.png/b.jpg" in told


def test_frames_under_one_name(run, picture):
    for i in (1, 2):
        picture(Path(f"s.{i}.png"))
        picture(Path(f"s_{i}.png"))
    refusal(run("matte", "s.#.png", "s_#.png", "-o", "out"))


def test_layers_over_an_input(run, picture):
    picture(Path("a/00_background.png"))
    picture(Path("a.jpg"))
    assert "would overwrite the input a/00_background.png" in run("decompose", "a.jpg", "a/*.png", "-o", ".").err


@commands
def test_results_inside_the_input_folder_are_no_inputs_of_the_next_run(run, picture, command):
    picture(Path("p/a.png"))
    first = run(command, "p", "-r", "-o", "p/out")
    again = run(command, "p", "-r", "-o", "p/out")
    assert first.code == again.code == 0 and first.lines == again.lines and "1 skipped" in again.err
    assert run(command, "p", "-r", "-o", "elsewhere", "--dry-run").lines[0].startswith("elsewhere/a")


def test_a_loop_of_links_ends(run, picture):
    picture(Path("p/deep/a.png"))
    Path("p/deep/again").symlink_to("..")
    assert run("matte", "p", "-r", "-o", "out").lines == ["out/deep/a.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
@pytest.mark.parametrize("name", [b"with space", b"new\nline", b"caf\xe9", b"{stem}", b"{", b"-dash", b"shot.####"])
@commands
def test_unusual_names_come_through(run, picture, command, name):
    plain = picture(Path("p/plain.png"))
    odd = b"p/" + name + b".png"
    plain.rename(os.fsdecode(odd))
    outcome = run(command, "--files-from", "-", "-0", "-o", "out", stdin=odd)
    assert outcome.code == 0, outcome.err
    told = os.fsencode(outcome.out)
    assert told.startswith(b"out/" + name)
    for path in Path("out").rglob("*.png"):
        assert os.fsencode(path) + b"\n" in told


@pytest.mark.parametrize("template", ["../{stem}", "/tmp/x{stem}", "a/../../{stem}"])
@commands
def test_no_template_leads_out_of_the_output_folder(run, picture, command, template):
    picture(Path("p/a.png"))
    assert "outside the output folder" in refusal(run(command, "p", "-o", "out", "--name", template))


def test_generate_too_stays_in_its_folder(run):
    assert "outside the output folder" in refusal(run("generate", "x", "-o", "out", "--name", "../{index}"))


@commands
def test_no_link_leads_out_of_the_output_folder(run, picture, command):
    picture(Path("p/deep/a.png"))
    Path("out").mkdir()
    Path("elsewhere").mkdir()
    Path("out/deep").symlink_to("../elsewhere")
    told = run(command, "p", "-r", "-o", "out")
    assert told.code == 2 and "outside the output folder" in told.err and not list(Path("elsewhere").iterdir())


@pytest.mark.parametrize(
    ("one", "other", "advice"),
    [
        ("p/1.png", "p/1.jpg", "{stem}_{ext}"),
        ("p/a/1.png", "p/b/1.png", "{parent}_{stem}"),
        ("p/a/x/1.png", "p/b/x/1.png", "{stem}_{index}"),
    ],
)
def test_the_name_that_a_clash_advises_tells_the_two_apart(run, picture, one, other, advice):
    names = [str(picture(Path(name)).parent) for name in (one, other)]
    refused = run("matte", *names, "-o", "out", "--dry-run")
    assert refused.code == 2 and f"--name '{advice}'" in refused.err
    assert run("matte", *names, "-o", "out", "--dry-run", "--name", advice).code == 0
