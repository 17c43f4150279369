"""Run `omnialpha bench`: measure how fast the parts and the whole are on this machine."""

import signal
import sys
from typing import Any

import typer

from ...status import ExitStatus
from . import finish, matte, model, pipeline, steady

app = typer.Typer(no_args_is_help=True, help="Measure speed on this machine.", rich_markup_mode="rich")
app.command(epilog=model.EXAMPLES)(model.model)
app.command(epilog=pipeline.EXAMPLES)(pipeline.pipeline)
app.command(epilog=matte.EXAMPLES)(matte.matte)
app.command(epilog=finish.EXAMPLES)(finish.finish)
app.command(epilog=steady.EXAMPLES)(steady.steady)


@app.callback()
def _end_in_order() -> None:
    """Measure speed on this machine."""

    def end(*_: Any) -> None:
        sys.exit(ExitStatus.TERMINATED)  # temporary folders are removed on the way out

    signal.signal(signal.SIGTERM, end)
