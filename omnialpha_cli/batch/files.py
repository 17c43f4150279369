"""Read an item's pictures as the settings say, and write its layers under their final names, journalled."""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from ..media import provenance
from ..media.channels import Pick
from ..media.colour import find_space
from ..media.image import Box, Image
from ..media.opening import Admit, anybody
from ..media.read import read_image
from ..media.samples import Floats
from ..media.target import Compression, Layer, Target
from ..media.write import complete, naming, write_grey, write_layers, write_picture
from ..picture.prepare import Prepared
from ..picture.settings import Settings
from ..picture.view import Exposure, is_scene, meter
from ..plan import Item
from ..status import ItemError
from .history import Fingerprint
from .journal import Journal

SCHEMA = "omnialpha.layers/1"  # of layers.json


def write(
    item: Item,
    layers: Sequence[Tensor],
    prepared: Prepared,
    alpha_only: bool,
    compression: Compression,
    made_from: Fingerprint,
    journal: Journal,
) -> tuple[Item, Box | None]:
    """Write the item's layers (4, H, W), straight RGBA as `prepared.target` encodes it: all files, or none.

    Returns the item as it was made, and for one layer the part of the picture in the file. Raises ItemError.
    """
    planned, item = item, item if len(layers) == len(item.task.layers) else item.with_layers(len(layers))
    record = provenance.record(
        made_from.task, made_from.settings, made_from.weights, [seal.sha256 for seal in made_from.inputs],
        prepared.measures,
    )  # fmt: skip
    target = replace(prepared.target, compression=compression, provenance=record)
    pictures = [layer.permute(1, 2, 0).contiguous().numpy() for layer in layers]  # (H, W, 4) each
    temporaries: list[Path] = []
    boxes: list[Box] = []
    try:
        for path in item.files:
            with naming(path):
                temporaries.append(journal.temporary(path))
        for temporary, path in zip(temporaries, item.outputs, strict=False):
            with complete(temporary, path):
                if len(item.outputs) < len(layers):
                    names = _distinct(item.task.layers)
                    write_layers(temporary, [Layer(*layer) for layer in zip(names, pictures, strict=True)], target)
                else:
                    boxes.append(_write_picture(temporary, pictures[len(boxes)], prepared, alpha_only, target))
                provenance.seal(temporary)
        if item.manifest:
            with complete(temporaries[-1], item.manifest):
                windows = target.windows
                size = (windows.display.height, windows.display.width) if windows else pictures[0].shape[:2]
                _describe(temporaries[-1], item, size, boxes, made_from, record)
                provenance.seal(temporaries[-1])
        journal.commit(item, made_from, temporaries, prepared.measures)
        for path in planned.outputs[len(item.outputs) :]:
            with suppress(OSError):
                if provenance.is_untouched(path):
                    path.unlink()
        return item, boxes[0] if len(boxes) == 1 else None
    finally:
        for temporary in temporaries:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _distinct(names: Sequence[str]) -> list[str]:
    """Return names of layers of which no two are alike: `foreground`, `foreground_2`."""
    counts = [names[: i + 1].count(name) for i, name in enumerate(names)]
    return [name if count == 1 else f"{name}_{count}" for name, count in zip(names, counts, strict=True)]


def _write_picture(path: Path, rgba: Floats, prepared: Prepared, alpha_only: bool, target: Target) -> Box:
    if alpha_only:
        return write_grey(path, rgba[..., 3], target)
    light = prepared.light
    return write_picture(path, rgba, target, None if light is None else light.numpy())


def _describe(
    path: Path,
    item: Item,
    size: tuple[int, int],
    boxes: Sequence[Box],
    made_from: Fingerprint,
    record: provenance.Record,
) -> None:
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
        "seed": made_from.settings["seed"],
        "weights": made_from.weights,
        **provenance.named(record),
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


class Reader:
    """Read pictures for all threads of a run; a sequence is metered once."""

    def __init__(self, settings: Settings, max_pixels: int):
        self.settings, self.max_pixels = settings, max_pixels
        self._exposures: dict[tuple[Path, ...], Exposure] = {}  # by what a sequence is metered by
        self._metering = threading.Lock()

    def pictures(self, item: Item, admit: Admit) -> tuple[list[Image], dict[str, Image]]:
        """Read the pictures of the item's task, and by name those beside them, overscan too. Raises ItemError.

        `admit` is called with the pixels of each before they are read.
        """
        is_data = item.task.hint_is_data
        count = len(item.inputs) - len(item.beside)
        images = [self._picture(path, i > 0, i > 0 and is_data, admit) for i, path in enumerate(item.inputs[:count])]
        named = zip(item.beside, item.inputs[count:], strict=True)
        return images, {name: self._beside(path, name) for name, path in named}

    def exposure(self, item: Item, images: Sequence[Image]) -> Exposure | None:
        """Return the exposure of an item's sequence, by the first frame that can be read; None for stills."""
        if not item.meter or not is_scene(images[0]):
            return None
        with self._metering:
            if item.meter not in self._exposures:
                self._exposures[item.meter] = next(self._metered(item.meter), None) or meter(images[0])
            return self._exposures[item.meter]

    def _beside(self, path: Path, name: str) -> Image:
        """Read what stands beside the pictures of a task. Raises ItemError."""
        if name.endswith("matte"):  # a result of this run
            return read_image(path, self.max_pixels, data=True, overscan=True)
        is_matte = not name.endswith("frame")
        return self._picture(path, is_matte, is_matte)

    def _picture(self, path: Path, is_hint: bool, is_data: bool, admit: Admit = anybody) -> Image:
        """Read a picture; hints that are data have no colours. Raises ItemError."""
        settings = self.settings
        pick = Pick(settings.layer, settings.view)
        if is_hint:
            pick = Pick(settings.hint_layer, settings.view, option="--hint-layer")
        image = read_image(path, self.max_pixels, data=is_data, overscan=True, pick=pick, admit=admit)
        if settings.input_space is None or is_data:
            return image
        return replace(image, encoding=find_space(settings.input_space))

    def _metered(self, paths: Sequence[Path]) -> Iterator[Exposure]:
        for path in paths:
            with suppress(ItemError):
                yield meter(self._picture(path, False, False))
