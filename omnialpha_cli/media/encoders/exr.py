"""Write OpenEXR: scene-linear light, premultiplied, on the data and display windows of the source."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from .. import provenance
from ..channels import can_be_kept
from ..image import Box, Metadata, trivial
from ..metadata import give_back, of_channels
from ..opening import opened, parts_of, read_samples, spelled
from ..samples import Floats, flatten, premultiplied, to_samples
from ..write import Layer, Target, visible_box

# Measured on a 3840×2160 RGBA half photograph: ZIPS 0.6 s and 34 MB, PIZ 0.4 s and 31 MB, none 0.1 s and 66 MB; PIZ
# does less well without grain, and reads slower in most programs.
COMPRESSIONS = {"none": "none", "fast": "zips", "small": "piz"}
COMPOSITE = "composite"  # the part's name
ASIDE = "source."  # prefix of a channel of the source whose name a result's has


Part = tuple[oiio.ImageSpec, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Group:
    """Hold the channels of a part of that name, and their samples (H, W, channels); those in the `box` are written."""

    name: str
    channels: list[str]
    samples: NDArray[Any]
    box: Box


@dataclass(frozen=True, eq=False)
class Rest:
    """Hold what an EXR file has beside its picture.

    `planes` are names and samples (H, W), half or float, of the other channels of its part, `parts` headers and
    samples (H, W, channels) of the others, `metadata` what describes channels.
    """

    planes: Sequence[tuple[str, NDArray[Any]]] = ()
    parts: Sequence[Part] = ()
    metadata: Metadata = field(default_factory=dict[str, Any])


def write(path: Path, pixels: Floats, target: Target, light: NDArray[np.bool_] | None, box: Box) -> None:
    """Write a `box` of grey (H, W, 1), RGB (H, W, 3) or straight RGBA (H, W, 4), premultiplied here. Raises OSError.

    Light without coverage, in the pixels `light` (H, W), stays as it is where alpha is 0.
    """
    names = {1: ["Y"], 3: list("RGB"), 4: list("RGBA")}[pixels.shape[2]]
    samples = premultiplied(pixels, target.depth, light) if len(names) == 4 else to_samples(pixels, target.depth)
    _write_with_rest(path, [Group(COMPOSITE, names, samples, box)], target)


def write_layers(path: Path, layers: Sequence[Layer], target: Target) -> None:
    """Write the composite as R, G, B, A, and each layer by its name: `background.R`, …; bottom first.

    All are in one part, or, with `target.parts`, the composite and every layer in one of its own; the attribute
    `layers` has the names in their order. Raises OSError.
    """
    composite = premultiplied(flatten([layer.rgba for layer in layers]), target.depth)
    boxes = [visible_box(layer.rgba, target.trim) for layer in layers]
    groups = [Group(COMPOSITE, list("RGBA"), composite, reduce(Box.union, boxes))]
    for layer, box in zip(layers, boxes, strict=True):
        channels = [f"{layer.name}.{c}" for c in "RGBA"]
        groups.append(Group(layer.name, channels, premultiplied(layer.rgba, target.depth), box))
    if not target.parts:
        channels = [name for group in groups for name in group.channels]
        groups = [Group(COMPOSITE, channels, np.concatenate([group.samples for group in groups], -1), groups[0].box)]
    _write_with_rest(path, groups, target, ", ".join(layer.name for layer in layers))


def _write_with_rest(path: Path, groups: Sequence[Group], target: Target, order: str = "") -> None:
    """Write a part for each group, called by its name; the rest of the source goes along."""
    rest = Rest() if target.rest is None else _read_rest(*target.rest)
    parts = [_part(group, target, Rest() if i else rest) for i, group in enumerate(groups)]
    if order:
        parts[0][0].attribute("layers", order)
    for attribute, value in provenance.named(target.provenance).items():
        parts[0][0].attribute(attribute, value)
    if len(parts) + len(rest.parts) > 1:
        used = [group.name for group in groups]
        for (spec, _), name in zip(parts, used, strict=True):
            spec.attribute("oiio:subimagename", name)
        for spec, samples in rest.parts:
            name = spec.get_string_attribute("oiio:subimagename")
            while name in used:
                name = ASIDE + name
            used.append(name)
            spec.attribute("oiio:subimagename", name)
            parts.append((spec, samples))
    _write(path, parts)


def _part(group: Group, target: Target, rest: Rest) -> Part:
    """Return the header of a part and its samples, those of the rest's channels behind its own."""
    samples, names = group.samples, group.channels
    types = [oiio.TypeDesc(target.depth)] * len(names)
    if rest.planes:
        planes = [samples.astype(np.float32), *(plane[..., None].astype(np.float32) for _, plane in rest.planes)]
        samples = np.concatenate(planes, -1)
        types += [oiio.TypeDesc("half" if plane.dtype == np.float16 else "float") for _, plane in rest.planes]
        names = names + [ASIDE + name if name in names else name for name, _ in rest.planes]
    windows, box = target.windows or trivial(samples.shape[:2]), group.box
    samples = box.crop(samples)
    spec = oiio.ImageSpec(box.width, box.height, len(names), target.depth)
    if rest.planes:
        spec.channelformats = tuple(types)
    spec.channelnames = tuple(names)
    spec.alpha_channel = names.index("A") if "A" in names else -1
    give_back(spec, {**target.metadata, **rest.metadata})
    spec.x, spec.y = windows.data.x + box.x, windows.data.y + box.y
    spec.full_x, spec.full_y = windows.display.x, windows.display.y
    spec.full_width, spec.full_height = windows.display.width, windows.display.height
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
        if fault or not (written and closed and _is_complete(path, specs)):
            fault = " ".join(fault.split())[:100]
            raise OSError(fault or "the file is incomplete; is the disk full?")


def _read_rest(path: Path, part: int, channels: tuple[int, ...]) -> Rest:
    """Read all of a file but those `channels` of that `part`. Raises OSError.

    Deep parts, and whole numbers beside floats in one part, are left out: they cannot be written again.
    """
    planes: list[tuple[str, NDArray[Any]]] = []
    parts: list[Part] = []
    metadata: Metadata = {}
    with opened(path) as reader:
        for number, spec in parts_of(reader):
            if number == part:
                metadata = of_channels(spec)
                for i, name in enumerate(spec.channelnames):
                    if i not in channels and can_be_kept(spec, i, beside=True):
                        samples = read_samples(reader, number, i, i + 1, str(spec.channelformat(i)))
                        planes.append((name, samples[..., 0]))
            elif not spec.deep:
                samples = read_samples(reader, number, 0, spec.nchannels, str(spec.format))
                parts.append((oiio.ImageSpec(spec), samples))
    return Rest(planes, parts, metadata)


def _is_complete(path: Path, specs: list[oiio.ImageSpec]) -> bool:
    """Tell whether the last row of every part is there: on a full disk every call of the writer may report success."""
    with suppress(OSError), opened(path) as opened_file:
        reader: Any = opened_file
        for part, spec in enumerate(specs):
            end = spec.y + spec.height
            if reader.read_scanlines(part, 0, end - 1, end, 0, 0, spec.nchannels, spec.format) is None:
                return False
        return not reader.geterror()
    return False
