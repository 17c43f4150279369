"""Run `omnialpha tasks`."""

from typing import Annotated

import typer

from .options import OUTPUT, option

EXAMPLES = """Examples:

omnialpha tasks

omnialpha tasks --json | grep decompose"""


def tasks(json: Annotated[bool, option("--json", panel=OUTPUT, help="Print one JSON object a task.")] = False) -> None:
    """List the tasks: what goes in, what comes out, and which weights do it: trained on it, or in two passes."""
    import dataclasses

    from ..tasks import TASKS, Task, passes
    from ..weights import store
    from . import ndjson

    weights = [one for one in store.known() if one.present]

    def able(task: Task, count: int) -> list[str]:
        return [one.name for one in weights if len(passes(task, one.tasks)) == count]

    rows = [(task, able(task, 1), able(task, 2)) for task in TASKS.values()]
    if json:
        for task, trained, in_two in rows:
            about = {**dataclasses.asdict(task), "trained": trained, "two_passes": in_two}
            typer.echo(ndjson.line("task", about), nl=False)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("task", "in", "out", "done by", box=None, pad_edge=False)
    table.columns[0].no_wrap = True  # the names are what one copies
    for task, trained, in_two in rows:
        inputs = [*task.inputs, *["text"] * task.needs_text, *["any images"] * (task.command == "run")]
        known = [*trained, *["published"] * task.published, *(f"{name} in two passes" for name in in_two)]
        table.add_row(task.name, ", ".join(inputs), ", ".join(task.outputs), ", ".join(known) or "–")
    Console().print(table)
