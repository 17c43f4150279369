"""Draw small pictures that show a result beside the truth."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...imaging.canvas import resized, to_bytes
from ...imaging.composite import checkerboard, over

TILE = 240  # pixels of the longer side
Panel = NDArray[np.uint8]  # (h, w, 3)


def panel(image: NDArray[Any], side: int = TILE) -> Panel:
    """Return a picture in [0, 1], its longer side made `side` pixels.

    Grey (H, W), colour (H, W, 3), or straight RGBA (H, W, 4), which is shown on a checkerboard.
    """
    tensor = torch.from_numpy(np.array(image, np.float32))
    tensor = tensor[None] if tensor.ndim == 2 else tensor.permute(2, 0, 1)  # (C, H, W)
    small = resized(tensor, side)
    if len(small) == 4:
        small = over(small, checkerboard(*small.shape[1:]))
    return to_bytes(small)


def difference(found: NDArray[Any], known: NDArray[Any]) -> Panel:
    """Show the signed difference, grey or colour: mid-grey for none, brighter where `found` is more."""
    return panel((np.asarray(found, np.float32) - known) / 2 + 0.5)


def sheet(rows: Sequence[Sequence[Panel]]) -> NDArray[np.float32]:
    """Lay rows of panels as one opaque RGBA picture (rows · TILE, columns · TILE, 4) in [0, 1], on grey."""
    canvas = np.full((len(rows) * TILE, max(map(len, rows)) * TILE, 4), 0.5, np.float32)
    canvas[..., 3] = 1
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            height, width = image.shape[:2]
            canvas[i * TILE : i * TILE + height, j * TILE : j * TILE + width, :3] = image / np.float32(255)
    return canvas
