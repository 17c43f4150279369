"""Run `omnialpha bench matte`: time the whole command, and other tools beside it."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from ...cli.streams import counted, record_line, say
from ...status import ExitStatus, ItemError
from ..table import print_table
from .pictures import Count, Files, Size, write_pictures
from .rivals import TOOLS, Race, find_tools, race
from .shared import Device, Json, Model, Rounds, parse_size, seconds

EXAMPLES = (
    "Examples:\n\nomnialpha bench matte photos/*.jpg --count 16 --size 3840x2160 --json\n\n"
    "omnialpha bench matte photos/*.jpg --against rembg,backgroundremover"
)


def matte(
    files: Files = None,
    count: Count = 8,
    size: Size = "1920x1080",
    model: Model = "mini",
    rounds: Rounds = 3,
    device: Device = "auto",
    against: Annotated[
        str,
        typer.Option(
            "--against", metavar="TOOLS", help=f"Other tools to time too, of {', '.join(TOOLS)}; commas between them."
        ),
    ] = "",
    json: Json = False,
) -> None:
    """Time the batch command beside a plain loop over `OmniAlpha.matte` that saves with Pillow, in turn.

    Both have the weights loaded, and may use all cores. With --against also other tools that are installed: their
    command line and this one's on the same folder, in turn, each from its start.
    """
    from shutil import rmtree
    from statistics import median
    from tempfile import TemporaryDirectory

    from ...api import OmniAlpha
    from .pictures import load_worker

    width, height = parse_size(size)
    tools = find_tools(against)  # before anything is timed, which takes a while
    batch, loop = [], []
    races: list[Race] = []
    failed = False
    with TemporaryDirectory(prefix="omnialpha-bench-") as name:
        folder = Path(name)
        (folder / "pictures").mkdir()
        say(f"writing {counted(count, 'picture')}, loading weights {model}")
        pictures = write_pictures(files or [], count, height, width, folder / "pictures")
        worker, single = load_worker(model, device, folder / "batch", count), OmniAlpha.load(model, device)
        for number in range(rounds + 1):
            outputs = folder / f"{number}"
            fast = seconds(partial(_batch, worker, pictures, outputs))
            slow = seconds(partial(_loop, single, pictures, outputs))
            rmtree(outputs)
            what = f"round {number} of {rounds}" if number else "warmed up"
            say(f"{what}: the batch command {fast:.2f} s, a loop {slow:.2f} s")
            if number:  # the first one warms up
                batch.append(fast)
                loop.append(slow)
        for tool, program in tools.items():
            say(f"{tool} and omnialpha, {rounds + 1} rounds")
            try:
                races.append(race(tool, program, folder / "pictures", folder, model, device, rounds))
            except ItemError as error:
                failed = True
                say(f"failed: {error}")
    ratio = median(slow / fast for fast, slow in zip(batch, loop, strict=True))
    record = {"count": count, "width": width, "height": height, "batch": median(batch), "loop": median(loop),
              "ratio": ratio}  # fmt: skip
    _report(record, races, str(worker), rounds, json)
    raise typer.Exit(ExitStatus.FAILED if failed else ExitStatus.OK)


def _report(record: dict[str, Any], races: list[Race], worker: str, rounds: int, json: bool) -> None:
    count, width, height = (record[name] for name in ("count", "width", "height"))
    if json:
        typer.echo(record_line("bench.matte", record), nl=False)
        for one in races:
            typer.echo(record_line("bench.matte.against", {"count": count, **asdict(one)}), nl=False)
        return
    print_table(
        f"{counted(count, 'picture')} {width}×{height} on {worker}; medians of {rounds}",
        ("", "seconds an image"),
        [("the batch command", f"{record['batch'] / count:.3f}"), ("a loop over them", f"{record['loop'] / count:.3f}"),
         ("times as fast", f"{record['ratio']:.2f}")],
    )  # fmt: skip
    if races:
        print_table(
            f"the same {count} pictures by the tools' own commands, from their start",
            ("", "seconds", "omnialpha", "times as fast"),
            [(one.tool, f"{one.theirs:.2f}", f"{one.ours:.2f}", f"{one.ratio:.2f}") for one in races],
        )


def _batch(worker: Any, pictures: list[Path], outputs: Path) -> None:
    from ...item import Item
    from ...tasks import TASKS
    from .pictures import make_all

    items = [Item(TASKS["matte.auto"], (path,), (outputs / "batch" / f"{path.stem}.png",)) for path in pictures]
    make_all(worker, items, outputs / "batch")


def _loop(model: Any, pictures: list[Path], outputs: Path) -> None:
    from PIL import Image

    from ...batch.job import count_cores, use_torch_threads

    use_torch_threads(count_cores())
    (outputs / "loop").mkdir(parents=True)
    for path in pictures:
        Image.fromarray(model.matte(path)).save(outputs / "loop" / f"{path.stem}.png")
