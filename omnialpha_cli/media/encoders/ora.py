"""Write OpenRaster 0.0.5: a zip of PNG files with their stack."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import numpy as np
import PIL.Image

from .. import provenance
from ..colour import SRGB, convert
from ..image import Box
from ..samples import Floats, flatten, to_samples
from ..write import Layer, Target
from . import png

MIMETYPE = b"image/openraster"
THUMBNAIL = 256  # pixels a side, at most
DATE = (1980, 1, 1, 0, 0, 0)  # the same pixels are the same file


def write_layers(path: Path, layers: Sequence[Layer], target: Target) -> None:
    """Write the layers, bottom first, their composite and a thumbnail. Raises OSError."""
    composite = flatten([layer.rgba for layer in layers])
    merged = replace(target, provenance={})  # the comment is of the whole archive
    inner = replace(merged, metadata={})
    with ZipFile(path, "w") as archive:
        _add(archive, "mimetype", MIMETYPE)  # first, and as it is: programs look for it at a fixed place
        parts = [layer.part(target.trim) for layer in layers]
        _add(archive, "stack.xml", _stack(layers, [box for _, box in parts]), ZIP_DEFLATED)
        for i, (pixels, _) in enumerate(parts):
            _add(archive, f"data/layer{i}.png", _png(pixels, inner))
        _add(archive, "mergedimage.png", _png(composite, merged))
        _add(archive, "Thumbnails/thumbnail.png", _thumbnail(composite, target))
        if target.provenance:
            archive.comment = json.dumps(provenance.named(target.provenance)).encode()


def _stack(layers: Sequence[Layer], boxes: Sequence[Box]) -> bytes:
    """Return stack.xml, which begins with the top layer."""
    height, width = layers[0].rgba.shape[:2]
    image = ET.Element("image", version="0.0.5", w=str(width), h=str(height))
    stack = ET.SubElement(image, "stack")
    for i, layer in reversed(list(enumerate(layers))):
        ET.SubElement(stack, "layer", {
            "name": layer.name, "src": f"data/layer{i}.png", "x": str(boxes[i].x), "y": str(boxes[i].y),
            "opacity": "1.0", "visibility": "visible", "composite-op": "svg:src-over",
        })  # fmt: skip
    return ET.tostring(image, encoding="UTF-8", xml_declaration=True)


def _png(rgba: Floats, target: Target) -> bytes:
    file = io.BytesIO()
    png.encode(file, rgba, target)
    return file.getvalue()


def _thumbnail(composite: Floats, target: Target) -> bytes:
    """Return an 8-bit picture in sRGB."""
    step = max(1, max(composite.shape[:2]) // (2 * THUMBNAIL))
    small = composite[::step, ::step]
    colour = convert(np.ascontiguousarray(small[..., :3]), target.encoding, SRGB)
    picture = PIL.Image.fromarray(to_samples(np.concatenate((colour, small[..., 3:]), -1), "8"))
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    file = io.BytesIO()
    picture.save(file, format="PNG")
    return file.getvalue()


def _add(archive: ZipFile, name: str, data: bytes, packing: int = ZIP_STORED) -> None:
    info = ZipInfo(name, DATE)
    info.compress_type = packing
    archive.writestr(info, data)
