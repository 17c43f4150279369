"""Run `omnialpha data`: build triplets to train on, check them, and look at them."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ...cli.options import INPUTS, OUTPUT, RUN, option, takes_options
from ...cli.streams import counted, interrupts, printable, say
from ...cli.written import TRIPLETS, Written, check_written
from ...status import ExitStatus, UsageError

if TYPE_CHECKING:
    from .layouts import Found
    from .sources import Kind

app = typer.Typer(no_args_is_help=True, help="Build, check and show training data: foreground, background and scene.")

ShardsPath = Annotated[
    Path, typer.Argument(metavar="SHARDS", help="A folder that `data build` made, or a shard.", exists=True)
]


def _places(name: str, help: str) -> Any:
    text = f"{help}: folders or tars. May be given several times."
    return option(name, panel=INPUTS, metavar="PLACE", help=text, exists=True, show_default=False)


# fmt: off
@dataclass(frozen=True)
class SourceOptions:
    """Choose what is built from."""

    photos: Annotated[list[Path] | None, _places("--photos", "Photographs with mattes")] = None
    cutouts: Annotated[list[Path] | None, _places("--cutouts", "Cut-outs, pictures with alpha")] = None
    backgrounds: Annotated[list[Path] | None, _places(
        "--backgrounds", "Pictures without an object that could be meant")] = None
    pairs: Annotated[list[Path] | None, _places(
        "--pairs", "Scenes with an object and without, and the object's mask")] = None
    split: Annotated[Literal["train", "val"], option(
        "--split", panel=INPUTS, help="Which part of the sources; benchmarks are val.")] = "train"


@dataclass(frozen=True)
class BuildOptions:
    """Choose what is built, and how."""

    output: Annotated[Path, option(
        "--output", "-o", panel=OUTPUT, metavar="DIR", help="Folder for the shards.")] = Path("triplets")
    # Variables of their own: count and size of other commands mean something else.
    count: Annotated[int, typer.Option(
        "--count", rich_help_panel=OUTPUT, min=0, envvar="OMNIALPHA_DATA_COUNT",
        help="Composed triplets; photographs and pairs come on top.")] = 1000
    size: Annotated[int, typer.Option(
        "--size", rich_help_panel=OUTPUT, min=64, metavar="PIXELS", envvar="OMNIALPHA_DATA_SIZE",
        help="Longer side of the pictures.")] = 512
    made: Annotated[float, option(
        "--made", panel=OUTPUT, min=0.0, max=1.0, metavar="SHARE",
        help="Share of composed triplets whose object is glass, smoke, fire or light.")] = 0.25
    seed: Annotated[int, option(
        "--seed", panel=OUTPUT, min=0, help="The same seed and sources make the same bytes.")] = 0
    shard_size: Annotated[int, option("--shard-size", panel=OUTPUT, min=1, help="Triplets in a tar.")] = 500
    overwrite: Annotated[bool, option(
        "--overwrite", panel=OUTPUT, help="Replace a data set that was made otherwise.")] = False
    shard: Annotated[str, option(
        "--shard", panel=RUN, metavar="I/N|slurm", help="Only the share I of N, as of `omnialpha matte`.")] = "0/1"
    workers: Annotated[int, option("--workers", panel=RUN, min=1, help="Processes.")] = 1
    dry_run: Annotated[bool, option("--dry-run", panel=RUN, help="Show what was found, and make nothing.")] = False
# fmt: on


@app.command(
    epilog="Examples:\n\n"
    "omnialpha data build --photos photos.tar --cutouts cutouts.tar --backgrounds backgrounds -o triplets\n\n"
    "omnialpha data build --pairs OBER --count 0 -o pairs --split val"
)
@takes_options
def build(sources: SourceOptions, wanted: BuildOptions) -> None:
    """Build triplets of foreground, background and scene, in tar files as WebDataset reads them.

    Objects from photographs and cut-outs, or made of glass, smoke, fire and light, are put on backgrounds with their
    shadows and reflections. Photographs and pairs go in as they are, too. Run it again to go on where it stopped.

    Known layouts are AIM-500, RefMatte, Composition-1k, Distinctions-646, P3M-10k, RORD and OBER, and plain folders.
    """
    from ...batch.schedule import Shard
    from . import build as building
    from . import plan as plans

    share = Shard.parse(wanted.shard)
    settings = plans.Settings(wanted.count, wanted.size, wanted.seed, wanted.made, sources.split, wanted.shard_size)
    plan = plans.make_plan(
        settings,
        photos=_find(sources.photos, "photo"),
        pairs=_find(sources.pairs, "pair"),
        cutouts=_find(sources.cutouts, "cutout"),
        backgrounds=_find(sources.backgrounds, "background"),
    )
    say(f"{counted(plan.total, 'triplet')} in {counted(len(plan.shards), 'shard')}")
    if wanted.dry_run:
        return
    plans.prepare(plan, wanted.output, wanted.overwrite)

    def is_mine(path: Path) -> bool:
        return share.holds(path, wanted.output)

    kept, skipped, faults, unreadable = 0, 0, Counter[str](), set[str]()
    with interrupts(lambda: say("stopping; once more to stop at once")) as stop:
        try:
            for one in building.build(plan, wanted.output, is_mine, wanted.workers, stop.event):
                for message in dict.fromkeys(m for m in one.unreadable if m not in unreadable):
                    say(f"failed: {message}")
                unreadable.update(one.unreadable)
                kept, skipped = kept + one.kept, skipped + one.skipped
                faults += one.faults
                result = "there already" if one.skipped else counted(one.kept, "triplet")
                say(f"{one.path.name}: {result}")
                typer.echo(printable(one.path))
        except building.Stopped:
            say("stopped: run it again to go on")
            raise typer.Exit(stop.status or ExitStatus.INTERRUPTED) from None
    result = ", ".join(f"{n} {reason}" for reason, n in sorted(faults.items()))
    say(f"{counted(kept, 'triplet')} made, {counted(skipped, 'shard')} there already; not kept: {result or 'none'}")
    raise typer.Exit(ExitStatus.FAILED if unreadable else ExitStatus.OK)


def _find(places: list[Path] | None, kind: "Kind") -> "list[Found]":
    """Return what the places hold, result on standard error."""
    from .layouts import find

    found = [find(path, kind) for path in places or ()]
    for one in found:
        held_out = len(one.of("val"))
        lacking = f", {one.incomplete} without a counterpart left out" if one.incomplete else ""
        say(f"{one.path}: {one.layout}, {len(one.entries) - held_out} to train on, {held_out} held out{lacking}")
    return found


@app.command(epilog="Examples:\n\nomnialpha data check triplets\n\nomnialpha data check triplets/00003.tar")
def check(shards: ShardsPath) -> None:
    """Check that every triplet is whole, has a record by the schema, and that its layers make up its scene."""
    from .check import check_all

    bad = total = 0
    for name, message in check_all(shards):
        total += 1
        if message:
            bad += 1
            say(f"{name}: {message}")
    say(f"{counted(total, 'triplet')}, {bad} faulty")
    raise typer.Exit(ExitStatus.FAILED if bad else ExitStatus.OK)


@app.command(epilog="Examples:\n\nomnialpha data show triplets\n\nomnialpha data show triplets -o sheet.jpg --count 24")
def show(
    shards: ShardsPath,
    output: Annotated[
        Path, typer.Option("--output", "-o", rich_help_panel=OUTPUT, metavar="FILE.jpg", help="The sheet.")
    ] = Path("sheet.jpg"),
    count: Annotated[
        int, typer.Option("--count", rich_help_panel=INPUTS, min=1, help="Triplets, evenly spread over all.")
    ] = 16,
) -> None:
    """Draw a sheet of triplets: scene, foreground, background and trimap side by side."""
    from .sheet import draw_triplets

    if output.suffix.lower() not in (".jpg", ".jpeg"):
        raise UsageError(f"{output}: the sheet is a JPEG; give a name that ends in .jpg")
    check_written([Written("-o", output, TRIPLETS)])
    output.write_bytes(draw_triplets(shards, count))
    typer.echo(printable(output))
