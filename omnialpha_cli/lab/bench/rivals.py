"""Time other tools that cut objects out of pictures, by their own command lines, beside ours."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from ...cli.streams import say
from ...status import ItemError, UsageError
from .shared import seconds


@dataclass(frozen=True)
class Tool:
    """Describe a tool: `arguments` make pictures of a whole folder; `get` is how it is installed."""

    arguments: tuple[str, ...]
    get: str


TOOLS = {
    "rembg": Tool(("rembg", "p", "{inputs}", "{outputs}"), "pip install 'rembg[cpu,cli]'"),
    "backgroundremover": Tool(
        ("backgroundremover", "-if", "{inputs}", "-of", "{outputs}"), "pip install backgroundremover"
    ),
}


@dataclass(frozen=True)
class Race:
    """Hold the median seconds that both took for all pictures, start and loading included, and the median ratio."""

    tool: str
    ours: float
    theirs: float
    ratio: float


def find_tools(text: str) -> dict[str, str]:
    """Return the programs of names with commas between them, and a word about each that is not installed.

    Raises UsageError for a name that is not known.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in TOOLS]:
        raise UsageError(f"--against {', '.join(unknown)}: known are {', '.join(TOOLS)}")
    programs = {name: shutil.which(TOOLS[name].arguments[0]) for name in names}
    for name, program in programs.items():
        if program is None:
            say(f"{name} is not installed; get it with: {TOOLS[name].get}")
    return {name: program for name, program in programs.items() if program is not None}


def race(name: str, program: str, inputs: Path, folder: Path, model: str, device: str, rounds: int) -> Race:
    """Time the tool and the `omnialpha matte` command in turn, after one round that is not counted.

    Raises ItemError if one does not make all pictures.
    """
    ours, theirs = [], []
    for number in range(rounds + 1):
        outputs = {who: folder / f"{name}-{number}-{who}" for who in ("ours", "theirs")}
        command = [program, *TOOLS[name].arguments[1:]]
        rival = [part.format(inputs=inputs, outputs=outputs["theirs"]) for part in command]
        matte = [sys.executable, "-m", "omnialpha_cli.cli.main", "matte", str(inputs), "-o", str(outputs["ours"]),
                 "--model", model, "--device", device, "-q"]  # fmt: skip
        outputs["theirs"].mkdir()
        ours.append(seconds(partial(_run, "omnialpha", matte, inputs, outputs["ours"])))
        theirs.append(seconds(partial(_run, name, rival, inputs, outputs["theirs"])))
        for made in outputs.values():
            shutil.rmtree(made)
    ratios = [b / a for a, b in zip(ours[1:], theirs[1:], strict=True)]
    return Race(name, median(ours[1:]), median(theirs[1:]), median(ratios))


def _run(name: str, command: Sequence[str], inputs: Path, outputs: Path) -> None:
    """Run one tool. Raises ItemError `worker` unless there is a result for every picture."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace")
    wanted, made = len(list(inputs.iterdir())), len([path for path in outputs.glob("*.*") if path.stat().st_size])
    if done.returncode or made < wanted:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        reason = said[-1].strip() if said else "it said nothing"
        raise ItemError("worker", f"{name} made {made} of {wanted} pictures, exit code {done.returncode}: {reason}")
