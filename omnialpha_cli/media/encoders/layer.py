"""Describe a layer of a result."""

from dataclasses import dataclass

from ..samples import Floats


@dataclass(frozen=True, eq=False)
class Layer:
    """Hold straight RGBA (H, W, 4) on the canvas that all layers share."""

    name: str
    rgba: Floats
