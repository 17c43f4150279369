"""Write JPEG, for opaque results: 8 bits, lossy, without alpha."""

from pathlib import Path
from typing import Any

import PIL.Image

from .. import provenance
from ..samples import Floats, to_samples
from ..target import Target

QUALITY = 95  # of libjpeg's scale, with colour at full resolution: no blocks or bleeding to be seen
LONGEST_SIDE = 65500


def write(path: Path, pixels: Floats, target: Target) -> None:
    """Write the colours of RGB or opaque RGBA (H, W, 3 or 4). Raises OSError."""
    if max(pixels.shape[:2]) > LONGEST_SIDE:
        raise OSError(f"JPEG holds at most {LONGEST_SIDE} pixels a side; choose another --format")
    picture = PIL.Image.fromarray(to_samples(pixels[..., :3], "8"))
    options: dict[str, Any] = {"quality": QUALITY, "subsampling": 0, "optimize": target.compression == "small"}
    if target.encoding.icc is not None:
        options["icc_profile"] = target.encoding.icc
    if target.provenance:
        options["xmp"] = provenance.xmp(target.provenance)
    picture.save(path, format="JPEG", **options)
