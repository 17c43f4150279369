"""Imports point one way: cli, api → batch → picture → model, imaging, media → tasks, status; the model stands alone."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "omnialpha_cli"
ABOVE = {"cli", "api", "batch", "picture", "lab"}  # what the lower layers do not know
MAY_NOT = {
    "model": ABOVE | {"imaging", "media", "tasks", "status", "weights", "plan", "inputs", "hints"},
    "imaging": ABOVE | {"model", "media", "weights"},
    "media": ABOVE | {"model", "weights"},
    "picture": {"cli", "api", "batch", "lab"},
    "batch": {"cli", "api", "lab"},
    "api": {"cli", "lab"},
    "arguments": {"cli", "api", "batch", "lab"},
    "preview": {"cli", "api", "model", "lab"},
    "weights": ABOVE | {"media", "imaging"},
    "compose": ABOVE | {"model", "imaging", "weights"},
    "tasks": ABOVE | {"model", "imaging", "media", "weights"},
    "status": ABOVE | {"model", "imaging", "media", "weights", "tasks"},
}


def imported(file: Path) -> set[str]:
    """The first-level parts of the package that a file imports."""
    place = file.relative_to(PACKAGE).parts
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = place[: len(place) - node.level]
            names = [f"{node.module}"] if node.module else [alias.name for alias in node.names]
            found |= {(*above, *name.split("."))[0] for name in names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("omnialpha_cli."):
            found.add((node.module or "").split(".")[1])
    return found


@pytest.mark.parametrize("part", MAY_NOT)
def test_imports_point_one_way(part):
    files = [PACKAGE / f"{part}.py"] if (PACKAGE / f"{part}.py").exists() else sorted((PACKAGE / part).rglob("*.py"))
    assert files
    wrong = {str(file.relative_to(PACKAGE)): imported(file) & MAY_NOT[part] for file in files}
    assert not {name: parts for name, parts in wrong.items() if parts}


def test_tests_import_references_where_they_use_them():
    """Each takes seconds, which every worker would spend before its first test."""
    first = re.compile(r"^(?:import|from) (?:diffusers|transformers|peft|torchao|accelerate|pymatting)\b", re.MULTILINE)
    tests = Path(__file__).parent
    files = [file for file in tests.rglob("*.py") if file.parent != tests / "data"]  # scripts are there
    assert files and not [str(file) for file in files if first.search(file.read_text(encoding="utf-8"))]
