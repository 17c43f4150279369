"""Check what README and docs say: commands, options, exit codes, links, fields and Python."""

import ast
import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import typer.main
from commands import below
from documented import FIELDS, TEXT

from omnialpha_cli import OmniAlpha
from omnialpha_cli.cli.main import app
from omnialpha_cli.cli.streams import SCHEMA
from omnialpha_cli.lab.data.layouts import LAYOUTS
from omnialpha_cli.lab.data.shards import FIELDS as DATA_FIELDS
from omnialpha_cli.lab.data.shards import FILES
from omnialpha_cli.model.memory import Needs, plan
from omnialpha_cli.status import ExitStatus
from omnialpha_cli.tasks import TASKS
from omnialpha_cli.weights import store

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
README = PAGES[0].read_text(encoding="utf-8")
DATA = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")

OMNIALPHA = typer.main.get_command(app)

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """The arguments of every `omnialpha …` in the shell blocks."""
    lines = [
        line
        for block in blocks("sh", page.read_text(encoding="utf-8"))
        for line in block.replace("\\\n", " ").splitlines()
    ]
    parts = [part for line in lines for part in re.split(r"&&|\||>", line.split(" # ")[0])]
    words = [shlex.split(part.rpartition("--no-python -- ")[2]) for part in parts]
    return [word[1:] for word in words if word and word[0] == "omnialpha"]


@cache
def options(command) -> set[str]:
    """Every option of a command and of those below it."""
    own = {"--help"}.union(*(parameter.opts + parameter.secondary_opts for parameter in command.params))
    return own.union(*map(options, below(command).values()))


def test_the_two_commands_are_there_as_promised():
    assert "python -m pip install . && omnialpha matte tests/data/*.jpg -o mattes\n" in blocks("sh")
    assert 'python -m pip install ".[test]" && python -m pytest\n' in blocks("sh")


@each_page
def test_commands_and_their_options_exist(page):
    for arguments in commands(page):
        command = OMNIALPHA
        words = iter(arguments)
        while commands_below := below(command):
            command = commands_below[next(words)]
        known = options(command)
        for word in words:
            if re.fullmatch(r"--?[a-z0-9-]*[a-z0-9]", word):
                assert word in known, f"{word} of {shlex.join(arguments)}"


@each_page
def test_options_in_the_text_exist(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert set(re.findall(r"`(--[a-z-]+)", text)) <= options(OMNIALPHA)


@pytest.mark.parametrize("page", ["README.md", "docs/batch.md"])
def test_exit_codes_are_all_explained(page):
    rows = re.findall(r"^\| ([\d, ]+) \|", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE)
    assert {int(code) for row in rows for code in row.split(",")} == set(ExitStatus)


def test_the_schema_of_records_is_documented():
    assert SCHEMA in TEXT and all(FIELDS.values())


def test_the_schema_of_training_data_is_documented():
    def table(title: str) -> dict[str, str]:
        (rows,) = re.findall(rf"^### {title}\n(.*?)(?=^##|\Z)", DATA, re.MULTILINE | re.DOTALL)
        return dict(re.findall(r"^\| `(.+?)` \| (.+) \|$", rows, re.MULTILINE))

    assert table("Files") == FILES
    assert table("Records") == {name: meaning for name, (_, meaning) in DATA_FIELDS.items()}
    layouts = re.findall(r"^\| ([\w -]+) \| `--(\w+)s` \|", DATA, re.MULTILINE)
    assert set(layouts) == {(layout.name, layout.kind) for layout in LAYOUTS}


def test_the_prompts_of_the_published_weights_are_documented_word_for_word():
    text = (ROOT / "docs" / "published.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([\w.]+)` \| (.+) → (.+) \| (.+) \|$", text, re.MULTILINE)
    assert rows == [
        (task.name, ", ".join(task.inputs) or "none", ", ".join(task.outputs), task.prompt)
        for task in TASKS.values()
        if task.published
    ]


def test_what_fits_where_is_what_is_chosen():
    text = (ROOT / "docs" / "published.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) GB \| (\w+) \| (\w+) \| (\w+) \|$", text, re.MULTILINE)
    assert len(rows) == 5
    for free, *modes in rows:
        for transformer, mode in zip((40.9, 20.4, 10.9), modes, strict=True):
            needs = Needs(*(round(gigabytes * 1e9) for gigabytes in (transformer, 16.6, 0.3)))
            assert plan("auto", needs, int(free) * 10**9).mode == mode


@each_page
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
        assert link.startswith("https://") or (page.parent / link).exists(), link


def test_every_page_is_linked_from_the_readme():
    links = {(ROOT / link).resolve() for link in re.findall(r"\]\(([^)#]+)\)", README)}
    assert {page for page in PAGES[1:] if page not in links} == set()


def test_python_blocks_are_python():
    for block in blocks("python"):
        ast.parse(block)


@pytest.mark.slow
@pytest.mark.skipif(not any(one.name == store.EMBEDDED for one in store.known()), reason="no embedded weights")
def test_python_blocks_run(monkeypatch):
    monkeypatch.chdir(ROOT)
    for block in blocks("python"):
        names: dict[str, object] = {}
        exec(block, names)
        assert isinstance(names["model"], OmniAlpha)
        assert names["rgba"].shape[2] == 4 and names["rgba"].dtype == "uint8"
