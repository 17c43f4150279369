"""Run `omnialpha bench`: measure how fast the parts and the whole are on this machine."""

import typer

from . import finish, matte, model, pipeline, steady

app = typer.Typer(no_args_is_help=True, help="Measure speed on this machine.", rich_markup_mode="rich")
app.command(epilog=model.EXAMPLES)(model.model)
app.command(epilog=pipeline.EXAMPLES)(pipeline.pipeline)
app.command(epilog=matte.EXAMPLES)(matte.matte)
app.command(epilog=finish.EXAMPLES)(finish.finish)
app.command(epilog=steady.EXAMPLES)(steady.steady)
