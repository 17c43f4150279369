"""Read the layers back from a file that has several: one that this tool wrote."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
import OpenImageIO as oiio

from ..status import ItemError
from .image import Image, from_array, split
from .names import spelled
from .read import read_image


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


def _of_parts(path: Path) -> Iterator[Image]:
    """TIFF with a page a layer; EXR with a part a layer, or with a composite and groups of channels `layer_00`, …"""
    like = read_image(path)
    wanted = oiio.ImageSpec()
    wanted.attribute("oiio:UnassociatedAlpha", 1)
    with spelled(path) as name:
        reader = oiio.ImageInput.open(name, wanted)
        if reader is None:
            raise OSError(oiio.geterror())
        try:
            part = 0
            while reader.seek_subimage(part, 0):
                spec = reader.spec()
                samples = reader.read_image(part, 0, 0, spec.nchannels, spec.format)
                if samples is None:
                    raise OSError(reader.geterror())
                names = list(spec.channelnames)
                prefixes = sorted({name.rpartition(".")[0] + "." for name in names if "." in name}) or [""]
                for prefix in prefixes:
                    rgb, alpha = split(samples[..., [names.index(prefix + channel) for channel in "RGBA"]], -1)
                    assert alpha is not None
                    if not spec.get_int_attribute("oiio:UnassociatedAlpha"):
                        np.divide(rgb, alpha[..., None], out=rgb, where=alpha[..., None] > 0)
                    yield replace(like, rgb=rgb, alpha=alpha)
                part += 1
            reader.geterror()  # the seek behind the last part leaves its complaint
        finally:
            reader.close()


READERS: dict[str, Callable[[Path], Iterator[Image]]] = {
    "ora": _of_openraster,
    "psd": _of_photoshop,
    "tiff": _of_photoshops_tiff,
    "tiff-pages": _of_parts,
    "exr": _of_parts,
}
