"""Build a data set: which sample is what, each from its own seed, shard by shard, and on from where it stopped."""

import hashlib
import json
import multiprocessing
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from ...imaging.foreground import estimate_foreground
from ...imaging.thumbnail import to_bytes
from ...status import ItemError, UsageError
from ..examples import rough_mask, trimap
from . import admission
from .captions import caption, describe
from .layouts import Found
from .shards import DATASET_FILE, SCHEMA, SCHEMA_FILE, Bytes, Sample, json_schema, write_shard
from .sources import Entry, Split, load, load_pair
from .synthesis import Composition, Pool, compose

TRIES = 50  # draws for one composed sample


class Stop(Protocol):
    """Something that another thread or process may set."""

    def is_set(self) -> bool:
        """Whether it was."""


@dataclass(frozen=True)
class Settings:
    """What decides the pixels. `count` is of composed samples, `size` the longer side, `made` their made share."""

    count: int = 1000
    size: int = 512
    seed: int = 0
    made: float = 0.25
    split: Split = "train"
    shard_size: int = 500


@dataclass(frozen=True)
class Plan:
    """The samples in order: photographs and pairs as they are, then composed ones."""

    settings: Settings
    photos: tuple[Entry, ...]
    pairs: tuple[Entry, ...]
    pool: Pool

    @property
    def total(self) -> int:
        """How many samples, before any is left out."""
        return len(self.photos) + len(self.pairs) + self.settings.count

    @property
    def shards(self) -> list[range]:
        """The samples of each shard."""
        step = self.settings.shard_size
        return [range(first, min(first + step, self.total)) for first in range(0, self.total, step)]


@dataclass(frozen=True)
class Built:
    """One shard: what was kept and how often which fault was met. `skipped` tells that it was there already."""

    path: Path
    kept: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    unreadable: tuple[str, ...] = ()
    skipped: bool = False


class Stopped(Exception):
    """The run was asked to stop."""


def make_plan(
    settings: Settings,
    photos: list[Found],
    pairs: list[Found],
    cutouts: list[Found],
    backgrounds: list[Found],
) -> Plan:
    """Everything of the split. UsageError where nothing can be made of what there is."""

    def of(found: list[Found]) -> tuple[Entry, ...]:
        return tuple(entry for one in found for entry in one.of(settings.split))

    for one in (*photos, *pairs, *cutouts, *backgrounds):
        if not one.of(settings.split):
            other = "val" if settings.split == "train" else "train"
            raise UsageError(f"{one.path} ({one.layout}) is all of the split {other}: nothing for {settings.split}. "
                             f"--split {other} makes a data set that training leaves out")  # fmt: skip
    if settings.count and not backgrounds:
        raise UsageError("composed samples need --backgrounds; with --count 0, photographs and pairs go in as they are")
    pool = Pool(of(photos), of(cutouts), of(backgrounds), settings.size, settings.made)
    plan = Plan(settings, of(photos), of(pairs), pool)
    if not plan.total:
        raise UsageError("nothing to build: --count is 0, and there are no --photos or --pairs")
    return plan


def describe_plan(plan: Plan) -> dict[str, Any]:
    """What `dataset.json` holds: the settings, and what the sources were, by a hash of their names and words."""
    sources = {"photos": plan.photos, "pairs": plan.pairs, "cutouts": plan.pool.cutouts,
               "backgrounds": plan.pool.backgrounds}  # fmt: skip
    told = {}
    for name, entries in sources.items():
        digest = hashlib.sha256(json.dumps([(e.name, e.label) for e in entries]).encode()).hexdigest()
        told[name] = {"count": len(entries), "sha256": digest}
    return {"schema": SCHEMA, **asdict(plan.settings), "samples": plan.total, "sources": told}


def prepare(plan: Plan, out: Path, overwrite: bool) -> None:
    """Make the folder ready. UsageError where it holds a data set that was made otherwise."""
    told = describe_plan(plan)
    file = out / DATASET_FILE
    shards = sorted(out.glob("*.tar"))
    if file.exists() or shards:
        before = _read_json(file)
        other = sorted(key for key in told if before.get(key) != told[key])
        if other and not overwrite:
            raise UsageError(f"{out} holds a data set that was made with other {', '.join(other)}: "
                             "give another folder, or --overwrite")  # fmt: skip
        if other:
            for shard in shards:
                shard.unlink()
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out / SCHEMA_FILE, json_schema())
    _write_json(file, told)


def build(
    plan: Plan, out: Path, mine: Callable[[Path], bool], workers: int, stop: Stop | None = None
) -> Iterator[Built]:
    """Make the shards that are `mine` and missing, several at a time; they come as they are done."""
    missing = []
    for number, samples in enumerate(plan.shards):
        path = out / f"{number:05}.tar"
        if not mine(path):
            continue
        if path.exists():
            yield Built(path, skipped=True)
            continue
        for partial in out.glob(f".{path.name}.*"):  # of a run that was killed
            partial.unlink()
        missing.append((path, samples))
    if workers == 1:
        for path, samples in missing:
            if stop is not None and stop.is_set():
                raise Stopped
            yield build_shard(plan, path, samples, stop)
        return
    yield from _in_processes(plan, missing, workers, stop)


def build_shard(plan: Plan, path: Path, samples: range, stop: Stop | None = None) -> Built:
    """Make one shard."""
    faults: Counter[str] = Counter()
    unreadable: list[str] = []

    def made() -> Iterator[Sample]:
        for index in samples:
            if stop is not None and stop.is_set():
                raise Stopped
            sample = make_sample(plan, index, faults, unreadable)
            if sample is not None:
                yield sample

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # sums depend on how they are split
    try:
        kept = write_shard(path, made())
    finally:
        torch.set_num_threads(threads)
    return Built(path, kept, faults, tuple(unreadable))


def make_sample(plan: Plan, index: int, faults: Counter[str], unreadable: list[str]) -> Sample | None:
    """One sample; None where it is not kept. A composed one is drawn again until it is."""
    photos, pairs = len(plan.photos), len(plan.pairs)
    composed = index >= photos + pairs
    for attempt in range(TRIES if composed else 1):
        g = seeded(plan.settings.seed, index, attempt)
        try:
            if index < photos:
                made = _photo(plan.photos[index], plan.settings, index, g)
            elif not composed:
                made = _pair(plan.pairs[index - photos], plan.settings, index, g)
            else:
                layers = compose(plan.pool, g)
                made = "unsuited" if layers is None else _composed(layers, plan.settings, index, g)
        except ItemError as error:
            unreadable.append(str(error))
            made = error.code
        if isinstance(made, Sample):
            return made
        faults[made] += 1
    return None


def seeded(seed: int, index: int, attempt: int) -> torch.Generator:
    """A generator that follows from the run's seed, the sample's number, and how often it was drawn."""
    digest = hashlib.sha256(f"{seed}/{index}/{attempt}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7]))


def hints(alpha: Bytes, g: torch.Generator) -> dict[str, Bytes]:
    """Trimap, mask and rough mask (H, W) of an alpha (H, W)."""
    soft = torch.from_numpy(alpha.copy())[None].float() / 255
    planes = {"trimap": trimap(soft, g), "mask": (soft > 0.5).float(), "rough-mask": rough_mask(soft, g)}
    return {name: (plane[0] * 255).round().byte().numpy() for name, plane in planes.items()}


def _composed(layers: Composition, settings: Settings, index: int, g: torch.Generator) -> Sample | str:
    foreground, background = to_bytes(layers.foreground), to_bytes(layers.background)
    effects = to_bytes(layers.effects.layer) if layers.effects else None
    scene = (admission.composed(foreground, effects, background) * 255).round().astype(np.uint8)
    fault = admission.fault(foreground, effects, background, scene)
    if fault:
        return fault
    pictures = {"scene": scene, "foreground": foreground, "background": background, **hints(foreground[..., 3], g)}
    return Sample(
        pictures if effects is None else {**pictures, "effects": effects},
        index=index, kind="composed", split=settings.split, label=layers.label, captions=layers.captions,
        others=layers.others, effects=layers.effects.names if layers.effects else (), made=layers.made,
        sources=layers.sources,
    )  # fmt: skip


def _photo(entry: Entry, settings: Settings, index: int, g: torch.Generator) -> Sample | str:
    rgba = load(entry, settings.size).rgba
    scene = np.ascontiguousarray(rgba[..., :3])
    fault = admission.fault(rgba, None, None, scene)
    if fault:
        return fault
    plate = torch.from_numpy(scene).permute(2, 0, 1).float() / 255
    colour = estimate_foreground(plate, torch.from_numpy(rgba[..., 3].copy()).float() / 255)
    foreground = np.dstack((to_bytes(colour), rgba[..., 3]))
    pictures = {"scene": scene, "foreground": foreground, **hints(rgba[..., 3], g)}
    words = caption(entry.label, "", (), ())
    return Sample(
        pictures, index=index, kind="photo", split=settings.split, label=entry.label, captions=words,
        others=("",) if entry.others else (), sources={"scene": entry.name},
    )  # fmt: skip


def _pair(entry: Entry, settings: Settings, index: int, g: torch.Generator) -> Sample | str:
    pair = load_pair(entry, settings.size)
    fault = admission.fault_of_pair(pair.mask, pair.effect, pair.background, pair.scene)
    if fault:
        return fault
    alpha = pair.mask.astype(np.uint8) * 255
    pictures = {"scene": pair.scene, "background": pair.background, "foreground": np.dstack((pair.scene, alpha))}
    if pair.effect is not None:
        pictures["effects"] = np.dstack((pair.scene, (pair.effect & ~pair.mask).astype(np.uint8) * 255))
    behind = describe(torch.from_numpy(pair.background.copy()).permute(2, 0, 1).float() / 255)
    return Sample(
        {**pictures, **hints(alpha, g)}, index=index, kind="pair", split=settings.split, alpha="mask",
        label=entry.label, captions=caption(entry.label, behind, (), ()),
        effects=("shadow",) if pair.effect is not None else (), sources={"scene": entry.name},
    )  # fmt: skip


_state: dict[str, Any] = {}  # of a worker process


def _begin(plan: Plan, stop: Stop) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to stop
    _state.update(plan=plan, stop=stop)


def _work(path: Path, samples: range) -> Built:
    return build_shard(_state["plan"], path, samples, _state["stop"])


def _in_processes(
    plan: Plan, missing: list[tuple[Path, range]], workers: int, stop: Stop | None
) -> Iterator[Built]:
    context = multiprocessing.get_context("spawn")
    halt = context.Event()
    with ProcessPoolExecutor(workers, context, _begin, (plan, halt)) as pool:
        waiting = {pool.submit(_work, path, samples) for path, samples in missing}
        try:
            while waiting:
                if stop is not None and stop.is_set():
                    raise Stopped
                for future in _finished(waiting):
                    waiting.discard(future)
                    yield future.result()
        except BaseException:
            halt.set()
            for future in waiting:
                future.cancel()
            raise


def _finished(waiting: set[Any]) -> list[Any]:
    """Those that are done within a second."""
    try:
        return [next(as_completed(waiting, timeout=1.0))]
    except TimeoutError:
        return []


def _read_json(path: Path) -> dict[str, Any]:
    try:
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return told
    except (OSError, ValueError):
        return {}


def _write_json(path: Path, told: dict[str, Any]) -> None:
    path.write_text(json.dumps(told, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
