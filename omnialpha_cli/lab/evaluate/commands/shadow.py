"""Run `omnialpha eval shadow`."""

from itertools import islice
from pathlib import Path
from typing import Annotated

import typer

from ....cli.options import INPUTS, MODEL, OUTPUT, option
from ....cli.streams import record_line, say
from ....status import ExitStatus, UsageError
from .options import HintKind


def shadow(
    photos: Annotated[list[Path], typer.Argument(metavar="PHOTOS", help="As of `eval matting`.", exists=True)],
    hint: HintKind = "mask",
    limit: Annotated[
        int | None, option("--limit", panel=INPUTS, min=1, metavar="N", help="Only the first N composites.")
    ] = None,
    model: Annotated[str, option("--model", panel=MODEL, metavar="NAME|DIR", help="As of `omnialpha matte`.")] = "mini",
    json: Annotated[bool, option("--json", panel=OUTPUT, help="Print a record as NDJSON.")] = False,
) -> None:
    """Judge the layer of a shadow that `decompose --effects` makes, on composites of which every second has a shadow.

    Sums over all composites, beside the objects: how much of what the shadows darken the layers darken too, and how
    much they darken where no shadow is.
    """
    from ....api import OmniAlpha
    from ...train.packs import read_held_out
    from ..shadow import shadows

    judged = []
    for one in islice(shadows(OmniAlpha.load(model), read_held_out(photos, "photo"), hint), limit):
        judged.append(one)
        say(f"{len(judged)} {one.name}: {one.within:.4f} of {one.wanted:.4f}, {one.elsewhere:.4f} elsewhere")
    cast = [one for one in judged if one.wanted]
    if not cast:
        raise UsageError("none of the composites has a shadow; give more pictures")
    wanted = sum(one.wanted for one in cast)
    others = [one.elsewhere for one in judged if not one.wanted]
    told = {
        "model": model,
        "hint": hint,
        "count": len(cast),
        "within": sum(one.within for one in cast) / wanted,
        "elsewhere": sum(one.elsewhere for one in cast) / wanted,
        "without": sum(others) / max(1, len(others)),
    }
    if json:
        typer.echo(record_line("eval.shadow", told), nl=False)
    else:
        typer.echo(f"{len(cast)} shadows: {told['within']:.1%} of their darkening is in the layers, and "
                   f"{told['elsewhere']:.1%} as much elsewhere; {told['without']:.4f} without one")  # fmt: skip
    raise typer.Exit(ExitStatus.OK)
