"""The command line as a whole: help, version, start-up, and the small commands."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import typer.main
from commands import below
from documented import FIELDS

import omnialpha_cli
from omnialpha_cli import __version__
from omnialpha_cli.cli.main import app, main
from omnialpha_cli.tasks import TASKS
from omnialpha_cli.weights.lock import lock_folder, write_lock

HEAVY = ("torch", "numpy", "fileseq", "OpenImageIO", "safetensors", "tokenizers", "PIL", "diffusers", "transformers")


def leaves(command=None, path=()):
    """The names of every command that is no group."""
    command = command or typer.main.get_command(app)
    return [leaf for name, child in below(command).items() for leaf in leaves(child, (*path, name))] or [path]


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(omnialpha_cli.__file__).parents[1])}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("command", ["matte", "remove", "decompose", "generate", "complete", "run", "compose", "info"])
def test_a_command_alone_says_what_it_lacks(omnialpha, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    outcome = omnialpha(command)
    assert (outcome.code, outcome.out) == (2, "")
    assert "no inputs" in outcome.err or "no prompts" in outcome.err or "Missing" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "warning"),
    [
        (("matte", "a.png", "--mask-slack", "3"), "--mask-slack does nothing without --mask or --rough-mask"),
        (("matte", "a.png", "--trimap", "m.png", "--mask-slack", "3"), "--mask-slack does nothing without --mask"),
        (("decompose", "a.png", "--anyway"), "--anyway does nothing without --text"),
        (("remove", "a.png", "--hint-layer", "roto.A"), "--hint-layer does nothing without a hint, such as --mask"),
        (("remove", "a.png", "--mask", "m.png", "--trim", "3"), "--trim does nothing: what remove makes is opaque"),
        (("matte", "a.png", "-0"), "-0 does nothing without --files-from"),
        (("matte", "a.png", "--core", "m.png", "--hint-layer", "A", "--trim"), None),
        (("matte", "a.png", "--mask", "m.png", "--hint-layer", "A", "--mask-slack", "3"), None),
        (("decompose", "a.png", "--text", "cat", "--anyway", "--trim"), None),
    ],
)
def test_options_that_change_nothing_are_told(run, picture, arguments, warning):
    picture(Path("a.png"))
    picture(Path("m.png"))
    outcome = run(*arguments, "--dry-run")
    assert outcome.code == 0
    told = [line for line in outcome.err.splitlines() if line.startswith("warning: -")]
    assert len(told) == (warning is not None) and all(line.startswith(f"warning: {warning}") for line in told)


def test_the_helps_paragraphs_are_wrapped_by_the_width_alone(omnialpha):
    text = omnialpha("remove", "--help").out
    paragraph = text[text.index("White in a mask") : text.index("Arguments")].split("\n \n")[0].splitlines()
    lines = [line.strip() for line in paragraph if line.strip(" ╭─")]
    width = max(map(len, lines))
    for line, following in pairwise(lines):
        assert len(f"{line} {following.split()[0]}") > width


def test_options_with_a_metavar_are_named():
    """Typer 0.27 takes the metavar for the name of those that are not."""
    for file in (Path(omnialpha_cli.__file__).parent / "cli").rglob("*.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and ast.unparse(call.func) in ("typer.Option", "option"):
                assert call.args or not any(word.arg == "metavar" for word in call.keywords), ast.unparse(call)


def test_version(omnialpha):
    assert omnialpha("--version").out == f"omnialpha {__version__}\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments", [["--help"], ["matte", "--help"], ["generate", "--help"], ["tasks"], ["weights", "list"]]
)
def test_nothing_heavy_is_imported_before_pixels_are_computed(arguments):
    code = (
        "import sys, atexit\n"
        f"atexit.register(lambda: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr))\n"
        "from omnialpha_cli.cli.main import main\n"
        "main()"
    )
    assert run_python(code, *arguments).stderr.splitlines()[-1] == "[]"


def test_importing_the_package_does_not_import_torch():
    assert run_python("import sys, omnialpha_cli; print('torch' in sys.modules)").stdout == "False\n"


@pytest.mark.slow
@pytest.mark.parametrize("hint", ["--mask", "--trimap"])
def test_a_dry_run_does_not_import_torch(tmp_path, picture, tiny_weights, hint):
    photo, mask = str(picture(tmp_path / "a.jpg")), str(picture(tmp_path / "m.png"))
    code = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('torch' in sys.modules, file=sys.stderr))\n"
        "from omnialpha_cli.cli.main import main\n"
        "main()"
    )
    done = run_python(code, "decompose", photo, hint, mask, "--dry-run", "--model", str(tiny_weights))
    assert done.returncode == 0 and done.stderr.splitlines()[-1] == "False"


@pytest.mark.parametrize("command", leaves(), ids=" ".join)
def test_every_command_explains_itself_and_ends_with_two_examples(omnialpha, command):
    outcome = omnialpha(*command, "--help")
    assert outcome.code == 0
    text = outcome.out
    examples = [line for line in text[text.index("Examples:") :].splitlines()[1:] if line.strip()]
    assert len(examples) == 2 and all("omnialpha" in line for line in examples)


@pytest.mark.parametrize("command", ["matte", "remove", "decompose", "generate", "complete"])
def test_options_are_in_their_panels_and_have_variables(omnialpha, command):
    text = omnialpha(command, "--help-all").out
    panels = re.findall(r"╭─ (\w+) ─", text)
    assert panels == ["Arguments", "Options", "Inputs", "Output", "Model", "Run"]
    options = set(re.findall(r"│ +(--[a-z-]+)", text)) - {"--help", "--help-all"}
    assert options
    for option in options:
        assert f"OMNIALPHA_{option[2:].upper().replace('-', '_')}]" in text


@pytest.mark.parametrize("command", ["matte", "remove", "decompose", "generate", "complete"])
def test_the_help_shows_the_dozen_options_that_most_people_use(omnialpha, command):
    shown, everything = (
        set(re.findall(r"│ +(--[a-z-]+)", omnialpha(command, way).out)) for way in ("--help", "--help-all")
    )
    assert shown < everything and 8 <= len(shown - {"--help", "--help-all"}) <= 14
    assert {"--output", "--format", "--model"} <= shown
    assert "OMNIALPHA_" not in omnialpha(command, "--help").out


@pytest.mark.parametrize("command", leaves(), ids=" ".join)
def test_no_choice_is_split_at_80_columns(omnialpha, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    text = omnialpha(*command, "--help").out + omnialpha(*command, "--help-all").out
    assert not re.findall(r"<[^>\n]*\|[^>\n]*$", text, re.MULTILINE)


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["matte", "--nonsense"], ["matte", "x.jpg", "--seed", "x"], ["matte", "x.jpg", "--refine", "best"]],
)
def test_wrong_usage_is_exit_2_on_standard_error(omnialpha, arguments):
    outcome = omnialpha(*arguments)
    assert (outcome.code, outcome.out) == (2, "") and outcome.err and "Value error" not in outcome.err


def test_tasks_lists_all_of_them(omnialpha):
    table = omnialpha("tasks").out
    assert all(name in table for name in TASKS)
    records = [json.loads(line) for line in omnialpha("tasks", "--json").lines]
    assert all(record.keys() == {"schema", "event", *FIELDS["task"]} for record in records)
    assert [record["name"] for record in records] == list(TASKS)
    assert {record["event"] for record in records} == {"task"}
    removal = next(record for record in records if record["name"] == "remove.mask")
    assert (removal["inputs"], removal["outputs"]) == (["scene", "mask"], ["background"])
    assert removal["published"] and removal["hint"] == "mask" and isinstance(removal["trained"], list)


@pytest.mark.slow
class TestInstalled:
    """A copy of the package with tiny embedded weights, as a wheel would install it."""

    @pytest.fixture
    def site(self, tmp_path, tiny_weights) -> Path:
        source = Path(omnialpha_cli.__file__).parent
        weights = source / "weights" / "mini"
        shutil.copytree(source, tmp_path / "omnialpha_cli", ignore=lambda folder, names: {
            name for name in names if name == "__pycache__" or Path(folder) / name == weights})  # fmt: skip
        package = tmp_path / "omnialpha_cli"
        shutil.copytree(tiny_weights, package / "weights" / "mini")
        locked = lock_folder(package / "weights" / "mini", "mini", "Tiny", "Apache-2.0")
        write_lock(package / "weights" / "weights.lock", {"mini": locked})
        return tmp_path

    def run(self, site: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "omnialpha_cli", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=site, check=False)

    def test_the_embedded_weights_are_used_by_default(self, site, picture):
        picture(site / "a.jpg")
        done = self.run(site, "matte", "a.jpg", "-o", "out")
        assert (done.returncode, done.stdout) == (0, "out/a.png\n"), done.stderr

    def test_tampered_weights_are_not_loaded(self, site, picture):
        picture(site / "a.jpg")
        file = site / "omnialpha_cli" / "weights" / "mini" / "vae.safetensors"
        content = file.read_bytes()
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        done = self.run(site, "matte", "a.jpg")
        assert done.returncode == 4 and done.stdout == ""
        assert "vae.safetensors" in done.stderr and "mend it with: python -m pip install" in done.stderr

    def test_doctor_names_what_is_damaged_and_what_mends_it(self, site):
        (site / "omnialpha_cli" / "weights" / "mini" / "vae.safetensors").write_bytes(b"")
        done = self.run(site, "doctor")
        assert done.returncode == 4
        (bad,) = [line for line in done.stdout.splitlines() if line.startswith("BAD")]
        assert "vae.safetensors" in bad and "mend it with: python -m pip install" in bad

    def test_changed_weights_pass_after_they_are_locked_again(self, site):
        assert self.run(site, "weights", "verify").stdout == "mini: 5 files as locked\n"
        (site / "omnialpha_cli" / "weights" / "mini" / "transformer.safetensors").unlink()
        assert self.run(site, "weights", "verify").returncode == 4
        assert self.run(site, "weights", "lock", "mini").returncode == 0
        assert self.run(site, "weights", "verify").stdout == "mini: 4 files as locked\n"
        assert self.run(site, "weights", "path", "mini").stdout.endswith("/weights/mini\n")


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_who_reads_the_output_may_leave(tiny_weights, picture, tmp_path, monkeypatch, options):
    """`omnialpha matte … | head -1`: the rest is made all the same."""
    for i in range(3):
        picture(tmp_path / f"{i}.png", seed=i)
    reader, writer = os.pipe()
    os.close(reader)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["omnialpha", "matte", ".", "-o", "out", "--model", str(tiny_weights), *options])
    with os.fdopen(writer, "w") as left:
        monkeypatch.setattr(sys, "stdout", left)
        with pytest.raises(SystemExit) as exit:
            main()
    assert not exit.value.code
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["0.png", "1.png", "2.png"]
