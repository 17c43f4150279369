"""Read a picture file: every fault is one `ItemError` that names the file and what to do."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from ..status import ItemError, RunNote
from . import icc as profiles
from .channels import Pick, choose_channels
from .colour import LINEAR, SRGB, are_usable, convert
from .image import Box, Image, Windows, on_display, trivial, upright
from .metadata import attributes, encoding_of, kept
from .opening import Admit, anybody, check_size, complaint, damaged, decoding, opened
from .pillow import read_cmyk, read_heif
from .samples import DEPTH_OF, WHITE, Floats, split, straightened
from .signatures import check_header, recognise

JPEG_SCAN, JPEG_END = b"\xff\xda", b"\xff\xd9"

# What libjpeg reports about files whose picture is whole all the same.
HARMLESS = ("extraneous bytes before marker", "Unknown Adobe color transform code", "JFIF major revision number")


def read_image(
    path: str | Path,
    max_pixels: int = 300_000_000,
    *,
    data: bool = False,
    overscan: bool = False,
    pick: Pick | None = None,
    admit: Admit = anybody,
) -> Image:
    """Read the picture in a file of one of the formats `signatures.READ`, of any depth.

    Greyscale, palette, 1-bit and CMYK become RGB, the latter by its own profile; associated alpha becomes straight;
    EXIF orientation is applied; of an EXR file it is the layer that `choose_channels` takes, on its display window, or
    with `overscan` its data window, in `Image.windows`. A picture that is `data`, such as a mask, keeps its numbers
    whatever its profile says. `admit` is called with the number of its pixels before memory is taken for them, and may
    wait until there is some. Raises `ItemError`: `missing`, `unreadable` (no permission, a folder, empty, not an
    image, truncated or damaged), `unsupported`, `too-small`, `too-large` (more than `max_pixels`), `empty` (no pixel
    lies in the display window).
    """
    path = Path(path)
    kind = recognise(path)
    check_header(path, kind)
    if kind in ("AVIF", "HEIC"):
        return read_heif(path, kind, max_pixels, admit)
    if kind == "PSD":
        check_composite(path)
    with decoding(path):
        image = _decode(path, kind, max_pixels, data, pick, admit)
    if overscan or image.windows is None:
        return image
    if image.windows.display.union(image.windows.data) == image.windows.display:
        return on_display(image)
    note = RunNote(f"{path} has pixels outside its display window, which are left out")
    return replace(on_display(image), notes=(*image.notes, note))


def _decode(path: Path, kind: str, max_pixels: int, data: bool, pick: Pick | None, admit: Admit) -> Image:
    """Read a file with OpenImageIO. Raises OSError where it cannot be opened."""
    with opened(path) as reader:
        channels, left_out, notes = choose_channels(path, reader, pick, data)
        spec = reader.spec()
        sizes = (spec.full_width, spec.full_height), (spec.width, spec.height)
        for width, height in sorted(sizes, key=math.prod, reverse=True):  # it is let in by the larger window
            check_size(path, width, height, max_pixels, admit)
        samples = _samples(path, reader, channels.part, channels.indices)  # (H, W, channels)
        is_film = bool(spec.get_int_attribute("oiio:Movie"))
        several = kind not in ("OpenEXR", "PSD") and (is_film or reader.seek_subimage(1, 0))
        complaint(reader)  # a failed seek leaves its complaint behind

    header = attributes(spec)
    icc = bytes(header.get("ICCProfile", b""))
    depth = DEPTH_OF[channels.sample]
    encoding = encoding_of(header, kind, depth)
    if encoding.icc is not None and not data and not profiles.is_usable(encoding.icc):
        notes.append(f"{path} has a damaged colour profile: the model sees its colours as sRGB")
    if encoding.primaries is not None and not are_usable(encoding.primaries):
        notes.append(f"{path} has chromaticities that span no colours: those of Rec. 709 are used")
        encoding = replace(encoding, primaries=None)
    if several:
        notes.append(f"{path} holds several pictures: the first one is used")
    windows = _windows(path, spec, data) if kind == "OpenEXR" else None
    if "CMYK" in (header.get("tiff:ColorSpace"), header.get("jpeg:ColorSpace")):
        samples = _from_inks(path, kind, samples, icc, max_pixels)
    orientation = spec.get_int_attribute("Orientation", 1)
    rgb, alpha = split(upright(samples, orientation), -1 if channels.has_alpha else None)
    if kind == "GIF" and alpha is not None and alpha.all():
        alpha = None  # every GIF is given one
    if not channels.has_colour and not data and (curve := profiles.read_grey_curve(icc)):
        rgb = convert(curve(rgb), LINEAR, SRGB)
    premultiplied = alpha is not None and not spec.get_int_attribute("oiio:UnassociatedAlpha")
    if alpha is not None and premultiplied:
        rgb = straightened(rgb, alpha)
    notes += note_nonfinite(path, rgb, depth)
    return Image(
        rgb,
        alpha,
        depth=depth,
        encoding=encoding,
        alpha_kind="premultiplied" if premultiplied else "straight",
        path=path,
        metadata=kept(spec),
        notes=tuple(notes),
        windows=windows,
        left_out=left_out,
        taken=(path, channels.part, channels.indices) if left_out and kind == "OpenEXR" else None,
    )


def _windows(path: Path, spec: oiio.ImageSpec, data: bool) -> Windows | None:
    """Return the windows of an EXR file; None where both are one, at the origin. An empty one fails, or is no mask."""
    windows = Windows(
        Box(spec.x, spec.y, spec.width, spec.height), Box(spec.full_x, spec.full_y, spec.full_width, spec.full_height)
    )
    if not data and not windows.data.overlaps(windows.display):
        raise ItemError("empty", f"{path} has no pixel in its display window: export it with one that fits")
    return None if windows == trivial((spec.height, spec.width)) else windows


def note_nonfinite(name: Path | str, rgb: Floats, depth: str) -> list[str]:
    """Return what the user of a picture (H, W, 3) called `name` should know of its values, if anything."""
    if depth not in ("half", "float"):
        return []
    with np.errstate(over="ignore", invalid="ignore"):  # the sum is quick, and counts for nothing where it overflows
        count = np.count_nonzero(~np.isfinite(rgb.sum(-1)) & ~np.isfinite(rgb).all(-1))
    return [f"{name} has {count} pixels that are not numbers or infinite: the model is shown others"] if count else []


def _samples(path: Path, reader: oiio.ImageInput, part: int, indices: tuple[int, ...]) -> NDArray[Any]:
    """Return the samples (H, W, channels) of the chosen channels, in the file's own type."""
    first, end = min(indices), max(indices) + 1
    samples = reader.read_image(part, 0, first, end, reader.spec().format)
    fault = complaint(reader)
    if samples is None or (fault and not _is_harmless(fault, path)):
        raise damaged(path, fault)
    if indices == tuple(range(first, end)):
        return samples
    return samples[..., [index - first for index in indices]]


def _from_inks(path: Path, kind: str, samples: NDArray[Any], icc: bytes, max_pixels: int) -> NDArray[Any]:
    """Return a CMYK file as sRGB (H, W, 3), by its own profile, at 8 bits; without one as OpenImageIO sees it."""
    if profiles.profile_space(icc) != "CMYK":
        return samples
    if kind == "JPEG":
        inks = read_cmyk(path, max_pixels)
    else:
        with opened(path, raw=True) as reader:
            inks = _samples(path, reader, 0, (0, 1, 2, 3))
        white = WHITE[DEPTH_OF[inks.dtype.name]]
        inks = (inks.astype(np.float32) * np.float32(255 / white) + np.float32(0.5)).astype(np.uint8)
    try:
        rgb = profiles.by_littlecms(inks, icc, mode="CMYK")
    except ValueError:
        return samples
    return rgb.astype(samples.dtype) * samples.dtype.type(257 if samples.dtype == np.uint16 else 1)


def _is_harmless(fault: str, path: Path) -> bool:
    """Tell whether the picture is whole in spite of libjpeg's report, which is only the first of perhaps several."""
    if not any(harmless in fault for harmless in HARMLESS):
        return False
    data = path.read_bytes()
    return data.rfind(JPEG_END) > data.rfind(JPEG_SCAN)  # coded data never looks like a marker


def check_composite(path: Path) -> None:
    """Raise `ItemError` where a PSD file has layers but no composite: `unsupported`; or is damaged: `unreadable`."""
    from psd_tools import PSDImage

    with decoding(path):
        whole = PSDImage.open(path).has_preview()
    if not whole:
        raise ItemError("unsupported", f"{path} has no composite: save it again with Maximize Compatibility")
