"""Run `omnialpha compose`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..files import atomic, real
from ..status import ExitStatus, ItemError, NoInputsError, UsageError
from .options import INPUTS, OUTPUT, option
from .streams import say

if TYPE_CHECKING:
    from ..media.image import Image
    from ..media.samples import Floats

EXAMPLES = {"compose": ("omnialpha compose matte/portrait.png --over beach.jpg",
                        "omnialpha compose decompose/* --check photos && echo nothing is lost")}  # fmt: skip

TOLERANCE = {"8": 1 / 255, "16": 1 / 255, "half": 1e-3, "float": 1e-3}
ROUNDING = 1e-6  # of float32, beside which no tolerance can be kept


def compose(
    results: Annotated[list[Path], typer.Argument(metavar="RESULTS", help="Folders with layers.json, or files.")],
    over: Annotated[Path | None, option(
        "--over", panel=INPUTS, metavar="PLATE", show_default=False,
        help="Plate to put results on, in place of their background: a file, or a folder with one of their name.")
    ] = None,
    check: Annotated[Path | None, option(
        "--check", panel=INPUTS, metavar="SOURCE", show_default=False,
        help="Write nothing, and say by how much the layers miss their source: a file, or a folder with one of their "
             "name. Exit code 1 beyond --tolerance.")] = None,
    tolerance: Annotated[float | None, option(
        "--tolerance", panel=INPUTS, min=0, metavar="X", show_default=False,
        help="What --check allows, white being 1; by default 1/255, or 0.001 in half and float.")] = None,
    output: Annotated[Path, option("--output", "-o", panel=OUTPUT, metavar="DIR", help="Folder of the pictures.")
    ] = Path("compose"),
    overwrite: Annotated[bool, option("--overwrite", panel=OUTPUT, help="Replace pictures that are there.")] = False,
) -> None:  # fmt: skip
    """Put the layers of results, edited or not, together again.

    They are blended where they were solved: in linear light for EXR, as encoded for the other formats.
    """
    if tolerance is not None and check is None:
        raise UsageError("--tolerance is for --check SOURCE, which is missing")
    if not any(result.exists() for result in results):
        raise NoInputsError("none of the results exists")
    names = [_name(result) for result in results]
    if check is None and (twice := next((name for name in names if names.count(name) > 1), None)):
        both = ", ".join(str(result) for result, name in zip(results, names, strict=True) if name == twice)
        raise UsageError(f"{both} would all be {output / twice}; compose them one by one, each with its own -o")
    status = ExitStatus.OK
    for result in results:
        try:
            if check is not None:
                good = _check(result, over, check, tolerance)
            else:
                good = _write(result, over, output, overwrite)
        except ItemError as error:
            say(f"omnialpha: {error}")
            good = False
        if not good:
            status = ExitStatus.FAILED
    raise typer.Exit(status)


def _name(result: Path) -> str:
    """Return the name of a result without a suffix: of a folder all of it."""
    if result.name == "layers.json":
        result = result.parent
    return result.resolve().name if result.is_dir() else result.stem


def _beside(place: Path, result: Path, option: str) -> Path:
    """Return the file that belongs to a result: the place itself, or the one of its name in that folder."""
    if not place.is_dir():
        return place
    found = [file for file in sorted(place.iterdir()) if file.stem == _name(result) and file.is_file()]
    if len(found) != 1:
        count = f"{len(found)} files" if found else "no file"
        raise ItemError("missing", f"{option} {place} has {count} called {_name(result)}, for {result}; name one file")
    return found[0]


def _composed(result: Path, over: Path | None, shown: bool) -> tuple["Floats", "Image", str]:
    """Return one picture of the layers (H, W, 4), their lowest, and the format that it is for.

    It is on its display window where it is `shown` or over a plate.
    """
    from .. import compose as layers_of
    from ..media.image import on_display
    from ..media.read import read_image

    layers, format = layers_of.read_result(result)
    if not layers:
        raise ItemError("unreadable", f"{result} has no layers; make it again")
    plate = None
    if shown or over is not None:
        layers = [on_display(layer) for layer in layers]
    if over is not None:
        plate = layers_of.encoded_like(read_image(_beside(over, result, "--over")), layers[0])
    try:
        rgba = layers_of.compose(layers, plate)
    except ItemError as error:
        raise ItemError(error.code, f"{result}: {error}") from error
    return rgba, layers[0], format


def _check(result: Path, over: Path | None, check: Path, tolerance: float | None) -> bool:
    from ..compose import miss
    from ..media.read import read_image

    rgba, layer, _ = _composed(result, over, shown=True)
    most = miss(rgba, read_image(_beside(check, result, "--check")), layer)
    allowed = TOLERANCE[layer.depth] if tolerance is None else tolerance
    good = most <= allowed + ROUNDING
    typer.echo(f"{result}: misses its source by {most:.6f} ({most * 255:.2f} of 255), "
               f"{'within' if good else 'beyond'} {allowed:.6f}")  # fmt: skip
    return good


def _write(result: Path, over: Path | None, output: Path, overwrite: bool) -> bool:
    import numpy as np

    from ..media.colour import convert
    from ..media.formats import FORMATS
    from ..media.write import target_for, write_picture

    rgba, layer, format = _composed(result, over, shown=False)
    path = output / (_name(result) + FORMATS[format].suffix)
    folder = result if result.is_dir() else result.parent
    if real(path) == real(result) or ((folder / "layers.json").exists() and real(output) == real(folder)):
        raise ItemError("write", f"{path} is the result itself, or among its layers; choose another folder by -o")
    if over is not None and real(path) == real(_beside(over, result, "--over")):
        raise ItemError("write", f"{path} is the plate; choose another folder by -o")
    if path.exists() and not overwrite:
        raise ItemError("write", f"{path} exists; --overwrite replaces it")
    target = target_for(format, layer, None)
    if target.encoding != layer.encoding:
        rgb = convert(rgba[..., :3], layer.encoding, target.encoding)
        rgba = np.concatenate((rgb, rgba[..., 3:]), -1)
    with atomic(path) as temporary:
        write_picture(temporary, rgba, target)
    typer.echo(str(path))
    return True
