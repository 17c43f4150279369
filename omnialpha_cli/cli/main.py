"""Run the console script `omnialpha`: its commands, and what becomes of errors."""

import inspect
import sys
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_group

from .. import __version__
from ..status import ExitStatus, OmniAlphaError
from . import about, compose, pictures, streams, weights
from .config import VALUE_ERROR
from .streams import say

# The workshop's commands by their modules in `lab`: imported when they are asked for, which keeps the start short.
LAB = {"bench": "bench", "train": "train.command", "data": "data.command", "eval": "evaluate.commands"}


class Commands(TyperGroup):
    """List the commands of the product, and of the workshop."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Name all commands."""
        return [*super().list_commands(ctx), *LAB]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command by its name, None if there is none."""
        if cmd_name not in LAB:
            return super().get_command(ctx, cmd_name)
        workshop: typer.Typer = import_module(f"omnialpha_cli.lab.{LAB[cmd_name]}").app
        _wrap_paragraphs(workshop)
        group = get_group(workshop)
        group.name = cmd_name
        return group

    def invoke(self, ctx: Any) -> Any:
        """Run a command; what Typer puts before the message of a wrong choice is left out."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = error.message.removeprefix(VALUE_ERROR)
            raise

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command line; `--trim` may lack its margin, for which Typer has no means."""
        pairs = zip(args, [*args, ""][1:], strict=True)
        return super().parse_args(
            ctx, ["--trim=0" if word == "--trim" and not next.isdecimal() else word for word, next in pairs]
        )


app = typer.Typer(
    cls=Commands,
    name="omnialpha",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Examples:\n\nomnialpha matte photos/*.jpg -o mattes\n\nomnialpha doctor",
)
for module in (pictures, compose, about):
    for command, examples in module.EXAMPLES.items():
        app.command(epilog="\n\n".join(("Examples:", *examples)))(getattr(module, command))
app.add_typer(weights.app, name="weights")


def _wrap_paragraphs(commands: typer.Typer) -> None:
    """Let the help's paragraphs be wrapped by the terminal's width, not where their docstrings' lines end."""
    for command in commands.registered_commands:
        text = inspect.getdoc(command.callback) or ""
        command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    for group in commands.registered_groups:
        if group.typer_instance is not None:
            _wrap_paragraphs(group.typer_instance)


_wrap_paragraphs(app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"omnialpha {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Batch RGBA work on pictures: a folder goes in, straight-alpha layers come out.

    Exit codes: 0 all done, 1 some items failed, 2 usage, 3 no inputs, 4 weights, 5 device or memory, 6 some
    doubtful.
    """


def main() -> None:
    """Run the command line and exit."""
    streams.replace_closed()
    status: int | str | None = 0
    try:
        app()
    except OmniAlphaError as error:
        say(f"omnialpha: {error}")
        status = error.status
    except OSError as error:  # a folder or a stream that is gone, for a command that is not a batch
        streams.drop(sys.stdout)
        say(f"omnialpha: {error.filename or 'standard output'}: {error.strerror or error}")
        status = ExitStatus.FAILED
    except SystemExit as end:
        status = end.code
    sys.exit(status if streams.flush() else status or ExitStatus.FAILED)


if __name__ == "__main__":
    main()
