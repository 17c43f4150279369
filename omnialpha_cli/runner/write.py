"""Finished pictures → files under their final names, journalled."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from torch import Tensor

from ..media.image import Image
from ..media.layered import write_manifest
from ..media.write import write_grey, write_png
from ..plan import Item
from ..tasks import find_task
from .journal import Fingerprint, Journal

# What PNG can hold; sources of other depths are not read yet.
PNG_DEPTHS: dict[str, Literal["8", "16"]] = {"8": "8", "16": "16"}


def write(
    item: Item,
    layers: Sequence[Tensor],
    source: Image | None,
    alpha_only: bool,
    made_from: Fingerprint,
    journal: Journal,
) -> None:
    """Write the item's layers (4, H, W), straight RGBA, to its files: all of them, or none. Raises ItemError.

    Depth, profile and metadata are those of `source`; without one, 8 bits.
    """
    temporaries: list[Path] = []
    try:
        for path, layer in zip(item.outputs, layers, strict=True):
            temporaries.append(journal.temporary(path))
            _write_layer(temporaries[-1], layer, source or _words_alone(layer), alpha_only)
        if item.manifest:
            temporaries.append(journal.temporary(item.manifest))
            _describe(temporaries[-1], item, layers[0], made_from)
        journal.commit(item, made_from, temporaries)
    finally:
        for temporary in temporaries:
            temporary.unlink(missing_ok=True)


def _write_layer(path: Path, layer: Tensor, source: Image, alpha_only: bool) -> None:
    depth = PNG_DEPTHS[source.depth]
    if alpha_only:
        write_grey(path, layer[3].numpy(), depth)
    else:
        pixels = layer.permute(1, 2, 0).contiguous().numpy()  # (H, W, 4)
        write_png(path, pixels, depth, source.icc, source.metadata)


def _words_alone(layer: Tensor) -> Image:
    """What a picture that has no source is like."""
    return Image(layer[:3].permute(1, 2, 0).numpy())


def _describe(path: Path, item: Item, layer: Tensor, made_from: Fingerprint) -> None:
    origin = {
        "task": item.task,
        "source": str(item.label),
        "seed": made_from.settings["seed"],
        "weights": made_from.weights,
    }
    names = [output.name for output in item.outputs]
    write_manifest(path, names, find_task(item.task).outputs, (layer.shape[1], layer.shape[2]), origin)
