"""Encode small 8-bit sRGB pictures as bytes, for pages that hold their pictures themselves."""

import base64
import io
from typing import Any, Literal

import PIL.Image
from numpy.typing import NDArray

QUALITY = 85


def encode_jpeg(pixels: NDArray[Any], comment: str = "") -> bytes:
    """Return a picture (H, W, 3) uint8 as JPEG, with a `comment` in its head."""
    return _encode(pixels, "jpeg", **({"comment": comment} if comment else {}))


def encode_webp(pixels: NDArray[Any]) -> bytes:
    """Return a straight RGBA picture (H, W, 4) uint8 as WebP: lossy colour, exact alpha."""
    return _encode(pixels, "webp", method=1)  # twice as fast as by default


def data_uri(data: bytes, kind: Literal["jpeg", "webp"] = "jpeg") -> str:
    """Return what `src` of an image takes."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _encode(pixels: NDArray[Any], kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, kind, quality=QUALITY, **options)
    return file.getvalue()
