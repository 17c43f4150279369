"""Read the layers back from a file that has several: one that this tool wrote."""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zipfile import ZipFile

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from ..status import ItemError
from . import provenance
from .channels import Pick
from .colour import Encoding
from .image import Box, Image, from_array, on_display, place, trivial
from .opening import NO_LAYERS, check_size, decoding, opened, parts_of, read_samples
from .read import read_image
from .samples import split, straightened


def read_layers(path: Path, format: str, *, overscan: bool = False) -> Iterator[Image]:
    """Read the layers, bottom first, of a file of a row of `media.formats` that keeps them in one. Raises `ItemError`.

    What an editor has moved, hidden or made translucent comes as it is shown. With `overscan` EXR has its data window.
    """
    with decoding(path, NO_LAYERS):
        for image in READERS[format](path):
            yield image if overscan else on_display(image)


def placed(image: Image, left: int, top: int, size: tuple[int, int], opacity: float = 1) -> Image:
    """Return a layer at its place on a canvas of `size` (H, W), at an opacity; alpha is 0 where it has no pixels."""
    if (left, top, image.size, opacity) == (0, 0, size, 1):
        return image
    box, canvas = Box(left, top, image.size[1], image.size[0]), Box(0, 0, size[1], size[0])
    alpha = np.ones(image.size, np.float32) if image.alpha is None else image.alpha
    return replace(image, rgb=place(image.rgb, box, canvas), alpha=place(alpha * np.float32(opacity), box, canvas))


def untrimmed(image: Image, made: provenance.Record | None) -> Image:
    """Return a picture at its place in the one that it was trimmed from, as its record says; as it is without one.

    Raises `ItemError` `too-small` or `too-large` where that one cannot be.
    """
    try:
        left, top, width, height = map(int, (made or {})[provenance.PLACE].split())
    except (KeyError, ValueError):
        return image
    check_size(image.path or Path("a layer"), width, height)
    return placed(image, left, top, (height, width))


def _check_blend(name: str, blend: str, normal: str) -> None:
    if blend != normal:
        raise ValueError(f"layer {name} is blended by {blend}; merge it, or set it to normal")


def _picture(pixels: Any, name: str) -> Image:
    """Return the pixels of a layer, of which messages tell by its `name`. Raises ValueError."""
    try:
        return from_array(pixels)
    except ItemError as error:
        raise ValueError(f"layer {name}: {error}") from None


def _of_openraster(path: Path) -> Iterator[Image]:
    with ZipFile(path) as archive, tempfile.TemporaryDirectory(prefix="omnialpha-") as folder:
        stack = ET.fromstring(archive.read("stack.xml"))
        if len(list(stack.iter("stack"))) > 1:
            raise ValueError("it has groups; merge each to a layer")
        size = int(stack.attrib["h"]), int(stack.attrib["w"])
        check_size(path, size[1], size[0])
        for layer in reversed(list(stack.iter("layer"))):  # the top one is the first
            attributes = layer.attrib
            _check_blend(attributes.get("name", ""), attributes.get("composite-op", "svg:src-over"), "svg:src-over")
            image = read_image(archive.extract(attributes["src"], folder))
            opacity = float(attributes.get("opacity", 1)) * (attributes.get("visibility") != "hidden")
            yield placed(image, int(attributes.get("x", 0)), int(attributes.get("y", 0)), size, opacity)


def _of_photoshop(path: Path) -> Iterator[Image]:
    from psd_tools import PSDImage
    from psd_tools.constants import BlendMode, Resource

    document = PSDImage.open(path)
    check_size(path, document.width, document.height)
    icc = document.image_resources.get_data(Resource.ICC_PROFILE)
    for layer in document:
        _check_blend(layer.name, layer.blend_mode.name, BlendMode.NORMAL.name)
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # a channel that does not decode is black, with a warning
            pixels = layer.topil(apply_icc=False)
        if pixels is None:
            raise ValueError(f"layer {layer.name} has no pixels of its own; merge it, or delete it")
        image = replace(_picture(pixels, layer.name), encoding=Encoding(icc=icc))
        opacity = layer.opacity / 255 * layer.visible
        yield placed(image, layer.left, layer.top, (document.height, document.width), opacity)


def _of_photoshops_tiff(path: Path) -> Iterator[Image]:
    import psdtags

    like = read_image(path)
    for layer in psdtags.TiffImageSourceData.fromtiff(str(path)).layers:
        _check_blend(layer.name, layer.blendmode.name, psdtags.PsdBlendMode.NORMAL.name)
        image = _picture(layer.asarray(planar=False), layer.name)
        opacity = layer.opacity / 255 * (not layer.flags & psdtags.PsdLayerFlag.VISIBLE)  # the bit hides it
        own = replace(like, rgb=image.rgb, alpha=image.alpha)
        yield placed(own, layer.rectangle.left, layer.rectangle.top, like.size, opacity)


def _of_pages(path: Path) -> Iterator[Image]:
    """Read the layers of a TIFF with a page a layer."""
    like = read_image(path)
    for spec, samples in _parts_of(path):
        yield _layer(like, spec, samples)


def _of_exr(path: Path) -> Iterator[Image]:
    """Read the layers that an EXR's attribute `layers` names, in groups of channels or parts, and its composite.

    Earlier versions of this tool called the groups `layer_00`, …, and wrote parts without a composite.
    """
    like = read_image(path, overscan=True, pick=Pick(part=0))
    parts = list(_parts_of(path))
    first = parts[0][0]
    named = first.get_string_attribute("layers")
    order = [entry.split()[0] for entry in named.split(",")] if named else []
    if not order and len(parts) > 1:
        yield from (_layer(like, spec, samples) for spec, samples in parts)
        return
    groups: dict[str, tuple[oiio.ImageSpec, NDArray[Any], list[int]]] = {}
    for spec, samples in parts:
        names = list(spec.channelnames)
        for prefix in dict.fromkeys(name.rpartition(".")[0] for name in names):
            wanted = [f"{prefix}.{channel}" if prefix else channel for channel in "RGBA"]
            if set(wanted) <= set(names):
                groups.setdefault(prefix, (spec, samples, [names.index(name) for name in wanted]))
    for name in order or sorted(groups.keys() - {""}) or [""]:
        spec, samples, indices = groups[name]
        own, whole = Box(spec.x, spec.y, spec.width, spec.height), (like.windows or trivial(like.size)).data
        yield _layer(like, spec, place(samples[..., indices], own, whole))


def _parts_of(path: Path) -> Iterator[tuple[oiio.ImageSpec, NDArray[Any]]]:
    """Return headers and samples (H, W, channels) of all parts of a file."""
    with opened(path) as reader:
        for part, spec in parts_of(reader):
            yield spec, read_samples(reader, part, 0, spec.nchannels, spec.format)


def _layer(like: Image, spec: oiio.ImageSpec, samples: NDArray[Any]) -> Image:
    """Return a layer of RGBA samples (H, W, 4) in a file that is encoded as the picture `like` it."""
    rgb, alpha = split(samples, -1)
    assert alpha is not None
    if not spec.get_int_attribute("oiio:UnassociatedAlpha"):
        straightened(rgb, alpha)
    return replace(like, rgb=rgb, alpha=alpha)


READERS: dict[str, Callable[[Path], Iterator[Image]]] = {
    "ora": _of_openraster,
    "psd": _of_photoshop,
    "tiff": _of_photoshops_tiff,
    "tiff-pages": _of_pages,
    "exr": _of_exr,
}
