"""Write OpenEXR: scene-linear light, premultiplied, on the data and display windows of the source."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from .. import provenance
from ..metadata import give_back
from ..opening import spelled
from ..rest import Rest, read_rest
from ..samples import Floats, flatten, premultiplied, to_samples
from ..target import Target
from .layer import Layer

# Measured on a 3840×2160 RGBA half photograph: ZIPS 0.6 s and 34 MB, PIZ 0.4 s and 31 MB, none 0.1 s and 66 MB; PIZ
# does less well without grain, and reads slower in most programs.
COMPRESSIONS = {"none": "none", "fast": "zips", "small": "piz"}
COMPOSITE = "composite"  # the part's name
ASIDE = "source."  # prefix of a channel of the source whose name a result's has

Part = tuple[oiio.ImageSpec, NDArray[Any]]


def write(path: Path, pixels: Floats, target: Target, light: NDArray[np.bool_] | None = None) -> None:
    """Write grey (H, W, 1) or straight RGBA (H, W, 4), premultiplied here. Raises OSError.

    Light without coverage, in the pixels `light` (H, W), stays as it is where alpha is 0.
    """
    names = ["Y"] if pixels.shape[2] == 1 else list("RGB" if pixels.shape[2] == 3 else "RGBA")
    samples = premultiplied(pixels, target.depth, light) if len(names) == 4 else to_samples(pixels, target.depth)
    _write_with_rest(path, [(names, samples)], [COMPOSITE], target)


def write_layers(path: Path, layers: Sequence[Layer], target: Target) -> None:
    """Write the composite as R, G, B, A, and each layer by its name: `background.R`, …; bottom first.

    All in one part, or, with `target.parts`, the composite and every layer in a part of its own. The attribute `layers`
    has the names in their order. Raises OSError.
    """
    composite = premultiplied(flatten([layer.rgba for layer in layers]), target.depth)
    groups = [(list("RGBA"), composite)]
    for layer in layers:
        groups.append(([f"{layer.name}.{c}" for c in "RGBA"], premultiplied(layer.rgba, target.depth)))
    order = ", ".join(layer.name for layer in layers)
    names = [COMPOSITE, *(layer.name for layer in layers)]
    if not target.parts:
        groups, names = [([name for names, _ in groups for name in names],
                          np.concatenate([samples for _, samples in groups], -1))], names[:1]  # fmt: skip
    _write_with_rest(path, groups, names, target, order)


def _write_with_rest(
    path: Path,
    groups: Sequence[tuple[list[str], NDArray[Any]]],
    names: Sequence[str],
    target: Target,
    order: str | None = None,
) -> None:
    """Write a part for each group, a list of channels and their samples (H, W, channels), called by its name; the rest
    of the source goes with the first, and in parts of its own.
    """
    rest = Rest() if target.rest is None else read_rest(*target.rest)
    parts = [_part(samples, channels, target, rest if i == 0 else Rest()) for i, (channels, samples) in
             enumerate(groups)]  # fmt: skip
    if order is not None:
        parts[0][0].attribute("layers", order)
    for attribute, value in provenance.named(target.provenance).items():
        parts[0][0].attribute(attribute, value)
    if len(parts) + len(rest.parts) > 1:
        used = list(names)
        for (spec, _), name in zip(parts, names, strict=True):
            spec.attribute("oiio:subimagename", name)
        for spec, samples in rest.parts:
            name = spec.get_string_attribute("oiio:subimagename")
            while name in used:
                name = ASIDE + name
            used.append(name)
            spec.attribute("oiio:subimagename", name)
            parts.append((spec, samples))
    _write(path, parts)


def _part(samples: NDArray[Any], names: list[str], target: Target, rest: Rest) -> Part:
    """Return the header of a part and its samples, those of the rest's channels behind its own."""
    types = [oiio.TypeDesc(target.depth)] * len(names)
    if rest.planes:
        planes = [samples.astype(np.float32), *(plane[..., None].astype(np.float32) for _, plane in rest.planes)]
        samples = np.concatenate(planes, -1)
        types += [oiio.TypeDesc("half" if plane.dtype == np.float16 else "float") for _, plane in rest.planes]
        own = set(names)
        names = names + [ASIDE + name if name in own else name for name, _ in rest.planes]
    height, width, channels = samples.shape
    spec = oiio.ImageSpec(width, height, channels, target.depth)
    if rest.planes:
        spec.channelformats = tuple(types)
    spec.channelnames = tuple(names)
    spec.alpha_channel = names.index("A") if "A" in names else -1
    give_back(spec, {**target.metadata, **rest.metadata})
    if target.windows is not None:
        data, display = target.windows.data, target.windows.display
        spec.x, spec.y = data.x, data.y
        spec.full_x, spec.full_y, spec.full_width, spec.full_height = (
            display.x, display.y, display.width, display.height,
        )  # fmt: skip
    spec.attribute("compression", COMPRESSIONS[target.compression])
    if target.encoding.primaries is not None and len(names) > 1:
        spec.attribute("chromaticities", oiio.TypeDesc("float[8]"), target.encoding.primaries)
    return spec, samples


def _write(path: Path, parts: Sequence[Part]) -> None:
    writer: Any = oiio.ImageOutput.create("openexr")
    path.touch()
    with spelled(path) as name:
        specs = [spec for spec, _ in parts]
        for spec in specs:
            if spec.getattribute("DateTime") is None:
                spec.attribute("DateTime", "")  # else it would be now, and no file the same as another
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
    """Tell whether the last row of every part is there: on a full disk every call of the writer may report success."""
    reader: Any = oiio.ImageInput.open(name)
    if reader is None:
        oiio.geterror()
        return False
    try:
        rows = (
            reader.read_scanlines(i, 0, end - 1, end, 0, 0, spec.nchannels, spec.format)
            for i, spec in enumerate(specs)
            if (end := spec.y + spec.height) is not None
        )
        return all(row is not None for row in rows) and not reader.geterror()
    finally:
        reader.close()
