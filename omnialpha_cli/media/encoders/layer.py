"""Describe a layer of a result."""

from dataclasses import dataclass

from ..image import Box
from ..samples import Floats
from ..windows import cropped, object_box

VISIBLE = 0.5 / 255  # least alpha of a pixel that counts when a picture is trimmed


@dataclass(frozen=True, eq=False)
class Layer:
    """Hold straight RGBA (H, W, 4) on the canvas that all layers share."""

    name: str
    rgba: Floats

    def box(self, margin: int | None) -> Box:
        """Return the part of the canvas with the object, and a margin around it; all of it without a margin."""
        return object_box(self.rgba[..., 3] >= VISIBLE, margin)

    def part(self, margin: int | None) -> tuple[Floats, Box]:
        """Return the pixels of `box`, and the box."""
        box = self.box(margin)
        return cropped(self.rgba, box), box
