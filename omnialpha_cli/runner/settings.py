"""What a run is asked to compute. No torch: planning and the journal need it too."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, Self

from ..plan import Item

Refine = Literal["guided", "laplacian", "none"]
Screen = Literal["green", "blue", "auto"]


@dataclass(frozen=True)
class Settings:
    """Everything but inputs, task and weights that changes pixels. None: as the weights' own defaults say.

    `canvas` is the side in pixels of the square whose area the model works at, `dtype` the network's number type,
    `width` and `height` the size in pixels of what is made without a picture to go by, `text` the user's words;
    `steady` means that frames build on one another. `refine` is the way of alpha to full size, `despill` the screen
    whose light is taken out of the foreground's colours.
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

    def resolved(self, defaults: Mapping[str, Any]) -> Self:
        """The same with every None replaced by the value of that name in `defaults`, if it has one."""
        unset = [field.name for field in fields(self) if getattr(self, field.name) is None]
        return replace(self, **{name: defaults[name] for name in unset if name in defaults})

    def for_item(self, item: Item) -> Self:
        """The same for one item: with its words, and with its own seed if it has one."""
        return replace(self, text=item.text, seed=self.seed if item.seed is None else item.seed)
