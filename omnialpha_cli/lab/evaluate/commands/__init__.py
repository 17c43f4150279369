"""Run `omnialpha eval`: measure how good results are, where the truth is known."""

import typer

from . import compare, confidence, preference, shadow
from . import measure as commands

app = typer.Typer(no_args_is_help=True, help="Measure results against what is known.")
app.command(
    epilog="Examples:\n\n"
    "omnialpha eval matting photo-mattes.tar --hint trimap --worst worst.png\n\n"
    "omnialpha eval matting --predictions mattes --truth AIM-500/mask --trimaps AIM-500/trimap --report report.html"
)(commands.matting)
app.command(
    epilog="Examples:\n\n"
    "omnialpha eval removal photo-mattes.tar --hint rough-mask --limit 20 --json > removal.ndjson\n\n"
    "omnialpha eval removal --predictions plates --truth true-plates --sources scenes --trimaps masks"
)(commands.removal)
app.command(
    epilog="Examples:\n\n"
    "omnialpha eval decomposition photo-mattes.tar --hint mask --worst worst.png\n\n"
    "omnialpha eval decomposition --predictions decompose --truth layers --report report.html"
)(commands.decomposition)
app.command(
    epilog="Examples:\n\n"
    "omnialpha eval generation cutouts.tar --model omnialpha --limit 500\n\n"
    "omnialpha eval generation --predictions generate --prompts prompts.txt --truth cut-outs --require fid"
)(commands.generation)
app.command(
    epilog="Examples:\n\n"
    "omnialpha eval vae --truth cut-outs --model omnialpha --report report.html\n\n"
    "omnialpha eval vae --truth cut-outs --predictions reconstructed"
)(commands.vae)
app.command(
    epilog="Examples:\n\n"
    "omnialpha eval referring photo-mattes.tar cutouts.tar\n\n"
    "omnialpha eval referring photo-mattes.tar cutouts.tar --limit 20"
)(commands.referring)
app.command(
    epilog="Examples:\n\n"
    "omnialpha eval confidence photo-masks-1.tar photo-masks-2.tar --figure reliability.png\n\n"
    "omnialpha eval confidence photo-masks-1.tar photo-masks-2.tar --rows rows.json --write"
)(confidence.confidence)
app.command(
    epilog="Examples:\n\n"
    "omnialpha eval shadow photo-mattes.tar --limit 40\n\n"
    "omnialpha eval shadow photo-mattes.tar --hint none --json"
)(shadow.shadow)
app.command(
    epilog="Examples:\n\n"
    "omnialpha eval compare mattes-before mattes-after --truth AIM-500/mask --report report.html\n\n"
    "omnialpha eval compare mini runs/mini/weights --photos photo-mattes.tar --task removal --hint mask"
)(compare.compare)
app.command(
    epilog="Examples:\n\n"
    "omnialpha eval preference mattes-before mattes-after --sources photos --page preference.html\n\n"
    "omnialpha eval preference --summary choices.json"
)(preference.preference)
