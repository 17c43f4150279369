"""Write WebP, lossless, with the colours under alpha 0."""

from pathlib import Path
from typing import Any

import PIL.Image

from .. import provenance
from ..samples import Floats, to_samples
from ..target import Target

# libwebp's effort: method 0 to 6, and 0 to 100. It has no uncompressed form.
EFFORT = {"none": (0, 0), "fast": (1, 20), "small": (6, 100)}
LONGEST_SIDE = 16383


def write(path: Path, pixels: Floats, target: Target) -> None:
    """Write grey (H, W, 1), as RGB, or RGB or straight RGBA (H, W, 3 or 4). Raises OSError."""
    if max(pixels.shape[:2]) > LONGEST_SIDE:
        raise OSError(f"WebP holds at most {LONGEST_SIDE} pixels a side; choose another --format")
    samples = to_samples(pixels, "8")
    picture = PIL.Image.fromarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    method, quality = EFFORT[target.compression]
    options: dict[str, Any] = {"lossless": True, "exact": True, "method": method, "quality": quality}
    if target.encoding.icc is not None and samples.shape[2] > 1:
        options["icc_profile"] = target.encoding.icc
    if target.provenance:
        options["xmp"] = provenance.xmp(target.provenance)
    picture.save(path, format="WEBP", **options)
