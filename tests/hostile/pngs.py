"""PNG files whose chunks lie (ISO/IEC 15948)."""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, content: bytes, length: int | None = None, crc: int | None = None) -> bytes:
    """A chunk, by default an honest one."""
    crc = zlib.crc32(name + content) if crc is None else crc
    return struct.pack(">I", len(content) if length is None else length) + name + content + struct.pack(">I", crc)


def header(width: int, height: int, depth: int = 8, kind: int = 2, rest: bytes = b"\0\0\0") -> bytes:
    """IHDR."""
    return chunk(b"IHDR", struct.pack(">IIBB", width, height, depth, kind) + rest)


def rows(count: int = 40, length: int = 48 * 3) -> bytes:
    """Grey rows, not compressed."""
    return (b"\0" + bytes([90]) * length) * count


def data(raw: bytes) -> bytes:
    """IDAT."""
    return chunk(b"IDAT", zlib.compress(raw))


END = chunk(b"IEND", b"")


def png(*chunks: bytes) -> bytes:
    """A file of these chunks."""
    return SIGNATURE + b"".join(chunks)


def cases(good: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """PNG files."""
    head, body = header(48, 40), data(rows())
    bomb = zlib.compress(bytes(64_000_000), 9)  # 64 KB
    sizes = [(0, 0), (0, 40), (48, 0), (1, 1), (2**31 - 1, 2**31 - 1), (2**31, 2), (2, 2**31 - 1), (2**32 - 1, 1),
             (30_000, 30_000), (17_000, 17_000), (1_000_000, 290), (250, 1_000_000)]  # fmt: skip
    for width, height in sizes:
        yield f"png-size-{width}-{height}.png", png(header(width, height), body, END)
    for depth, kind in ((0, 2), (3, 0), (16, 3), (32, 2), (8, 1), (8, 5), (8, 255), (255, 6)):
        yield f"png-depth-{depth}-kind-{kind}.png", png(header(48, 40, depth, kind), body, END)
    for at, name in enumerate(("compression", "filter", "interlace")):
        yield f"png-{name}-9.png", png(header(48, 40, rest=bytes([9 if i == at else 0 for i in range(3)])), body, END)
    yield "png-crc-of-header.png", png(head[:-1] + bytes([head[-1] ^ 1]), body, END)
    yield "png-crc-of-data.png", png(head, body[:-1] + bytes([body[-1] ^ 1]), END)
    yield "png-crc-of-text.png", png(head, chunk(b"tEXt", b"a\0b", crc=1), body, END)
    for length in (0, 1, 2**31 - 1, 2**31, 2**32 - 1):
        yield f"png-data-length-{length}.png", png(head, chunk(b"IDAT", zlib.compress(rows()), length), END)
    yield "png-no-header.png", png(body, END)
    yield "png-two-headers.png", png(head, header(4000, 4000), body, END)
    yield "png-no-data.png", png(head, END)
    yield "png-no-end.png", png(head, body)
    yield "png-data-apart.png", png(head, data(rows(20)), chunk(b"tEXt", b"a\0b"), data(rows(20)), END)
    yield "png-filter-200.png", png(head, data(b"\xc8" + rows()[1:]), END)
    yield "png-too-few-rows.png", png(head, data(rows(13)), END)
    yield "png-too-many-rows.png", png(head, data(rows(90_000)), END)
    yield "png-stream-of-noise.png", png(head, chunk(b"IDAT", b"\x78\x9c" + bytes(range(256)) * 8), END)
    yield "png-bomb-data.png", png(head, chunk(b"IDAT", bomb), END)
    yield "png-bomb-text.png", png(head, chunk(b"zTXt", b"a\0\0" + bomb), body, END)
    yield "png-bomb-itext.png", png(head, chunk(b"iTXt", b"a\0\1\0\0\0" + bomb), body, END)
    yield "png-bomb-profile.png", png(head, chunk(b"iCCP", b"a\0\0" + bomb), body, END)
    yield "png-many-texts.png", png(head, chunk(b"tEXt", b"a\0b") * 20_000, body, END)
    texts = b"".join(chunk(b"tEXt", f"key {i}\0b".encode()) for i in range(20_000))
    yield "png-many-keys.png", png(head, texts, body, END)
    yield "png-latin.png", png(head, chunk(b"tEXt", b"Artist\0M\xfcller"), body, END)
    yield "png-no-palette.png", png(header(48, 40, 8, 3), data(rows(length=48)), END)
    yield "png-short-palette.png", png(header(48, 40, 8, 3), chunk(b"PLTE", bytes(3)), data(rows(length=48)), END)
    yield "png-odd-palette.png", png(header(48, 40, 8, 3), chunk(b"PLTE", bytes(4)), data(rows(length=48)), END)
    for gamma in (0, 1, 2**31 - 1, 2**32 - 1):
        yield f"png-gamma-{gamma}.png", png(head, chunk(b"gAMA", struct.pack(">I", gamma)), body, END)
    for value in (0, 1, 2**31 - 1):
        yield f"png-chromaticities-{value}.png", png(head, chunk(b"cHRM", struct.pack(">8I", *[value] * 8)), body, END)
    for numbers in ((255, 255, 255, 255), (0, 0, 0, 0), (9, 16, 9, 0), (1, 13)):
        yield f"png-cicp-{len(numbers)}-{numbers[1]}.png", png(head, chunk(b"cICP", bytes(numbers)), body, END)
    for exif in (b"", b"MM", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff" + bytes(30)):
        yield f"png-exif-{len(exif)}.png", png(head, chunk(b"eXIf", exif), body, END)
