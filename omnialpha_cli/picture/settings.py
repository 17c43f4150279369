"""What a run is asked to compute. No torch: planning and the journal need it too."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

from ..media.formats import Depth
from ..plan import Item

Refine = Literal["guided", "laplacian", "none"]
Screen = Literal["green", "blue", "auto"]
MAX_PIXELS = 300_000_000


@dataclass(frozen=True)
class Settings:
    """Everything but inputs, task and weights that changes pixels. None: as the weights' own defaults say.

    `canvas` is the side in pixels of the square whose area the model works at, `dtype` the network's number type,
    `width` and `height` the size in pixels of what is made without a picture to go by, `text` the user's words;
    `steady` means that frames build on one another. `refine` is the way of alpha to full size, `despill` the screen
    whose light is taken out of the foreground's colours. `format` names a row of `media.formats`, `depth` None is the
    source's, `premultiplied` is for TIFF, `exr_parts` for layers in EXR. `effects` takes shadows and reflections out
    outside of a mask too, and by `grow` pixels a removal reaches beyond it. `adapters` stands for the LoRAs added to
    the weights, `quantize` for the number type of the transformer's weights.
    """

    seed: int = 0
    steps: int | None = None
    guidance: float | None = None
    canvas: int | None = None
    alpha_only: bool = False
    dtype: str = "float32"
    width: int | None = None
    height: int | None = None
    text: str | None = None
    steady: bool = False
    refine: Refine = "guided"
    despill: Screen | None = None
    format: str = "png"
    depth: Depth | None = None
    premultiplied: bool = False
    exr_parts: bool = False
    effects: bool = False
    grow: int = 0
    adapters: str | None = None
    quantize: str | None = None

    def resolved(self, defaults: Mapping[str, Any]) -> Self:
        """The same with every None replaced by the value of that name in `defaults`, if it has one."""
        unset = [field.name for field in fields(self) if getattr(self, field.name) is None]
        return replace(self, **{name: defaults[name] for name in unset if name in defaults})

    def for_item(self, item: Item) -> Self:
        """The same for one item: with its words and format, and with its own seed if it has one."""
        seed = self.seed if item.seed is None else item.seed
        return replace(self, text=item.text, format=item.format, seed=seed)


@dataclass(frozen=True)
class FileOptions:
    """What changes how files are read and written, and no pixel: `max_pixels` refuses larger pictures."""

    compression: Literal["none", "fast", "small"] = "fast"
    max_pixels: int = MAX_PIXELS
