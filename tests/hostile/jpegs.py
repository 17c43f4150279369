"""JPEG files whose segments lie (ITU-T T.81; EXIF by CIPA DC-008)."""

import struct
from collections.abc import Iterator

SOI = b"\xff\xd8"
EXIF = b"Exif\0\0"


def segment(marker: int, content: bytes, length: int | None = None) -> bytes:
    """A marker segment, by default an honest one."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2 if length is None else length) + content


def with_segment(whole: bytes, *segments: bytes) -> bytes:
    """The file with segments after its start."""
    return SOI + b"".join(segments) + whole[2:]


def tiff_header(*entries: tuple[int, int, int, int], following: int = 0, offset: int = 8) -> bytes:
    """Big-endian: one directory of entries (tag, type, count, value in four bytes)."""
    rows = b"".join(struct.pack(">HHII", *entry) for entry in entries)
    return b"MM\0*" + struct.pack(">IH", offset, len(entries)) + rows + struct.pack(">I", following)


def resized(whole: bytes, width: int, height: int) -> bytes:
    """The file with other numbers in its frame header."""
    at = next(i for m in (b"\xff\xc0", b"\xff\xc2") if (i := whole.find(m)) > 0)
    return whole[: at + 5] + struct.pack(">HH", height, width) + whole[at + 9 :]


def cases(good: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """JPEG files."""
    for kind in ("baseline", "progressive"):
        whole = good[f"{kind}.jpg"]
        for width, height in ((0, 40), (48, 0), (1, 1), (65500, 65500), (65535, 65535), (48, 4000), (4000, 40),
                              (17_000, 17_000), (47, 39)):  # fmt: skip
            yield f"jpeg-{kind}-{width}-{height}.jpg", resized(whole, width, height)
    whole = good["baseline.jpg"]
    for orientation in (0, 9, 255, 65535):
        exif = segment(0xE1, EXIF + tiff_header((0x0112, 3, 1, orientation << 16)))
        yield f"jpeg-orientation-{orientation}.jpg", with_segment(whole, exif)
    broken = {
        "empty": b"",
        "short": b"MM\0*",
        "offset": tiff_header(offset=2**32 - 1),
        "loop": tiff_header((0x8769, 4, 1, 8), following=8),
        "interop-loop": tiff_header((0x8769, 4, 1, 8), (0xA005, 4, 1, 8), (0x8825, 4, 1, 8)),
        "counts": tiff_header((0x010F, 2, 2**32 - 1, 8), (0x0110, 5, 2**31, 8), (0x0112, 3, 2**20, 0)),
        "types": tiff_header((0x0112, 255, 1, 1), (0x011A, 0, 1, 1), (0x0131, 13, 4, 2**32 - 8)),
        "rational": tiff_header((0x011A, 5, 1, 26), (0x829A, 5, 1, 26)) + bytes(16),
        "entries": b"MM\0*\0\0\0\x08\xff\xff" + bytes(200),
        "text": tiff_header((0x010E, 2, 40, 26)) + b"\xff\xfe\n\r\x1b[31m\0" * 5,
    }
    for name, content in broken.items():
        yield f"jpeg-exif-{name}.jpg", with_segment(whole, segment(0xE1, EXIF + content))
    name = tiff_header((0x013B, 2, 8, 26)) + b"M\xfcller\0\0"
    yield "jpeg-latin.jpg", with_segment(whole, segment(0xE1, EXIF + name))
    for number, count in ((0, 0), (1, 255), (255, 1), (2, 1)):
        icc = segment(0xE2, b"ICC_PROFILE\0" + bytes([number, count]) + bytes(400))
        yield f"jpeg-profile-part-{number}-of-{count}.jpg", with_segment(whole, icc)
    huge = [segment(0xE2, b"ICC_PROFILE\0" + bytes([i + 1, 255]) + bytes(65_519)) for i in range(255)]
    yield "jpeg-profile-16-megabytes.jpg", with_segment(whole, *huge)
    yield "jpeg-comments.jpg", with_segment(whole, *[segment(0xFE, b"x")] * 20_000)
    yield "jpeg-xmp.jpg", with_segment(whole, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<a>" * 20_000))
    yield "jpeg-xmp-entities.jpg", with_segment(whole, segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + ENTITIES))
    yield "jpeg-photoshop.jpg", with_segment(whole, segment(0xED, b"Photoshop 3.0\x008BIM\x04\x04\0\0\xff\xff\xff\xff"))
    for length in (0, 1, 65535):
        yield f"jpeg-segment-length-{length}.jpg", with_segment(whole, segment(0xE5, b"abc", length))
    for marker, name in ((b"\xff\xdb", "quantisation"), (b"\xff\xc4", "huffman"), (b"\xff\xda", "scan")):
        at = whole.index(marker)
        yield f"jpeg-no-{name}.jpg", whole[:at] + b"\xff\xfe" + whole[at + 2 :]
    at = whole.index(b"\xff\xc0")
    for components in (0, 2, 5, 255):
        yield f"jpeg-components-{components}.jpg", whole[: at + 9] + bytes([components]) + whole[at + 10 :]
    for sampling in (0x00, 0x55, 0x41, 0xFF):
        yield f"jpeg-sampling-{sampling}.jpg", whole[: at + 11] + bytes([sampling]) + whole[at + 12 :]
    scans = whole[whole.index(b"\xff\xda") : -2]
    yield "jpeg-200-scans.jpg", whole[:-2] + scans * 200 + whole[-2:]
    progressive = good["progressive.jpg"]
    scan = progressive[
        progressive.index(b"\xff\xda") : progressive.index(b"\xff\xda", progressive.index(b"\xff\xda") + 2)
    ]
    yield (
        "jpeg-scan-bomb.jpg",
        resized(progressive[: progressive.index(b"\xff\xda")] + scan * 3000 + b"\xff\xd9", 4000, 4000),
    )


ENTITIES = (b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">' + b"".join(
    f'<!ENTITY {b} "{f"&{a};" * 10}">'.encode() for a, b in zip("abcdefghi", "bcdefghij", strict=True)
) + b"]><x:xmpmeta xmlns:x='adobe:ns:meta/'>&j;</x:xmpmeta>")  # fmt: skip
