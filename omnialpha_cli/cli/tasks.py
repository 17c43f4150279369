"""`omnialpha tasks`."""

from typing import Annotated

import typer

from .options import OUTPUT, option

EXAMPLES = """Examples:

omnialpha tasks

omnialpha tasks --json | grep decompose"""


def tasks(
    json: Annotated[bool, option("--json", panel=OUTPUT, help="Print one JSON object a task.")] = False,
) -> None:
    """List the tasks: what goes in, what comes out, and which weights were trained on it."""
    import dataclasses

    from ..tasks import TASKS
    from ..weights import store
    from . import ndjson

    weights = [one for one in store.known() if one.present]
    rows = [(task, [one.name for one in weights if task.name in one.tasks]) for task in TASKS.values()]
    if json:
        for task, trained in rows:
            typer.echo(ndjson.line("task", {**dataclasses.asdict(task), "trained": trained}), nl=False)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("task", "in", "out", "trained on it", box=None, pad_edge=False)
    table.columns[0].no_wrap = True  # the names are what one copies
    for task, trained in rows:
        inputs = [*task.inputs, *["text"] * task.needs_text]
        known = [*trained, *["published"] * task.published]
        table.add_row(task.name, ", ".join(inputs), ", ".join(task.outputs), ", ".join(known) or "–")
    Console().print(table)
