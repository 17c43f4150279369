"""Write Photoshop's own format, with 8-bit layers."""

from collections.abc import Sequence
from pathlib import Path

import PIL.Image
from psd_tools import PSDImage
from psd_tools.constants import Resource
from psd_tools.psd.image_resources import ImageResource

from .. import provenance
from ..samples import flatten, to_samples
from ..write import Layer, Target

LONGEST_SIDE = 30000


def write_layers(path: Path, layers: Sequence[Layer], target: Target) -> None:
    """Write the layers, bottom first, and their composite. Raises OSError."""
    if max(layers[0].rgba.shape[:2]) > LONGEST_SIDE:
        raise OSError(f"PSD holds at most {LONGEST_SIDE} pixels a side; choose another --format")
    composite = to_samples(flatten([layer.rgba for layer in layers]), "8")
    document = PSDImage.frompil(PIL.Image.fromarray(composite))
    for layer in layers:
        pixels, box = layer.part(target.trim)
        picture = PIL.Image.fromarray(to_samples(pixels, "8"))
        document.create_pixel_layer(picture, name=layer.name, top=box.y, left=box.x)
    if target.encoding.icc is not None:
        resource = ImageResource(key=Resource.ICC_PROFILE.value, data=target.encoding.icc)
        document.image_resources[Resource.ICC_PROFILE.value] = resource
    if target.provenance:
        resource = ImageResource(key=Resource.XMP_METADATA.value, data=provenance.xmp(target.provenance))
        document.image_resources[Resource.XMP_METADATA.value] = resource
    with path.open("wb") as file:
        # `save` would put its own composite in place of ours, at some seconds a picture.
        document._record.write(file)
