"""Say how weights are loaded, as one value. No torch: planning needs it too."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Memory = Literal["auto", "resident", "stream", "cpu"]
Quantize = Literal["none", "int8", "int4", "fp8"]


@dataclass(frozen=True)
class LoadOptions:
    """Choose what is done to weights while they are loaded.

    `loras` are files with their strengths. With `merge_loras` they become part of the weights, before these are
    quantised: that costs nothing, fits every way of streaming and is as exact; else they stay beside the weights, for
    whoever changes or trains them. `distilled_lora` is one for few steps, which brings its schedule. `memory` and
    `quantize` are explained in the modules of these names; `compile_blocks` compiles the transformer's blocks, which
    takes a while at first.
    """

    loras: Sequence[tuple[Path, float]] = ()
    merge_loras: bool = True
    distilled_lora: Path | None = None
    memory: Memory = "auto"
    quantize: Quantize = "none"
    compile_blocks: bool = False
