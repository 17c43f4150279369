"""Describe data and display windows of EXR files: which pixels a file holds, and which of them a viewer shows."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .image import Box, Image, Windows

ASPECT_TOLERANCE = 0.01


def trivial(size: tuple[int, int]) -> Windows:
    """Return the windows of a picture (height, width) that has none of its own: all is data, and all is shown."""
    box = Box(0, 0, size[1], size[0])
    return Windows(box, box)


def object_box(visible: NDArray[Any], margin: int | None) -> Box:
    """Return the smallest box around the pixels `visible` (H, W), with a margin; all of it without either."""
    height, width = visible.shape
    if margin is None or not visible.any():
        return Box(0, 0, width, height)
    rows, columns = np.flatnonzero(visible.any(1)), np.flatnonzero(visible.any(0))
    left, top = max(0, int(columns[0]) - margin), max(0, int(rows[0]) - margin)
    right, bottom = min(width, int(columns[-1]) + 1 + margin), min(height, int(rows[-1]) + 1 + margin)
    return Box(left, top, right - left, bottom - top)


def cropped(pixels: NDArray[Any], box: Box) -> NDArray[Any]:
    """Return the pixels (H, W, …) of a picture in a box within it."""
    return pixels[box.y : box.y + box.height, box.x : box.x + box.width]


def place(pixels: NDArray[Any], box: Box, target: Box) -> NDArray[Any]:
    """Put pixels (H, W, …), which lie in `box`, on the `target` box: 0 where there are none."""
    if box == target:
        return pixels
    placed = np.zeros((target.height, target.width, *pixels.shape[2:]), pixels.dtype)
    if box.overlaps(target):
        top, left = box.y - target.y, box.x - target.x
        rows, columns = slice(max(0, top), max(0, top + box.height)), slice(max(0, left), max(0, left + box.width))
        shown = placed[rows, columns]
        part = pixels[max(0, -top) :, max(0, -left) :]
        shown[...] = part[: shown.shape[0], : shown.shape[1]]
    return placed


def on_display(image: Image) -> Image:
    """Crop or pad a picture to its display window; one without windows stays as it is."""
    if image.windows is None:
        return image
    data, display = image.windows.data, image.windows.display
    alpha = None if image.alpha is None else place(image.alpha, data, display)
    return replace(image, rgb=place(image.rgb, data, display), alpha=alpha, windows=None)


def align(image: Image, source: Image) -> Image:
    """Bring a hint or a clean plate to the data window of its source, at the resolution that it has.

    Both are laid upon one another by their display windows; a picture without windows is the display window, unless it
    has the size of the data window. Within its own display window a hint without data is 0, beyond it goes on as it
    ends there. One whose proportions fit neither window is given back as it is.
    """
    own, theirs = image.windows or trivial(image.size), source.windows or trivial(source.size)
    as_shown = image.size == (theirs.display.height, theirs.display.width)
    if own == theirs or (image.windows is None and image.size == source.size and not as_shown):
        return image
    display, shown = own.display, theirs.display
    across, down = display.width / shown.width, display.height / shown.height
    if abs(across - down) > ASPECT_TOLERANCE * across:
        return image
    left, top = round((theirs.data.x - shown.x) * across), round((theirs.data.y - shown.y) * down)
    width, height = max(1, round(theirs.data.width * across)), max(1, round(theirs.data.height * down))
    target = Box(display.x + left, display.y + top, width, height)
    known = own.data.union(own.display)

    def brought(pixels: NDArray[Any]) -> NDArray[Any]:
        return _continued(place(pixels, own.data, known), known, target)

    alpha = None if image.alpha is None else brought(image.alpha)
    return replace(image, rgb=brought(image.rgb), alpha=alpha, windows=None)


def _continued(pixels: NDArray[Any], box: Box, target: Box) -> NDArray[Any]:
    """Return the pixels (H, W, …) of `box` on the `target` box, which may reach beyond it: there the nearest ones."""
    rows = np.clip(np.arange(target.y, target.y + target.height) - box.y, 0, box.height - 1)
    columns = np.clip(np.arange(target.x, target.x + target.width) - box.x, 0, box.width - 1)
    return pixels[rows][:, columns]
