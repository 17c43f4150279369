"""Write several layers as one result: `layers.json` beside a PNG a layer."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

SCHEMA = "omnialpha.layers/1"


def write_manifest(
    path: Path,
    files: Sequence[str],
    names: Sequence[str],
    offsets: Sequence[tuple[int, int]],
    size: tuple[int, int],
    origin: dict[str, Any],
) -> None:
    """Describe layers on one canvas of `size` (H, W), bottom first, by their files' names and their left and top edges.
    `origin` says what they are of. Raises OSError.
    """
    layers = [
        {"name": name, "file": file, "offset": list(offset), "blend": "normal"}
        for name, file, offset in zip(names, files, offsets, strict=True)
    ]
    content = {"schema": SCHEMA, "width": size[1], "height": size[0], "layers": layers, **origin}
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
