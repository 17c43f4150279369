"""Write and read shards: triplets in tar files as WebDataset reads them, each with a record by a schema.

A sample's files share a key: `KEY.scene.png`, `KEY.foreground.png` and so on, and `KEY.json`. What each file and field
means is in `FILES` and `FIELDS`.
"""

import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from ...media.opening import decoding
from ...status import ItemError, OmniAlphaError, UsageError
from .captions import Captions
from .sources import Member, Mode, decode

Bytes = NDArray[np.uint8]
SCHEMA = "omnialpha-data/1"
DATASET_FILE, SCHEMA_FILE = "dataset.json", "schema.json"

FILES: dict[str, str] = {
    "scene": "RGB, with the object and its effects",
    "foreground": "RGBA, straight: the object alone; of a pair cut out by its mask",
    "background": "RGB, without the object and its effects; a photograph has none",
    "effects": "RGBA, straight: shadow, reflection and light of the object; absent where there are none",
    "trimap": "grey: 0 background, 128 unknown, 255 object",
    "mask": "grey: 0 or 255",
    "rough-mask": "grey: about right, as drawn by hand, or found in the frame before",
}
MODES: dict[str, Mode] = {"scene": "RGB", "foreground": "RGBA", "background": "RGB", "effects": "RGBA", "trimap": "L",
                          "mask": "L", "rough-mask": "L"}  # fmt: skip
REQUIRED = ("scene", "foreground", "trimap", "mask", "rough-mask")

NO_RECORD = "{path}: not a record ({reason})"
NO_WORDS = Captions("", "", "")
TEXT, TEXTS = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
# Field → its type as JSON Schema, and what it means.
FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "schema": ({"const": SCHEMA}, f"`{SCHEMA}`"),
    "index": ({"type": "integer", "minimum": 0}, "number of the sample in the data set"),
    "kind": (
        {"enum": ["composed", "photo", "pair"]},
        "composed: made of layers; photo: a photograph with a matte; pair: photographed with the object and without",
    ),
    "split": ({"enum": ["train", "val"]}, "train or val"),
    "size": ({"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}, "width and height"),
    "alpha": ({"enum": ["matte", "mask"]}, "what the foreground's alpha is; of a mask no matting task is drawn"),
    "label": (TEXT, "the object in a few words, or empty"),
    "captions": (
        {
            "type": "object",
            "properties": {"foreground": TEXT, "background": TEXT, "scene": TEXT},
            "required": ["foreground", "background", "scene"],
            "additionalProperties": False,
        },
        "of the three pictures; empty where nothing is known",
    ),
    "others": (TEXTS, "other objects that could be meant: a task has to say which"),
    "effects": (TEXTS, "what is in the effects: shadow, reflection, light; any where it is not known"),
    "made": (TEXTS, "what the object is made of and what was done to it, in order"),
    "sources": ({"type": "object", "additionalProperties": TEXT}, "names of the pictures by role"),
}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a record."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": SCHEMA,
        "type": "object",
        "properties": {name: {**kind, "description": text} for name, (kind, text) in FIELDS.items()},
        "required": list(FIELDS),
        "additionalProperties": False,
    }


@dataclass(frozen=True, eq=False)
class Sample:
    """Hold a sample: `pictures` by the names of `FILES`, uint8 (H, W) or (H, W, C); the rest is the record."""

    pictures: Mapping[str, Bytes]
    index: int
    kind: str
    split: str
    alpha: str = "matte"
    label: str = ""
    captions: Captions = NO_WORDS
    others: tuple[str, ...] = ()
    effects: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)

    @property
    def record(self) -> dict[str, Any]:
        """Return what `KEY.json` holds."""
        h, w = self.pictures["scene"].shape[:2]
        known = {name: getattr(self, name) for name in FIELDS if name not in ("schema", "size", "captions")}
        lists = {name: list(value) for name, value in known.items() if isinstance(value, tuple)}
        return {"schema": SCHEMA, "size": [w, h], "captions": asdict(self.captions), **known, **lists}


def read_dataset(folder: Path) -> dict[str, Any]:
    """Return what `dataset.json` tells of how a data set was made; nothing where it is missing or damaged."""
    try:
        description: dict[str, Any] = json.loads((folder / DATASET_FILE).read_text(encoding="utf-8"))
        return description
    except (OSError, ValueError):
        return {}


def write_shard(path: Path, samples: Iterable[Sample]) -> int:
    """Write a tar, under another name until it is whole; the number of its samples. Equal samples give equal bytes."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    count = 0
    try:
        with tarfile.open(partial, "w", format=tarfile.USTAR_FORMAT) as tar:
            for sample in samples:
                key = f"{sample.index:08}"
                for name in FILES:
                    if name in sample.pictures:
                        _add(tar, f"{key}.{name}.png", encode_png(sample.pictures[name]))
                record = json.dumps(sample.record, ensure_ascii=False, sort_keys=True)
                _add(tar, f"{key}.json", record.encode())
                count += 1
        partial.replace(path)
    except OSError as error:
        raise OmniAlphaError(f"{path} cannot be written: {error.strerror or error}; run it again to go on") from error
    finally:
        partial.unlink(missing_ok=True)
    return count


def encode_png(pixels: Bytes) -> bytes:
    """Return a picture as PNG, fast rather than small."""
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "png", compress_level=3)
    return file.getvalue()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


class Shards:
    """Read the samples of one data set, one by one, in any order: a folder of shards, or one of them."""

    def __init__(self, path: Path, *, training: bool = False):
        """Open the shards. Raises UsageError for none, and, for `training`, for held-out or missing ones."""
        paths = sorted(path.glob("*.tar")) if path.is_dir() else [path]
        self.path = path
        self._files: list[dict[str, Member]] = []
        for shard in paths:
            self._files += _samples(shard)
        if not self._files:
            raise UsageError(f"{path} holds no triplets: make some with `omnialpha data build`")

        if training:
            self._refuse_part(len(paths))
        if training and (split := self.record(0)["split"]) != "train":
            raise UsageError(f"{path} is of the split {split}, which training leaves out")

    def _refuse_part(self, count: int) -> None:
        """Refuse half a data set, which is not a smaller one: photographs come first, composed triplets after them."""
        description = read_dataset(self.path)
        if description.get("schema") == SCHEMA and count < (
            whole := -(-description["samples"] // description["shard_size"])
        ):
            raise UsageError(
                f"{self.path} has {count} of its {whole} shards: run its `omnialpha data build` to the end"
            )

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[Sample]:
        return (self.read(i) for i in range(len(self)))

    def name(self, number: int) -> str:
        """Tell where a sample is: its shard and its key."""
        place = self._files[number]["json"]
        return f"{place.path.name}/{place.name.partition('.')[0]}"

    def record(self, number: int) -> dict[str, Any]:
        """Return the record of a sample alone."""
        place = self._files[number]["json"]
        with decoding(Path(str(place)), NO_RECORD):
            record: dict[str, Any] = json.loads(place.read())
            schema = record.get("schema")
        if schema != SCHEMA:
            raise ItemError("unsupported", f"{place}: its schema is {schema}, not {SCHEMA}")
        return record

    def read(self, number: int, names: Iterable[str] = FILES) -> Sample:
        """Read a sample with the pictures in `names`. Raises ItemError where it is damaged."""
        record, files = self.record(number), self._files[number]
        pictures = {name: decode(files[f"{name}.png"], MODES[name]) for name in names if f"{name}.png" in files}
        with decoding(Path(self.name(number)), NO_RECORD):
            rest = {name: record[name] for name in FIELDS if name not in ("schema", "size", "captions")}
            lists = {name: tuple(value) for name, value in rest.items() if isinstance(value, list)}
            return Sample(pictures, captions=Captions(**record["captions"]), **{**rest, **lists})


def _samples(shard: Path) -> list[dict[str, Member]]:
    """Return the files of each sample in a tar, by their names after the key."""
    samples: dict[str, dict[str, Member]] = {}
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                key, _, name = member.name.partition(".")
                samples.setdefault(key, {})[name] = Member(shard, member.name, member.offset_data, member.size)
    except (OSError, tarfile.TarError) as error:
        raise UsageError(f"{shard} cannot be read as a shard ({error})") from error
    return [files for files in samples.values() if "json" in files]
