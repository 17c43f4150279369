"""`omnialpha eval`: how good results are, where the truth is known."""

import typer

from . import held_out

app = typer.Typer(no_args_is_help=True, help="Measure results against what is known.")
app.command(
    epilog="Examples:\n\n"
    "omnialpha eval matting photo-mattes.tar --worst worst.png\n\n"
    "omnialpha eval matting photo-mattes.tar --hint trimap --model runs/mini/weights"
)(held_out.matting)
app.command(
    epilog="Examples:\n\n"
    "omnialpha eval removal photo-mattes.tar\n\n"
    "omnialpha eval removal photo-mattes.tar --hint rough-mask --limit 20 --json > removal.ndjson"
)(held_out.removal)
app.command(
    epilog="Examples:\n\n"
    "omnialpha eval decomposition photo-mattes.tar\n\n"
    "omnialpha eval decomposition photo-mattes.tar --hint mask --worst worst.png"
)(held_out.decomposition)
app.command(
    epilog="Examples:\n\n"
    "omnialpha eval referring photo-mattes.tar cutouts.tar\n\n"
    "omnialpha eval referring photo-mattes.tar cutouts.tar --limit 20"
)(held_out.referring)
