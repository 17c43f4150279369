"""The commands of a group by their names, those of the workshop too, which are imported only when asked for."""

from functools import cache
from typing import Any


@cache  # Typer builds the commands anew each time
def below(command: Any) -> dict[str, Any]:
    if not hasattr(command, "list_commands"):
        return {}
    return {name: command.get_command(None, name) for name in command.list_commands(None)}
