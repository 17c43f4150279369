"""The steps of docs/ci.md do what the page says: each is run, with stand-ins for what starts containers and jobs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
STANDS_IN = {
    "omnialpha": f'exec "{sys.executable}" -m omnialpha_cli "$@"',
    "docker": '[ "$1" = build ] && exit; while [ "$1" != omnialpha ]; do shift; done; exec "$@"',
    "sbatch": """
first=$(grep -oP -- '--array=\\K\\d+' "$1"); last=$(grep -oP -- '--array=\\d+-\\K\\d+' "$1")
export SLURM_ARRAY_TASK_MIN=$first SLURM_ARRAY_TASK_MAX=$last SLURM_ARRAY_TASK_STEP=1
for id in $(seq $first $last); do SLURM_ARRAY_TASK_ID=$id bash "$1"; done""",
}

pytestmark = pytest.mark.slow


def blocks(language: str, title: str) -> list[str]:
    (section,) = re.findall(rf"^## {title}.*?\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


@pytest.fixture
def shell(tmp_path, tiny_weights, picture):
    """Runs steps as GitHub's shell does, in a folder with photos; gives their standard error."""
    for name in ("a.png", "deep/b.png", "deep/c.png"):
        picture(tmp_path / "photos" / name, seed=len(name))
    for name, script in STANDS_IN.items():
        file = tmp_path / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"#!/bin/bash\n{script}\n")
        file.chmod(0o755)
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    more = {"PATH": path, "PYTHONPATH": str(ROOT), "OMNIALPHA_MODEL": str(tiny_weights), "OMNIALPHA_DEVICE": "cpu"}

    def run(steps: str) -> str:
        done = subprocess.run(
            ["bash", "-eo", "pipefail", "-c", steps], cwd=tmp_path, env={**os.environ, **more},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stderr

    return run


def made(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))


RESULTS = ["a.png", "deep/b.png", "deep/c.png"]


def test_github_goes_on_from_its_cache(shell, tmp_path):
    (workflow,) = blocks("yaml", "GitHub")
    (job,) = yaml.safe_load(workflow)["jobs"].values()
    steps = "\n".join(step["run"] for step in job["steps"] if "run" in step and "pip install" not in step["run"])
    assert "3 done" in shell(steps) and made(tmp_path / "mattes") == RESULTS
    os.utime(tmp_path / "photos" / "a.png")  # as a new checkout does
    assert "0 done, 3 skipped" in shell(steps)
    caches = [step["with"]["path"] for step in job["steps"] if "cache/" in step.get("uses", "")]
    assert caches == ["mattes", "mattes"]


def test_docker_runs_a_command_that_there_is(shell, tmp_path):
    (steps,) = blocks("sh", "Docker")
    shell(steps)
    assert made(tmp_path / "mattes") == RESULTS


def test_slurms_tasks_make_a_share_each(shell, tmp_path):
    (steps,) = blocks("sh", "Slurm")
    shell(steps)
    assert made(tmp_path / "mattes") == RESULTS
    reports = [(tmp_path / f"report.{i}.ndjson").read_text().count('"status": "done"') for i in (0, 1)]
    assert sum(reports) == 3


def test_all_ways_of_xargs_make_the_same_once(shell, tmp_path):
    (steps,) = blocks("sh", "xargs")
    told = shell(steps)
    assert made(tmp_path / "mattes") == RESULTS and told.count("3 done") == 1 and told.count("1 skipped") >= 3
