"""Plan what is to be built: the settings, which sample is made of what, and whether a folder holds that already."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...status import UsageError
from .layouts import Found
from .shards import DATASET_FILE, SCHEMA, SCHEMA_FILE, json_schema, read_dataset
from .sources import Entry, Split
from .synthesis import Pool


@dataclass(frozen=True)
class Settings:
    """Hold what decides the pixels. `count` is of composed samples, `size` the longer side, `made` their made share."""

    count: int = 1000
    size: int = 512
    seed: int = 0
    made: float = 0.25
    split: Split = "train"
    shard_size: int = 500


@dataclass(frozen=True)
class Plan:
    """Hold the samples in order: photographs and pairs as they are, then composed ones."""

    settings: Settings
    photos: tuple[Entry, ...]
    pairs: tuple[Entry, ...]
    pool: Pool

    @property
    def total(self) -> int:
        """Tell how many samples, before any is left out."""
        return len(self.photos) + len(self.pairs) + self.settings.count

    @property
    def shards(self) -> list[range]:
        """Return the samples of each shard."""
        step = self.settings.shard_size
        return [range(first, min(first + step, self.total)) for first in range(0, self.total, step)]


def make_plan(
    settings: Settings,
    *,
    photos: list[Found],
    pairs: list[Found],
    cutouts: list[Found],
    backgrounds: list[Found],
) -> Plan:
    """Plan everything of the split. Raises UsageError where nothing can be made of the sources."""

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
    """Return what `dataset.json` holds: the settings, and what the sources were, by a hash of their names and words."""
    sources = {"photos": plan.photos, "pairs": plan.pairs, "cutouts": plan.pool.cutouts,
               "backgrounds": plan.pool.backgrounds}  # fmt: skip
    digests = {}
    for name, entries in sources.items():
        digest = hashlib.sha256(json.dumps([(e.name, e.label) for e in entries]).encode()).hexdigest()
        digests[name] = {"count": len(entries), "sha256": digest}
    return {"schema": SCHEMA, **asdict(plan.settings), "samples": plan.total, "sources": digests}


def prepare(plan: Plan, out: Path, overwrite: bool) -> None:
    """Make the folder ready. UsageError where it holds a data set that was made otherwise."""
    description = describe_plan(plan)
    file = out / DATASET_FILE
    shards = sorted(out.glob("*.tar"))
    if file.exists() or shards:
        before = read_dataset(out)
        other = sorted(key for key in description if before.get(key) != description[key])
        if other and not overwrite:
            raise UsageError(f"{out} holds a data set that was made with other {', '.join(other)}: "
                             "give another folder, or --overwrite")  # fmt: skip
        if other:
            for shard in shards:
                shard.unlink()
    out.mkdir(parents=True, exist_ok=True)
    _write_json(out / SCHEMA_FILE, json_schema())
    _write_json(file, description)


def _write_json(path: Path, description: dict[str, Any]) -> None:
    path.write_text(json.dumps(description, indent=1, ensure_ascii=False, sort_keys=True) + "\n", encoding="utf-8")
