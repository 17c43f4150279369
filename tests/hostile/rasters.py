"""BMP, TGA, DPX, GIF, WebP and HEIF files whose headers lie."""

import struct
from collections.abc import Iterator


def put(whole: bytes, at: int, layout: str, *values: int) -> bytes:
    """The file with other numbers in a place."""
    new = struct.pack(layout, *values)
    return whole[:at] + new + whole[at + len(new) :]


def cases(good: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Files of these formats."""
    yield from bmps(good["plain.bmp"])
    yield from tgas(good["run-lengths.tga"])
    yield from dpxs(good["film.dpx"])
    yield from gifs(good["still.gif"], good["moving.gif"])
    yield from webps(good["lossy.webp"], good["lossless.webp"], good["moving.webp"])
    yield from heifs(good["picture.avif"], "avif")
    yield from heifs(good["picture.heic"], "heic")


def bmps(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Sizes at 18 and 22, bits at 28, compression at 30, colours at 46."""
    big, least = 2**31 - 1, -(2**31)
    for width, height in (
        (0, 0),
        (-48, 40),
        (48, -40),
        (big, big),
        (least, least),
        (48, least),
        (big, 2),
        (17_000, 17_000),
    ):
        yield f"bmp-size-{width}-{height}.bmp", put(whole, 18, "<ii", width, height)
    for bits in (0, 1, 2, 4, 8, 16, 32, 64, 65535):
        yield f"bmp-bits-{bits}.bmp", put(whole, 28, "<H", bits)
    for kind in (1, 2, 3, 4, 5, 2**32 - 1):
        yield f"bmp-compression-{kind}.bmp", put(put(whole, 28, "<H", 8), 30, "<I", kind)
    for offset in (0, 14, 2**31, 2**32 - 1):
        yield f"bmp-pixels-at-{offset}.bmp", put(whole, 10, "<I", offset)
    for size in (0, 12, 39, 64, 108, 124, 2**32 - 1):
        yield f"bmp-header-{size}.bmp", put(whole, 14, "<I", size)
    for colours in (1, 2**31, 2**32 - 1):
        yield f"bmp-colours-{colours}.bmp", put(put(whole, 28, "<H", 8), 46, "<I", colours)


def tgas(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """Kind of map, kind of picture, map's first, length and bits, origin, size, bits, description."""
    for width, height in ((0, 0), (0, 40), (65535, 65535), (17_000, 17_000), (65535, 2)):
        yield f"tga-size-{width}-{height}.tga", put(whole, 12, "<HH", width, height)
    for bits in (0, 1, 8, 15, 16, 24, 64, 255):
        yield f"tga-bits-{bits}.tga", put(whole, 16, "<B", bits)
    for kind in (1, 2, 3, 9, 11):
        yield f"tga-kind-{kind}.tga", put(whole, 2, "<B", kind)
    for first, length, bits in ((0, 65535, 32), (65535, 65535, 255), (0, 0, 0), (0, 1, 24)):
        mapped = put(put(whole, 1, "<BBHHB", 1, 9, first, length, bits), 16, "<B", 8)
        yield f"tga-map-{first}-{length}-{bits}.tga", mapped
    footer = b"TRUEVISION-XFILE.\0"
    for extension, developer in ((2**32 - 1, 0), (0, 2**32 - 1), (10, 10), (1, 1)):
        yield f"tga-areas-{extension}-{developer}.tga", whole + struct.pack("<II", extension, developer) + footer


def dpxs(whole: bytes) -> Iterator[tuple[str, bytes]]:
    """SMPTE 268M: elements at 770, size at 772, the first element at 780."""
    order = "<" if whole[:4] == b"XPDS" else ">"
    most = 2**32 - 1
    for offset in (0, 100, 2**31, most):
        yield f"dpx-pixels-at-{offset}.dpx", put(put(whole, 4, order + "I", offset), 808, order + "I", offset)
    for elements in (0, 2, 8, 9, 65535):
        yield f"dpx-elements-{elements}.dpx", put(whole, 770, order + "H", elements)
    for width, height in ((0, 0), (most, most), (2**31, 2), (17_000, 17_000), (48, most), (65536, 65536)):
        yield f"dpx-size-{width}-{height}.dpx", put(whole, 772, order + "II", width, height)
    for kind in (0, 6, 9, 51, 100, 150, 255):
        yield f"dpx-kind-{kind}.dpx", put(whole, 800, order + "B", kind)
    for bits in (0, 1, 3, 8, 10, 12, 32, 64, 255):
        yield f"dpx-bits-{bits}.dpx", put(whole, 803, order + "B", bits)
    for packing, encoding in ((1, 0), (2, 0), (9, 0), (0, 1), (65535, 65535)):
        yield f"dpx-packing-{packing}-{encoding}.dpx", put(whole, 804, order + "HH", packing, encoding)
    for padding in (1, 2**31, most - 1):
        yield f"dpx-padding-{padding}.dpx", put(whole, 812, order + "II", padding, padding)
    for orientation in (1, 3, 7, 65535):
        yield f"dpx-orientation-{orientation}.dpx", put(whole, 768, order + "H", orientation)


def gifs(still: bytes, moving: bytes) -> Iterator[tuple[str, bytes]]:
    """The screen's size at 6, its flags at 10; pictures begin with a comma."""
    for width, height in ((0, 0), (1, 1), (65535, 65535), (17_000, 17_000)):
        yield f"gif-screen-{width}-{height}.gif", put(still, 6, "<HH", width, height)
    at = still.index(b",\0\0\0\0\x30\0\x28\0")
    for left, top, width, height in ((0, 0, 0, 0), (0, 0, 65535, 65535), (40, 30, 48, 40), (65535, 65535, 48, 40)):
        yield f"gif-picture-{left}-{width}.gif", put(still, at + 1, "<HHHH", left, top, width, height)
    for size in (0, 1, 12, 255):
        yield f"gif-codes-{size}.gif", put(still, at + 10 if still[at + 9] < 128 else len(still) - 2, "<B", size)
    yield "gif-no-map.gif", put(still, 10, "<B", still[10] & 0x7F)
    yield "gif-no-picture.gif", still[:at] + b";"
    first = moving.index(b"!\xf9")
    yield "gif-2000-frames.gif", moving[:-1] + moving[first:-1] * 2000 + b";"
    yield "gif-extensions.gif", still[:at] + b"!\xfe\1a\0" * 50_000 + still[at:]


def webps(lossy: bytes, lossless: bytes, moving: bytes) -> Iterator[tuple[str, bytes]]:
    """RIFF's size at 4; the first chunk at 12."""
    for size in (0, 4, 2**31, 2**32 - 1):
        yield f"webp-riff-{size}.webp", put(lossy, 4, "<I", size)
        yield f"webp-chunk-{size}.webp", put(lossless, 16, "<I", size)
    for name, whole in (("still", lossy), ("moving", moving)):
        for side in (0, 99, 16_999, 2**24 - 1):
            yield (
                f"webp-{name}-canvas-{side + 1}.webp",
                put(whole, 24, "<HBHB", side & 0xFFFF, side >> 16, side & 0xFFFF, side >> 16),
            )
    yield "webp-lossless-giant.webp", put(lossless, 21, "<I", 0x0FFFFFFF)
    yield "webp-no-chunk.webp", lossy[:12]
    at = moving.index(b"ANMF")
    frames = moving[at:] * 500
    yield "webp-2000-frames.webp", put(moving[:at] + frames, 4, "<I", at + len(frames) - 8)
    yield "webp-frame-beyond.webp", put(moving, at + 8, "<HB", 0xFFFF, 0xFF)


def heifs(whole: bytes, suffix: str) -> Iterator[tuple[str, bytes]]:
    """Boxes (ISO/IEC 14496-12), the picture's size in `ispe`."""
    at = whole.index(b"ispe") + 8
    for width, height in ((0, 0), (1, 1), (2**31, 2**31), (2**32 - 1, 2**32 - 1), (17_000, 17_000), (96, 80)):
        yield f"{suffix}-size-{width}-{height}.{suffix}", put(whole, at, ">II", width, height)
    for box in (b"meta", b"iloc", b"iprp", b"mdat", b"ftyp", b"iinf"):
        place = whole.index(box) - 4
        for size in (0, 1, 4, 2**31, 2**32 - 1):
            yield f"{suffix}-{box.decode()}-{size}.{suffix}", put(whole, place, ">I", size)
    yield f"{suffix}-brand-only.{suffix}", b"\0\0\0\x18ftyp" + suffix.encode() + bytes(12)
    yield f"{suffix}-nested.{suffix}", whole[:32] + b"\0\0\xff\xffmeta" * 2000
