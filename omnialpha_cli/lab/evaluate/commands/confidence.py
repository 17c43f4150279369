"""Run `omnialpha eval confidence`."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ....cli.options import INPUTS, MODEL, OUTPUT, option
from ....cli.streams import record_line, say
from ....status import ExitStatus


def confidence(
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTOS", help="Photographs with masks, as of `eval matting`.", exists=True)
    ],
    model: Annotated[str, option("--model", panel=MODEL, metavar="NAME|DIR", help="As of `omnialpha matte`.")] = "mini",
    rows: Annotated[
        Path | None,
        option(
            "--rows", panel=INPUTS, metavar="FILE.json", show_default=False,
            help="Keep what is measured here, and take it from here where it is of the same segmenter.",
        ),
    ] = None,
    figure: Annotated[
        Path | None,
        option("--figure", panel=OUTPUT, metavar="FILE.png", show_default=False, help="Draw the reliability diagram."),
    ] = None,
    write: Annotated[
        bool, option("--write", panel=OUTPUT, help="Put what is fitted into the weights' config.json.")
    ] = False,
    json_: Annotated[bool, option("--json", panel=OUTPUT, help="Print a record as NDJSON.")] = False,
) -> None:  # fmt: skip
    """Calibrate the confidence of automatic mattes: the chance that the IoU with a mask that a person drew reaches .9.

    It is judged on held-out pictures that it was not fitted on. After --write, locked weights need `weights lock`.
    """
    import numpy as np
    import torch

    from ....api import OmniAlpha
    from ....files import sha256
    from ....media.write import write_png
    from ....weights import store
    from ...train.packs import read_held_out
    from ..confidence import calibrate, diagram, keep_rows, measure, read_rows
    from ..judge import KEPT

    folder = store.find(model).folder
    identity = sha256(folder / "segmenter.safetensors")
    measured = read_rows(rows, identity) if rows is not None else None
    if measured is None:
        measured = []
        for row in measure(OmniAlpha.load(model), read_held_out(photos, "photo")):
            measured.append(row)
            say(f"{len(measured)} {row.name}: {row.iou:.3f}")
        if rows is not None:
            keep_rows(rows, identity, measured)
    found = calibrate(measured)
    kept = torch.tensor([row.iou >= KEPT for row in measured]).float()
    if figure is not None:
        picture = np.pad(diagram(found.chances, kept) / np.float32(255), ((0, 0), (0, 0), (0, 1)), constant_values=1)
        write_png(figure, picture.astype(np.float32), software="omnialpha eval confidence")
    block = asdict(found.fitted)
    if write:
        path = folder / "config.json"
        config = json.loads(path.read_text(encoding="utf-8")) | {"confidence": block}
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    told = {"model": model, "count": len(measured), **block, "kept": float(kept.mean()), "ece": found.ece,
            "floor": found.floor, "worst_tenth": found.worst_tenth}  # fmt: skip
    if json_:
        typer.echo(record_line("eval.confidence", told), nl=False)
    else:
        typer.echo(f"{len(measured)} pictures, {kept.mean():.1%} kept; {block}")
        typer.echo(f"expected calibration error {found.ece:.4f}, of exact chances {found.floor:.4f}")
        typer.echo(f"{found.worst_tenth:.1%} of the least confident tenth have an IoU below .8")
    raise typer.Exit(ExitStatus.OK)
