"""Read a picture file with OpenImageIO: every fault is one `ItemError` that names the file and what to do."""

import stat
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio

from ..status import ItemError
from .image import SAMPLES, Image, rgb_profile, split, upright
from .names import spelled

MIN_SIDE = 2  # pixels
MAX_SIDE = 32768
MAX_PIXELS = 200_000_000

# First bytes → format. What is not read is listed too, so that its message can say so.
READ = {"JPEG", "PNG", "WebP", "TIFF", "BMP"}
SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (8, b"WEBP", "WebP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (0, b"BM", "BMP"),
    (0, b"v/1\x01", "OpenEXR"),
    (0, b"GIF8", "GIF"),
    (0, b"8BPS", "PSD"),
    (0, b"SDPX", "DPX"),
    (0, b"XPDS", "DPX"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (4, b"jP  ", "JPEG 2000"),
    (4, b"ftyp", "HEIC, AVIF or a film"),
    (0, b"%PDF", "PDF"),
)

# Attributes that the output gets back. Places, serial numbers and thumbnails are left behind.
KEPT_METADATA = (
    "Artist",
    "Copyright",
    "DateTime",
    "ImageDescription",
    "PixelAspectRatio",
    "ResolutionUnit",
    "XResolution",
    "YResolution",
    "oiio:ColorSpace",
)

JPEG_SCAN, JPEG_END = b"\xff\xda", b"\xff\xd9"

# What libjpeg reports about files whose picture is whole all the same.
HARMLESS = ("extraneous bytes before marker", "Unknown Adobe color transform code", "JFIF major revision number")


def read_image(path: str | Path) -> Image:
    """The picture in a JPEG, PNG, WebP, TIFF or BMP file of 1 to 8 bits, or 16 bits, a channel.

    Greyscale, palette, 1-bit and CMYK become RGB; associated alpha becomes straight; EXIF orientation is applied.
    Raises `ItemError`: `missing`, `unreadable` (no permission, a folder, empty, not an image, truncated or damaged),
    `unsupported`, `too-small`, `too-large`.
    """
    path = Path(path)
    _recognise(path)
    with spelled(path) as name:
        return _decode(path, name)


def _decode(path: Path, name: str) -> Image:
    """Read the file `path`, which can be opened as `name`."""
    straight = oiio.ImageSpec()
    straight.attribute("oiio:UnassociatedAlpha", 1)
    reader = oiio.ImageInput.open(name, straight)
    if reader is None:
        raise _damaged(path, oiio.geterror())
    try:
        spec = reader.spec()
        _check_header(path, spec)
        samples = reader.read_image(0, 0, 0, spec.nchannels, spec.format)  # (H, W, channels)
        fault = reader.geterror()
        if samples is None or (fault and not _is_harmless(fault, path)):
            raise _damaged(path, fault)
        several = bool(spec.get_int_attribute("oiio:Movie")) or reader.seek_subimage(1, 0)
        reader.geterror()  # a failed seek leaves its complaint behind
    finally:
        reader.close()

    samples = upright(samples, spec.get_int_attribute("Orientation", 1))
    has_alpha = spec.alpha_channel >= 0
    rgb, alpha = split(samples, spec.alpha_channel if has_alpha else None)
    if alpha is not None and not spec.get_int_attribute("oiio:UnassociatedAlpha"):
        rgb = np.where(alpha[..., None] > 0, rgb / np.maximum(alpha, 1e-6)[..., None], rgb)
    attributes: dict[str, Any] = {attribute.name: attribute.value for attribute in spec.extra_attribs}
    profile = attributes.get("ICCProfile")
    return Image(
        rgb,
        alpha,
        depth=SAMPLES[str(spec.format)][0],
        transfer="linear" if str(attributes.get("oiio:ColorSpace", "")).lower().startswith("lin") else "srgb",
        icc=rgb_profile(None if profile is None else bytes(profile)),
        path=path,
        metadata={name: attributes[name] for name in KEPT_METADATA if name in attributes},
        notes=(f"{path} holds several pictures: the first one is used",) if several else (),
    )


def _recognise(path: Path) -> None:
    """Refuse what cannot be opened, or is not an image of a known format."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ItemError("unreadable", f"{path} is a folder: give the files in it")
        if not stat.S_ISREG(mode):
            raise ItemError("unreadable", f"{path} is not a regular file: copy its content to one")
        with path.open("rb") as file:
            head = file.read(16)
    except FileNotFoundError:
        raise ItemError("missing", f"{path} does not exist: check its name") from None
    except PermissionError:
        raise ItemError("unreadable", f"{path} may not be read: give yourself permission (chmod u+r)") from None
    except OSError as error:
        raise ItemError("unreadable", f"{path} cannot be read: {error.strerror}") from None
    if not head:
        raise ItemError("unreadable", f"{path} is empty (0 bytes): copy or export it again")
    for start, signature, name in SIGNATURES:
        if head[start : start + len(signature)] == signature:
            if name not in READ:
                raise ItemError("unsupported", f"{path} is {name}: convert it to PNG, TIFF or JPEG first")
            return
    raise ItemError("unreadable", f"{path} is not an image: expected JPEG, PNG, WebP, TIFF or BMP")


def _check_header(path: Path, spec: oiio.ImageSpec) -> None:
    """Refuse sizes, depths and channels that this tool does not handle, before memory is taken for the pixels."""
    height, width = spec.height, spec.width
    if min(height, width) < MIN_SIDE:
        raise ItemError("too-small", f"{path} is {width}×{height} pixels: each side has to be at least {MIN_SIDE}")
    if max(height, width) > MAX_SIDE or height * width > MAX_PIXELS:
        limit = f"{MAX_SIDE} pixels a side and {MAX_PIXELS // 1_000_000} megapixels"
        raise ItemError("too-large", f"{path} is {width}×{height} pixels: at most {limit}; scale it down or cut it up")
    if str(spec.format) not in ("uint8", "uint16"):
        raise ItemError("unsupported", f"{path} has {spec.format} samples: convert it to 8 or 16 bits a channel")
    if not set(spec.channelnames) <= {"R", "G", "B", "A", "Y"}:
        channels = ", ".join(spec.channelnames)
        raise ItemError("unsupported", f"{path} has the channels {channels}: save it as RGB or RGBA")


def _is_harmless(fault: str, path: Path) -> bool:
    """Whether the picture is whole in spite of libjpeg's report, which is only the first of perhaps several."""
    if not any(harmless in fault for harmless in HARMLESS):
        return False
    data = path.read_bytes()
    return data.rfind(JPEG_END) > data.rfind(JPEG_SCAN)  # coded data never looks like a marker


def _damaged(path: Path, fault: str) -> ItemError:
    reason = " ".join(fault.split())[:160] or "its data does not decode"
    return ItemError("unreadable", f"{path} is truncated or damaged ({reason}): copy or export it again")
