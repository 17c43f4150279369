"""Read the layers back from a file that has several: one that this tool wrote."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from ..status import ItemError
from .channels import Pick
from .image import Image, from_array, split
from .names import spelled
from .opening import open_file
from .read import read_image
from .windows import on_display


def read_layers(path: Path, format: str) -> Iterator[Image]:
    """The layers, bottom first, one at a time, of a file of a row of `media.formats` that keeps them in one file.

    Raises `ItemError`.
    """
    try:
        yield from READERS[format](path)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise ItemError("unreadable", f"{path}: its layers cannot be read: {error}") from error


def _of_openraster(path: Path) -> Iterator[Image]:
    with ZipFile(path) as archive, tempfile.TemporaryDirectory(prefix="omnialpha-") as folder:
        for i in range(sum(name.startswith("data/layer") for name in archive.namelist())):
            yield read_image(archive.extract(f"data/layer{i}.png", folder))


def _of_photoshop(path: Path) -> Iterator[Image]:
    from psd_tools import PSDImage
    from psd_tools.constants import Resource

    document = PSDImage.open(path)
    icc = document.image_resources.get_data(Resource.ICC_PROFILE)
    for layer in document:
        yield replace(from_array(layer.topil(apply_icc=False)), icc=icc)


def _of_photoshops_tiff(path: Path) -> Iterator[Image]:
    import psdtags

    like = read_image(path)
    for layer in psdtags.TiffImageSourceData.fromtiff(str(path)).layers:
        image = from_array(layer.asarray(planar=False))
        yield replace(like, rgb=image.rgb, alpha=image.alpha)


def _of_pages(path: Path) -> Iterator[Image]:
    """TIFF with a page a layer."""
    like = read_image(path)
    for spec, samples in _parts_of(path):
        yield _layer(like, spec, samples)


def _of_exr(path: Path) -> Iterator[Image]:
    """EXR with its composite and the layers that its attribute `layers` names, in groups of channels or parts.

    Earlier versions of this tool called the groups `layer_00`, …, and wrote parts without a composite.
    """
    like = read_image(path, overscan=True, pick=Pick(part=0))
    parts = list(_parts_of(path))
    first = parts[0][0]
    named = first.get_string_attribute("layers")
    order = [entry.split()[0] for entry in named.split(",")] if named else []
    if not order and len(parts) > 1:
        yield from (on_display(_layer(like, spec, samples)) for spec, samples in parts)
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
        yield on_display(_layer(like, spec, samples[..., indices]))


def _parts_of(path: Path) -> Iterator[tuple[oiio.ImageSpec, NDArray[Any]]]:
    """Headers and samples (H, W, channels) of all parts of a file."""
    with spelled(path) as name:
        reader, fault = open_file(name)
        if reader is None:
            raise OSError(fault)
        try:
            part = 0
            while reader.seek_subimage(part, 0):
                spec = reader.spec()
                samples = reader.read_image(part, 0, 0, spec.nchannels, spec.format)
                if samples is None:
                    raise OSError(reader.geterror())
                yield spec, samples
                part += 1
            reader.geterror()  # the seek behind the last part leaves its complaint
        finally:
            reader.close()


def _layer(like: Image, spec: oiio.ImageSpec, samples: NDArray[Any]) -> Image:
    """A layer of RGBA samples (H, W, 4) in a file that is encoded as the picture `like` it."""
    rgb, alpha = split(samples, -1)
    assert alpha is not None
    if not spec.get_int_attribute("oiio:UnassociatedAlpha"):
        np.divide(rgb, alpha[..., None], out=rgb, where=alpha[..., None] > 0)
    return replace(like, rgb=rgb, alpha=alpha)


READERS: dict[str, Callable[[Path], Iterator[Image]]] = {
    "ora": _of_openraster,
    "psd": _of_photoshop,
    "tiff": _of_photoshops_tiff,
    "tiff-pages": _of_pages,
    "exr": _of_exr,
}
