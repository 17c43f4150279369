"""Finished pictures → files under their final names, journalled."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from torch import Tensor

from ..media.image import Image
from ..media.write import write_grey, write_png
from ..plan import Item
from .journal import Fingerprint, Journal

# What PNG can hold; sources of other depths are not read yet.
PNG_DEPTHS: dict[str, Literal["8", "16"]] = {"8": "8", "16": "16"}


def write(
    item: Item,
    layers: Sequence[Tensor],
    source: Image,
    alpha_only: bool,
    fingerprint: Fingerprint,
    journal: Journal,
) -> None:
    """Write the item's layers (4, H, W), straight RGBA, to its outputs: all of them, or none. Raises ItemError."""
    temporaries: list[Path] = []
    try:
        for path, layer in zip(item.outputs, layers, strict=True):
            temporary = journal.temporary(path)
            temporaries.append(temporary)
            depth = PNG_DEPTHS[source.depth]
            if alpha_only:
                write_grey(temporary, layer[3].numpy(), depth)
            else:
                pixels = layer.permute(1, 2, 0).contiguous().numpy()  # (H, W, 4)
                write_png(temporary, pixels, depth, source.icc, source.metadata)
        journal.commit(item, fingerprint, temporaries)
    finally:
        for temporary in temporaries:
            temporary.unlink(missing_ok=True)
