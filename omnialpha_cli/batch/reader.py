"""An item's files → its pictures, as the settings say, and the exposure of its sequence."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from ..media.channels import Pick
from ..media.exposure import Exposure, is_scene, meter
from ..media.image import Image
from ..media.ocio import find_space
from ..media.read import read_image
from ..picture.settings import Settings
from ..plan import Item
from ..status import ItemError


class Reader:
    """Reads pictures for all threads of a run; a sequence is metered once."""

    def __init__(self, settings: Settings, max_pixels: int):
        self.settings, self.max_pixels = settings, max_pixels
        self._exposures: dict[tuple[Path, ...], Exposure] = {}  # by what a sequence is metered by
        self._metering = threading.Lock()

    def pictures(self, item: Item) -> list[Image]:
        """Read the item's pictures, overscan too. Raises ItemError."""
        is_data = item.task.hint_is_data
        return [self._picture(path, i > 0, i > 0 and is_data) for i, path in enumerate(item.inputs)]

    def exposure(self, item: Item, images: Sequence[Image]) -> Exposure | None:
        """Return the exposure of an item's sequence, by the first frame that can be read; None for stills."""
        if not item.meter or not is_scene(images[0]):
            return None
        with self._metering:
            if item.meter not in self._exposures:
                self._exposures[item.meter] = next(self._metered(item.meter), None) or meter(images[0])
            return self._exposures[item.meter]

    def _picture(self, path: Path, is_hint: bool, is_data: bool) -> Image:
        """Read a picture; hints that are data have no colours. Raises ItemError."""
        settings = self.settings
        pick = Pick(settings.layer, settings.view)
        if is_hint:
            pick = Pick(settings.hint_layer, settings.view, option="--hint-layer")
        image = read_image(path, self.max_pixels, data=is_data, overscan=True, pick=pick)
        if settings.input_space is None or is_data:
            return image
        return image.encoded(find_space(settings.input_space))

    def _metered(self, paths: Sequence[Path]) -> Iterator[Exposure]:
        for path in paths:
            with suppress(ItemError):
                yield meter(self._picture(path, False, False))
