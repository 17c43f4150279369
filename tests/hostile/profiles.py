"""Colour profiles that lie (ICC.1:2022), in good PNG files."""

import io
import struct
from collections.abc import Iterator

import PIL.Image
import PIL.ImageCms

from .bases import samples


def in_png(profile: bytes) -> bytes:
    """A picture with this profile."""
    file = io.BytesIO()
    PIL.Image.fromarray(samples()).save(file, "PNG", icc_profile=profile)
    return file.getvalue()


def with_curves(profile: bytes, curve: bytes) -> bytes:
    """The profile with another curve for its three channels, at its end."""
    (count,) = struct.unpack_from(">I", profile, 128)
    content = bytearray(profile) + curve
    for i in range(count):
        if profile[132 + 12 * i :][1:4] == b"TRC":
            struct.pack_into(">II", content, 136 + 12 * i, len(profile), len(curve))
    struct.pack_into(">I", content, 0, len(content))
    return bytes(content)


def parametric(kind: int, *parameters: float) -> bytes:
    """A `para` tag."""
    return struct.pack(">4sIHH", b"para", 0, kind, 0) + struct.pack(
        f">{len(parameters)}i", *(round(p * 65536) for p in parameters)
    )


def cases(good: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """PNG files with such profiles."""
    profile = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    curves = {
        "power-0": parametric(0, 0),
        "power-negative": parametric(0, -2.2),
        "power-huge": parametric(0, 32767),
        "divided-by-0": parametric(1, 2.2, 0, 0.5),
        "of-0": parametric(3, 0, 0, 0, 0, 0),
        "below-0": parametric(3, 2.4, 1, -2, 0.5, 0.04),
        "flat": parametric(4, 1, 0, 0, 0, 0.5, 1, 1),
        "kind-9": parametric(9, 1),
        "short": parametric(4, 1),
        "table-short": struct.pack(">4sII", b"curv", 0, 2**31),
        "table-endless": struct.pack(">4sII", b"curv", 0, 2**32 - 1),
        "table-falling": struct.pack(">4sII3H", b"curv", 0, 3, 65535, 100, 0),
        "table-of-0": struct.pack(">4sII2H", b"curv", 0, 2, 0, 0),
        "table-power-0": struct.pack(">4sIIH", b"curv", 0, 1, 0),
        "table-large": struct.pack(">4sII", b"curv", 0, 10**6) + bytes(2 * 10**6),
    }
    for name, curve in curves.items():
        yield f"icc-curve-{name}.png", in_png(with_curves(profile, curve))
    for count in (0, 1, 1000, 2**32 - 1):
        yield f"icc-tags-{count}.png", in_png(profile[:128] + struct.pack(">I", count) + profile[132:])
    for space in (b"CMYK", b"GRAY", b"Lab ", b"\xff\xfe\0\0"):
        yield f"icc-space-{space.hex()}.png", in_png(profile[:16] + space + profile[20:])
    yield "icc-offsets.png", in_png(profile[:132] + b"".join(
        profile[132 + 12 * i : 136 + 12 * i] + b"\xff" * 8 for i in range(10)
    ) + profile[252:])  # fmt: skip
    yield "icc-5-megabytes.png", in_png(with_curves(profile, bytes(5_000_000)))
    yield "icc-cut.png", in_png(profile[:200])
    yield "icc-of-3-bytes.png", in_png(b"abc")
    flat = profile
    for channel in (b"rXYZ", b"gXYZ", b"bXYZ"):
        at = flat.index(channel)
        (start,) = struct.unpack_from(">I", flat, at + 4)
        flat = flat[: start + 8] + bytes(12) + flat[start + 20 :]
    yield "icc-no-colours.png", in_png(flat)
