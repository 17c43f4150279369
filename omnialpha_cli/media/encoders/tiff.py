"""Write TIFF (Adobe's revision 6.0): one picture, a page a layer, or Photoshop's layers beside their composite."""

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psdtags
import tifffile
from isal import isal_zlib
from numpy.typing import NDArray

from .. import icc, provenance
from ..colour import SRGB
from ..image import Metadata
from ..samples import Floats, flatten, premultiplied, to_samples
from ..write import Layer, Target

ROWS = 64  # a strip
PAGE_NAME = 285
XMP = 700
TEXT_TAGS = {"Artist": 315, "Copyright": 33432, "DocumentName": 269, "HostComputer": 316, "ImageDescription": 270,
             "Make": 271, "Model": 272}  # fmt: skip
RESOLUTION_UNITS = {"in": 2, "inch": 2, "cm": 3, "none": 1}
LAYERS_KEYS = {"8": psdtags.PsdKey.LAYER, "16": psdtags.PsdKey.LAYER_16, "float": psdtags.PsdKey.LAYER_32}
TOO_LONG = 2**32 - 2**26  # bytes, from where a file has to be a BigTIFF


def write(path: Path, pixels: Floats, target: Target) -> None:
    """Write grey (H, W, 1), RGB or straight RGBA (H, W, 3 or 4). Raises OSError."""
    with _opened(path, [pixels], target) as file:
        _write(file, pixels, target)


def write_pages(path: Path, layers: Sequence[Layer], target: Target) -> None:
    """Write a page a layer, bottom first, called by its name. Raises OSError."""
    with _opened(path, [layer.rgba for layer in layers], target) as file:
        for i, layer in enumerate(layers):
            page = replace(target, provenance={}) if i else target  # it is of the file, not of every page
            _write(file, layer.rgba, page, [(PAGE_NAME, "s", 0, layer.name, True)])


def write_layers(path: Path, layers: Sequence[Layer], target: Target) -> None:
    """Write the composite, and the layers for Photoshop in tag 37724, half floats as floats. Raises OSError."""
    target = replace(target, depth="float") if target.depth == "half" else target
    composite = flatten([layer.rgba for layer in layers])
    with _opened(path, [composite, *(layer.rgba for layer in layers)], target) as file:
        order = psdtags.PsdFormat.LE32BIT  # that of the file
        records = psdtags.PsdLayers(LAYERS_KEYS[target.depth], [_record(layer, target) for layer in layers])
        data = psdtags.TiffImageSourceData(order, records, psdtags.PsdUserMask())
        _write(file, composite, target, [data.tifftag(maxworkers=2)])


class _Channel(psdtags.PsdChannel):
    """Compress a channel with ISA-L, in a tenth of the time, integers as differences to their left neighbours."""

    def tobytes(
        self, psdformat: psdtags.PsdFormat, /, compression: psdtags.PsdCompressionType | None = None
    ) -> tuple[bytes, bytes]:
        assert self.data is not None
        samples, packing = self.data, compression or self.compression
        if packing == psdtags.PsdCompressionType.ZIP_PREDICTED:
            samples = samples.copy()
            samples[:, 1:] -= self.data[:, :-1]
        content = isal_zlib.compress(samples.astype(samples.dtype.newbyteorder(">")).tobytes(), 1)
        data = psdformat.pack("H", packing) + content
        return psdformat.pack("h", self.channelid) + psdformat.pack_size(len(data)), data


def _record(layer: Layer, target: Target) -> psdtags.PsdLayer:
    pixels, box = layer.part(target.trim)
    samples = to_samples(pixels, target.depth)
    kinds = (psdtags.PsdChannelId.TRANSPARENCY_MASK, psdtags.PsdChannelId.CHANNEL0, psdtags.PsdChannelId.CHANNEL1,
             psdtags.PsdChannelId.CHANNEL2)  # fmt: skip
    planes = (samples[..., 3], samples[..., 0], samples[..., 1], samples[..., 2])
    channels = [_channel(kind, plane, target) for kind, plane in zip(kinds, planes, strict=True)]
    title = psdtags.PsdString(psdtags.PsdKey.UNICODE_LAYER_NAME, layer.name)
    rectangle = psdtags.PsdRectangle(box.y, box.x, box.y + box.height, box.x + box.width)
    return psdtags.PsdLayer(layer.name, channels, rectangle, flags=psdtags.PsdLayerFlag.PHOTOSHOP5, info=[title])


def _channel(kind: psdtags.PsdChannelId, plane: NDArray[Any], target: Target) -> psdtags.PsdChannel:
    if target.compression == "none":
        return psdtags.PsdChannel(kind, psdtags.PsdCompressionType.RAW, plane)
    packing = psdtags.PsdCompressionType.ZIP if plane.dtype.kind == "f" else psdtags.PsdCompressionType.ZIP_PREDICTED
    return _Channel(kind, packing, plane)


def _opened(path: Path, pictures: Sequence[Floats], target: Target) -> tifffile.TiffWriter:
    size = {"8": 1, "16": 2, "half": 2, "float": 4}[target.depth]
    total = size * sum(picture.size for picture in pictures)
    return tifffile.TiffWriter(path, byteorder="<", bigtiff=total > TOO_LONG)


def _write(file: tifffile.TiffWriter, pixels: Floats, target: Target, tags: Sequence[Any] = ()) -> None:
    grey, transparent = pixels.shape[2] == 1, pixels.shape[2] == 4
    associated = target.premultiplied and transparent
    samples = premultiplied(pixels, target.depth) if associated else to_samples(pixels, target.depth)
    samples = samples.astype(samples.dtype.newbyteorder("<"), copy=False)
    packed = target.compression != "none"
    differences = packed and samples.dtype.kind == "u"
    date = target.metadata.get("DateTime")
    file.write(
        _strips(samples, target, differences),
        shape=samples.shape[:2] if grey else samples.shape,
        dtype=samples.dtype,
        photometric="minisblack" if grey else "rgb",
        extrasamples=["assocalpha" if associated else "unassalpha"] if transparent else None,
        compression="zlib" if packed else None,
        predictor=differences,
        rowsperstrip=ROWS,
        iccprofile=None if grey else _profile(target),
        metadata=None,
        software=False,
        datetime=date if isinstance(date, str) and len(date) == 19 else None,
        extratags=[*tags, *_tags(target)],
        **_resolution(target.metadata),
    )


def _strips(samples: NDArray[Any], target: Target, differences: bool) -> Iterator[bytes]:
    for top in range(0, len(samples), ROWS):
        strip = samples[top : top + ROWS]
        if differences:
            strip = strip.copy()
            strip[:, 1:] -= samples[top : top + ROWS, :-1]
        data = strip.tobytes()
        if target.compression == "none":
            yield data
        else:
            yield isal_zlib.compress(data, 1) if target.compression == "fast" else zlib.compress(data, 9)


def _profile(target: Target) -> bytes | None:
    """Return the colours' profile. Floats without one are taken for linear light, so sRGB needs its profile there."""
    if target.encoding == SRGB and target.depth in ("half", "float"):
        return icc.srgb_profile()
    return target.encoding.icc


def _tags(target: Target) -> Iterator[tuple[int, str, int, bytes, bool]]:
    """Give text fields, which are ASCII by the specification, UTF-8 by what programs write and read; then XMP."""
    for name, tag in TEXT_TAGS.items():
        if isinstance(text := target.metadata.get(name), str):
            yield tag, "s", 0, text.replace("\0", " ").encode("utf-8", "replace"), True
    if target.provenance:
        packet = provenance.xmp(target.provenance)
        yield XMP, "B", len(packet), packet, True


def _resolution(metadata: Metadata) -> dict[str, Any]:
    across, down, aspect = (metadata.get(name) for name in ("XResolution", "YResolution", "PixelAspectRatio"))
    if isinstance(across, float | int) and isinstance(down, float | int) and across > 0 and down > 0:
        unit = RESOLUTION_UNITS.get(str(metadata.get("ResolutionUnit")), 1)
        return {"resolution": (float(across), float(down)), "resolutionunit": unit}
    if isinstance(aspect, float | int) and aspect > 0 and aspect != 1:
        return {"resolution": (1.0, float(aspect)), "resolutionunit": 1}  # wide pixels are fewer across
    return {}
