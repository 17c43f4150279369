"""Run `omnialpha bench steady`: measure the flicker of mattes."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...cli.streams import record_line
from ...status import UsageError
from ..table import print_table
from .shared import Device, Json, Model

if TYPE_CHECKING:
    from ..evaluate.moving import Steadiness

EXAMPLES = (
    "Examples:\n\nomnialpha bench steady --first-mask\n\n"
    "omnialpha bench steady --cut-out cat.png --background garden.jpg --frames 48 --json"
)


WAYS = "frame by frame", "--steady", "--steady, a mask of the first frame"


def steady(
    cut_out: Annotated[
        Path | None,
        typer.Option("--cut-out", metavar="FILE", help="An RGBA picture that moves; by default a head of hair."),
    ] = None,
    background: Annotated[
        Path | None,
        typer.Option(
            "--background", metavar="FILE", help="What it moves before, of the same size; by default a texture."
        ),
    ] = None,
    frames: Annotated[int, typer.Option(min=2, help="Length of the shot; 48 are two seconds.")] = 48,
    first_mask: Annotated[
        bool, typer.Option("--first-mask", help="Also with --steady and a mask, the true one, of the first frame.")
    ] = False,
    model: Model = "mini",
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Measure error and flicker of the mattes of a synthetic shot, by `omnialpha matte` with and without --steady."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="omnialpha-bench-") as folder:
        found = _measure(Path(folder), cut_out, background, frames, first_mask, model, device)
    if json:
        for way, figures in found.items():
            said = {"steady": way != WAYS[0], "first_mask": way == WAYS[2], **asdict(figures)}
            typer.echo(record_line("bench.steady", said), nl=False)
        return
    print_table(
        f"{frames} frames with {model}",
        ("", "mean squared error", "flicker"),
        [(way, f"{f.mse:.4f}", f"{f.flicker:.4f}") for way, f in found.items()],
    )


def _measure(
    folder: Path, cut_out: Path | None, background: Path | None, frames: int, first_mask: bool, model: str, device: str
) -> "dict[str, Steadiness]":
    import torch

    from ...imaging.canvas import opaque
    from ...inputs import find_inputs
    from ...media.read import read_image
    from ...media.write import write_png
    from ...plan import plan
    from ...tasks import TASKS
    from ..evaluate.moving import moving_shot, steadiness
    from ..evaluate.scenes import hair_scene
    from .pictures import load_worker, make_all

    scene = hair_scene(360, 480)
    subject, behind = scene.foreground, scene.background
    if cut_out is not None:
        picture = read_image(cut_out)
        if picture.alpha is None:
            raise UsageError(f"--cut-out {cut_out} has no alpha channel")
        subject = torch.cat([torch.from_numpy(picture.rgb).permute(2, 0, 1), torch.from_numpy(picture.alpha)[None]])
    if background is not None:
        behind = torch.from_numpy(read_image(background).rgb).permute(2, 0, 1)
    if subject.shape[1:] != behind.shape[1:]:
        raise UsageError("the cut-out and the background have to be of the same size")

    true = []
    for number, (frame, alpha) in enumerate(moving_shot(subject, behind, frames)):
        write_png(folder / f"shot.{number:04}.png", opaque(frame).permute(1, 2, 0).contiguous().numpy(), "8")
        true.append(alpha)
    mask = folder / "mask.0000.png"
    write_png(mask, true[0].expand(3, -1, -1).permute(1, 2, 0).contiguous().numpy(), "8")
    results = {}
    for way in WAYS if first_mask else WAYS[:2]:
        output, is_steady, has_mask = folder / way, way != WAYS[0], way == WAYS[2]
        sources = find_inputs([str(folder / "shot.####.png")], output=output).sources
        task = TASKS["matte.mask" if has_mask else "matte.auto"]
        hints = {"mask": {sources[0].path: mask}} if has_mask else {}
        items = plan(sources, task, output=output, hints=hints, steady=is_steady)
        make_all(load_worker(model, device, output, len(items), task.name, is_steady), items, output)
        found = [read_image(item.outputs[0]).alpha for item in items]
        results[way] = steadiness([torch.from_numpy(alpha) for alpha in found if alpha is not None], true)
    return results
