"""Greyscale files: mattes, masks and trimaps."""

from pathlib import Path

import numpy as np
from PIL import Image as PILImage


def write_grey(path: Path, grey: np.ndarray, depth: str = "8") -> None:
    """Write (H, W) in [0, 1] as PNG of 8 or 16 bits, in folders made as needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sample, white = {"8": (np.uint8, 255), "16": (np.uint16, 65535)}[depth]
    PILImage.fromarray((grey * white + 0.5).astype(sample)).save(path)
