"""OpenEXR: scene-linear light, premultiplied."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from ..floats import Floats
from ..metadata import give_back
from ..names import spelled
from ..samples import flatten, premultiplied, to_samples
from ..target import Target
from .layer import Layer

# Measured on a 3840×2160 RGBA half photograph: ZIPS 0.6 s and 34 MB, PIZ 0.4 s and 31 MB, none 0.1 s and 66 MB; PIZ
# does less well without grain, and reads slower in most programs.
COMPRESSIONS = {"none": "none", "fast": "zips", "small": "piz"}


def write(path: Path, pixels: Floats, target: Target, light: NDArray[np.bool_] | None = None) -> None:
    """Write grey (H, W, 1) or straight RGBA (H, W, 4), premultiplied here. Raises OSError.

    Light without coverage, in the pixels `light` (H, W), stays as it is where alpha is 0.
    """
    names = ["Y"] if pixels.shape[2] == 1 else list("RGBA")
    samples = to_samples(pixels, target.depth) if pixels.shape[2] == 1 else premultiplied(pixels, target.depth, light)
    _write(path, [(_spec(samples, names, target), samples)])


def write_layers(path: Path, layers: Sequence[Layer], target: Target) -> None:
    """One part: the composite as RGBA, and a group of channels `layer_00`, … for every layer, bottom first.

    Or, with `target.parts`, one part a layer. Raises OSError.
    """
    parts = [premultiplied(layer.rgba, target.depth) for layer in layers]
    if target.parts:
        specs = [_spec(samples, list("RGBA"), target) for samples in parts]
        for spec, layer in zip(specs, layers, strict=True):
            spec.attribute("oiio:subimagename", layer.name)
        return _write(path, list(zip(specs, parts, strict=True)))
    composite = premultiplied(flatten([layer.rgba for layer in layers]), target.depth)
    names = list("RGBA") + [f"layer_{i:02}.{channel}" for i in range(len(layers)) for channel in "RGBA"]
    samples = np.concatenate([composite, *parts], -1)
    spec = _spec(samples, names, target)
    spec.attribute("layers", ", ".join(f"layer_{i:02} {layer.name}" for i, layer in enumerate(layers)))
    return _write(path, [(spec, samples)])


def _spec(samples: NDArray[Any], names: list[str], target: Target) -> oiio.ImageSpec:
    height, width, channels = samples.shape
    spec = oiio.ImageSpec(width, height, channels, target.depth)
    spec.channelnames = tuple(names)
    spec.alpha_channel = names.index("A") if "A" in names else -1
    give_back(spec, target.metadata)
    spec.attribute("compression", COMPRESSIONS[target.compression])
    if target.encoding.primaries is not None and len(names) > 1:
        spec.attribute("chromaticities", oiio.TypeDesc("float[8]"), target.encoding.primaries)
    return spec


def _write(path: Path, parts: list[tuple[oiio.ImageSpec, NDArray[Any]]]) -> None:
    writer: Any = oiio.ImageOutput.create("openexr")
    path.touch()
    with spelled(path) as name:
        specs = [spec for spec, _ in parts]
        written = writer.open(name, specs) if len(specs) > 1 else writer.open(name, specs[0])
        for i, (spec, samples) in enumerate(parts):
            if written and i:
                written = writer.open(name, spec, "AppendSubimage")
            written = written and writer.write_image(np.ascontiguousarray(samples))
        fault = writer.geterror()
        closed = writer.close()
        fault = fault or writer.geterror()
        if fault or not (written and closed and _is_complete(name, specs)):
            fault = " ".join(fault.split())[:100]
            raise OSError(fault or "the file is incomplete; is the disk full?")


def _is_complete(name: str, specs: list[oiio.ImageSpec]) -> bool:
    """Whether the last row of every part is there: on a full disk every call of the writer may report success."""
    reader: Any = oiio.ImageInput.open(name)
    if reader is None:
        oiio.geterror()
        return False
    try:
        rows = (
            reader.read_scanlines(i, 0, spec.height - 1, spec.height, 0, 0, spec.nchannels, spec.format)
            for i, spec in enumerate(specs)
        )
        return all(row is not None for row in rows) and not reader.geterror()
    finally:
        reader.close()
