"""Make items on one device: load the model once, read their pictures, write their layers under their final names.

A run has one worker in its own process, or one a device in processes of their own.
"""

import json
import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ..files import complete, naming
from ..item import Item
from ..media import provenance
from ..media.channels import Pick
from ..media.colour import find_space
from ..media.image import Box, Image
from ..media.opening import Admit, anybody
from ..media.read import read_image
from ..media.signatures import read_head
from ..media.write import Layer, write_grey, write_layers, write_picture
from ..picture.load import DTYPES, choose_device, load_model
from ..picture.view import Exposure, is_scene, meter
from ..status import ItemError
from .job import Job, Result, StageTimes, divide
from .journal import Journal
from .pipeline import Pictures, Pipeline, Work
from .resume import fingerprint
from .schedule import Source

SCHEMA = "omnialpha.layers/1"  # of layers.json
READINGS = 3  # of a file that is written to while it is read


class Worker:
    """Load the model of a job once, and make any number of items."""

    def __init__(self, job: Job):
        """Raises WeightsError or DeviceError."""
        # Let products of matrices have the same bits wherever they lie in memory; read when the first one is computed.
        os.environ.setdefault("MKL_CBWR", "AUTO,STRICT")
        self.job = job
        self.model = load_model(job.model, choose_device(job.device), DTYPES[job.settings.dtype], job.loading)
        self.batch_size, self.threads = divide(self.model, job.cores, job.items, job.batch_size)
        self.times = StageTimes()

    def make(self, source: Source, journal: Journal, stop: threading.Event) -> Iterator[Result]:
        """Return the results of the items of `source`, as they finish."""
        files = Files(self.job, journal)
        pipeline = Pipeline(
            source, self.model, self.job.settings, files.read, files.store,
            batch_size=self.batch_size, threads=self.threads, stop=stop,
        )  # fmt: skip
        self.times = pipeline.times
        return iter(pipeline)

    def __str__(self) -> str:
        """Return what it works with, for `--verbose`."""
        place = f"{self.model.device} in {self.job.settings.dtype}"
        threads = f"threads: {self.threads}, of {self.job.cores} cores"
        return f"{place}; memory: {self.model.memory}; {threads}; batches of {self.batch_size}"


class Files:
    """Read the pictures of a job's items, for all threads of a run, and write their layers, journalled."""

    def __init__(self, job: Job, journal: Journal):
        self.job, self.settings, self.journal = job, job.settings, journal
        self._exposures: dict[tuple[Path, ...], Exposure] = {}  # by what a sequence is metered by
        self._metering = threading.Lock()

    def read(self, item: Item, admit: Admit) -> Pictures:
        """Read an item's pictures and what it is recorded to be made of: equal bytes, read anew if a file changed.

        `admit` is called with the pixels of each of its task before they are read. Raises ItemError.
        """
        if item.error:
            raise item.error
        for _ in range(READINGS):
            try:
                made_from = fingerprint(item, self.settings, self.job.weights)
            except OSError as error:
                for path in item.inputs:
                    read_head(path)  # says what is wrong with it
                raise ItemError("unreadable", f"{item.label} cannot be read: {error.strerror or error}") from None
            try:
                images, beside = self._pictures(item, admit)
            except ItemError:
                if made_from.is_current(item):
                    raise
            else:
                if made_from.is_current(item):
                    return Pictures(images, beside, self._exposure(item, images), made_from)
        raise ItemError(
            "unreadable", f"{item.label} changes while it is read: wait until it is complete, then run again"
        )

    def _pictures(self, item: Item, admit: Admit) -> tuple[list[Image], dict[str, Image]]:
        """Read the pictures of the item's task, and by name those beside them, overscan too. Raises ItemError."""
        is_data = item.task.hint_is_data
        count = len(item.inputs) - len(item.beside)
        images = [self._picture(path, i > 0, i > 0 and is_data, admit) for i, path in enumerate(item.inputs[:count])]
        named = zip(item.beside, item.inputs[count:], strict=True)
        return images, {name: self._beside(path, name) for name, path in named}

    def _beside(self, path: Path, name: str) -> Image:
        """Read what stands beside the pictures of a task. Raises ItemError."""
        if name.endswith("matte"):  # a result of this run
            return read_image(path, self.job.files.max_pixels, data=True, overscan=True)
        is_matte = not name.endswith("frame")
        return self._picture(path, is_matte, is_matte)

    def _picture(self, path: Path, is_hint: bool, is_data: bool, admit: Admit = anybody) -> Image:
        """Read a picture; hints that are data have no colours. Raises ItemError."""
        settings = self.settings
        pick = Pick(settings.layer, settings.view, keeps=settings.keep_layers)
        if is_hint:
            pick = Pick(settings.hint_layer, settings.view, option="--hint-layer")
        image = read_image(path, self.job.files.max_pixels, data=is_data, overscan=True, pick=pick, admit=admit)
        if settings.input_space is None or is_data:
            return image
        return replace(image, encoding=find_space(settings.input_space))

    def _exposure(self, item: Item, images: Sequence[Image]) -> Exposure | None:
        """Return the exposure of an item's sequence, by the first frame that can be read; None for stills."""
        if not item.meter or not is_scene(images[0]):
            return None
        with self._metering:
            if item.meter not in self._exposures:
                self._exposures[item.meter] = next(self._metered(item.meter), None) or meter(images[0])
            return self._exposures[item.meter]

    def _metered(self, paths: Sequence[Path]) -> Iterator[Exposure]:
        for path in paths:
            with suppress(ItemError):
                yield meter(self._picture(path, False, False))

    def store(self, work: Work, layers: Sequence[Tensor]) -> tuple[Item, tuple[int, int] | None]:
        """Write an item's layers (4, H, W), straight RGBA as its target encodes it: all files, or none.

        Returns the item as it was made, and of a trimmed picture its left and top in the whole. Raises ItemError.
        """
        planned, prepared, made_from = work.item, work.prepared, work.made_from
        assert made_from is not None
        item = planned if len(layers) == len(planned.task.layers) else planned.with_layers(len(layers))
        digests = [seal.sha256 for seal in made_from.inputs]
        record = provenance.record(made_from.task, made_from.settings, made_from.weights, digests, prepared.measures)
        target = replace(prepared.target, compression=self.job.files.compression, provenance=record)
        pictures = [layer.permute(1, 2, 0).contiguous().numpy() for layer in layers]  # (H, W, 4) each
        temporaries: list[Path] = []
        boxes: list[Box] = []
        try:
            for path in item.files:
                with naming(path):
                    temporaries.append(self.journal.temporary(path))
            for i, path in enumerate(item.outputs):
                with complete(temporaries[i], path):
                    if len(item.outputs) < len(layers):
                        named = zip(_distinct(item.task.layers), pictures, strict=True)
                        write_layers(temporaries[i], [Layer(*layer) for layer in named], target)
                    elif self.settings.alpha_only:
                        boxes.append(write_grey(temporaries[i], pictures[i][..., 3], target))
                    else:
                        light = None if prepared.light is None else prepared.light.numpy()
                        boxes.append(write_picture(temporaries[i], pictures[i], target, light))
                    provenance.seal(temporaries[i])
            if item.manifest:
                with complete(temporaries[-1], item.manifest):
                    windows = target.windows
                    size = (windows.display.height, windows.display.width) if windows else pictures[0].shape[:2]
                    _describe(temporaries[-1], item, size, boxes, record)
                    provenance.seal(temporaries[-1])
            self.journal.commit(item, made_from, temporaries, prepared.measures)
        finally:
            for temporary in temporaries:
                with suppress(OSError):
                    temporary.unlink(missing_ok=True)
        for path in planned.outputs[len(item.outputs) :]:
            with suppress(OSError):
                if provenance.is_untouched(path):
                    path.unlink()
        return item, (boxes[0].x, boxes[0].y) if len(boxes) == 1 and self.settings.trim is not None else None


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names of layers of which no two are alike: `foreground`, `foreground_2`."""
    counts = [names[: i + 1].count(name) for i, name in enumerate(names)]
    return [name if count == 1 else f"{name}_{count}" for name, count in zip(names, counts, strict=True)]


def _describe(path: Path, item: Item, size: tuple[int, int], boxes: Sequence[Box], record: provenance.Record) -> None:
    """Describe layers on one canvas of `size` (H, W), bottom first, each in its box. Raises OSError."""
    layers = [
        {"name": name, "file": output.name, "offset": [box.x, box.y], "blend": "normal"}
        for name, output, box in zip(item.task.layers, item.outputs, boxes, strict=True)
    ]
    content = {
        "schema": SCHEMA,
        "width": size[1],
        "height": size[0],
        "layers": layers,
        "task": item.task.name,
        "source": item.label.name,
        "seed": int(record["seed"]),
        "weights": record["weights"],
        **provenance.named(record),
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
