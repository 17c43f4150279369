"""Run `omnialpha eval preference`."""

from pathlib import Path
from typing import Annotated

import typer

from ....cli.options import INPUTS, OUTPUT, option
from ....cli.streams import counted, record_line, say
from ....cli.written import TRIALS, Written, check_written
from ....status import ExitStatus, ItemError, UsageError
from .options import Names

Folder = Annotated[
    Path | None, typer.Argument(help="A folder of results.", exists=True, file_okay=False, show_default=False)
]


def preference(
    a: Folder = None,
    b: Folder = None,
    sources: Annotated[
        Path | None,
        option("--sources", panel=INPUTS, metavar="DIR", help="The pictures that the results were made from."),
    ] = None,
    names: Names = None,
    limit: Annotated[
        int | None, option("--limit", panel=INPUTS, min=1, metavar="N", help="Only N pictures, drawn by the seed.")
    ] = None,
    seed: Annotated[int, option("--seed", panel=INPUTS, min=0, help="Draws the order and the sides.")] = 0,
    page: Annotated[Path, option("--page", panel=OUTPUT, metavar="FILE.html", help="Where it is written.")] = Path(
        "preference.html"
    ),
    summary: Annotated[
        Path | None, option("--summary", panel=OUTPUT, metavar="FILE.json", help="Add up the choices in this file.")
    ] = None,
    json: Annotated[bool, option("--json", panel=OUTPUT, help="Print the summary as NDJSON.")] = False,
) -> None:
    """Ask people which of two results they prefer, without telling which is which.

    The page shows pictures that both folders have, in random order and on random sides, and saves the choices as a JSON
    file; --summary gives from it the share of B with its 95 % interval.
    """
    if summary is not None and a is None and b is None:
        return _summarise(summary, json)
    if summary is not None or a is None or b is None:
        raise UsageError("give two folders of results, to make a page, or --summary, to add up its choices")
    check_written([Written("--page", page, TRIALS)])
    from ..folders import read_names
    from ..preference import trials, write_trials

    shown, failed = [], False
    for trial in trials(a, b, sources, limit, seed, read_names(names) if names else None):
        if isinstance(trial, ItemError):
            failed = True
            say(f"failed: {trial}")
        else:
            shown.append(trial)
    if shown:
        write_trials(page, shown, str(a), str(b))
        typer.echo(page)
        say(f"{counted(len(shown), 'picture')}; open the page in a browser")
    raise typer.Exit(ExitStatus.FAILED if failed else ExitStatus.OK)


def _summarise(path: Path, json: bool) -> None:
    from dataclasses import asdict

    from ..preference import read_choices

    found = read_choices(path)
    if json:
        typer.echo(record_line("eval.preference", asdict(found)), nl=False)
        return
    count = found.wins_a + found.wins_b + found.ties
    typer.echo(f"A {found.a}: {found.wins_a}; B {found.b}: {found.wins_b}; neither: {found.ties}")
    share = found.share
    typer.echo(f"B preferred in {share.estimate:.1%} of {count} (ties half; 95 % interval {share.low:.1%} … "
               f"{share.high:.1%})")  # fmt: skip
    typer.echo(f"the left was chosen {found.left} times of {found.wins_a + found.wins_b}")
