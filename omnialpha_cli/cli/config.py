"""Read options from a file, `omnialpha.toml` or that of `--config`, and check the names of environment variables.

    device = "cuda"        # for all commands that make pictures
    batch-size = 4

    [matte]                # for one
    refine = "laplacian"

The command line wins over the environment, and that over the file.
"""

import difflib
import os
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import typer
from typer.core import TyperGroup, TyperOption

from ..status import UsageError
from .streams import say

DEFAULT = Path("omnialpha.toml")
PREFIX = "OMNIALPHA_"
OTHER_VARIABLES = {"OMNIALPHA_HOME"}  # of no option
VALUE_ERROR = "Value error, "  # begins messages of Pydantic's, which Typer asks
NOT_IN_FILES = {"config", "help", "help_all"}


def read_config(context: typer.Context, path: Path | None) -> Path | None:
    """Take the defaults of a command's options from a file, and tell misspelt variables. Raises UsageError."""
    _check_variables(context)
    if path is None and not DEFAULT.is_file():
        return None
    path = path or DEFAULT
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror}") from error
    except ValueError as error:  # neither UTF-8 nor TOML
        raise UsageError(f"{path} is not TOML: {error}") from error
    sections = {name: value for name, value in content.items() if isinstance(value, dict)}
    shared = {name: value for name, value in content.items() if name not in sections}
    options = {name: _options(command) for name, command in _commands(context).items()}
    every = {name for known in options.values() for name in known}
    for name in sections:
        _check_name(name, options, f"{path}: there is no section [{name}]")
    for name in shared:
        _check_name(name, every, f"{path}: there is no option {name}")
    for section, values in sections.items():
        for name in values:
            _check_name(name, options[section], f"{path}: [{section}] has no option {name}")
    own = options[str(context.info_name)]
    given = {name: value for name, value in shared.items() if _key(name) in own}
    given |= sections.get(str(context.info_name), {})
    context.default_map = {**(context.default_map or {}), **_defaults(context, own, given, path)}
    return path


def _defaults(
    context: typer.Context, options: dict[str, TyperOption], given: dict[str, Any], path: Path
) -> dict[str, Any]:
    """Return values by the parameters' names, each checked as if it were typed. Raises UsageError."""
    defaults = {}
    for name, value in given.items():
        option = options[_key(name)]
        values = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str | int | float) for one in values) or (values is value and not option.multiple):
            raise UsageError(f"{path}: {name}: give text, a number, true or false")
        words = [one if isinstance(one, bool) else str(one) for one in values]
        default = words if option.multiple else words[0]
        try:
            option.process_value(context, default)
        except typer.BadParameter as error:
            raise UsageError(f"{path}: {name}: {error.message.removeprefix(VALUE_ERROR)}") from error
        defaults[str(option.name)] = default
    return defaults


def _check_variables(context: typer.Context) -> None:
    """Warn of variables that begin as this tool's do, and that it does not read."""
    given = {name for name in os.environ if name.startswith(PREFIX)} - OTHER_VARIABLES
    if not given:
        return
    known = OTHER_VARIABLES.union(*map(_variables, _commands(context).values()))
    if given - known:
        known |= set(_variables(context.find_root().command))  # the workshop's too, which take a while to import
    for name in sorted(given - known):
        say(f"warning: the environment variable {name} is not read{_near(name, known)}")


def _variables(command: Any) -> Iterator[str]:
    """Give the variables of a command's options, and of those below it."""
    for parameter in command.params:
        if isinstance(parameter.envvar, str):
            yield parameter.envvar
    if isinstance(command, TyperGroup):
        context = typer.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _variables(below)


def _commands(context: typer.Context) -> dict[str, Any]:
    """Return the commands that take a file of options, by their names."""
    root: Any = context.find_root().command
    return {name: one for name, one in root.commands.items() if any(option.name == "config" for option in one.params)}


def _options(command: Any) -> dict[str, TyperOption]:
    """Return the options that a file may give, by their long names without dashes before them."""
    options = [one for one in command.params if isinstance(one, TyperOption) and one.name not in NOT_IN_FILES]
    return {_key(next(name for name in one.opts if name.startswith("--"))): one for one in options}


def _key(name: str) -> str:
    return name.lstrip("-").replace("_", "-")


def _check_name(name: str, known: Collection[str], problem: str) -> None:
    if _key(name) not in known:
        raise UsageError(problem + _near(_key(name), known))


def _near(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, 1)
    return f"; did you mean {near[0]}?" if near else ""
