"""Write JPEG, for opaque results, lossy, without alpha; and WebP, lossless, with the colours under alpha 0."""

from pathlib import Path
from typing import Any

import PIL.Image

from .. import provenance
from ..samples import Floats, to_samples
from ..write import Target

QUALITY = 95  # of libjpeg's scale, with colour at full resolution: no blocks or bleeding to be seen
# libwebp's effort: method 0 to 6, and 0 to 100. It has no uncompressed form.
EFFORT = {"none": (0, 0), "fast": (1, 20), "small": (6, 100)}
LONGEST_SIDES = {"JPEG": 65500, "WebP": 16383}


def write_jpeg(path: Path, pixels: Floats, target: Target) -> None:
    """Write the colours of RGB or opaque RGBA (H, W, 3 or 4). Raises OSError."""
    _write(
        path, pixels[..., :3], target, "JPEG", quality=QUALITY, subsampling=0, optimize=target.compression == "small"
    )


def write_webp(path: Path, pixels: Floats, target: Target) -> None:
    """Write grey (H, W, 1), as RGB, or RGB or straight RGBA (H, W, 3 or 4). Raises OSError."""
    method, quality = EFFORT[target.compression]
    _write(path, pixels, target, "WebP", lossless=True, exact=True, method=method, quality=quality)


def _write(path: Path, pixels: Floats, target: Target, format: str, **options: Any) -> None:
    if max(pixels.shape[:2]) > LONGEST_SIDES[format]:
        raise OSError(f"{format} holds at most {LONGEST_SIDES[format]} pixels a side; choose another --format")
    samples = to_samples(pixels, "8")
    if target.encoding.icc is not None and samples.shape[2] > 1:
        options["icc_profile"] = target.encoding.icc
    if target.provenance:
        options["xmp"] = provenance.xmp(target.provenance)
    picture = PIL.Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    picture.save(path, format=format, **options)
