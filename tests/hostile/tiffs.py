"""TIFF files whose directories lie (TIFF 6.0; BigTIFF)."""

import struct
from collections.abc import Iterator

SHORT, LONG, UNDEFINED = 3, 4, 7
WIDTH, LENGTH, BITS, COMPRESSION, PHOTOMETRIC, OFFSETS, ORIENTATION, SAMPLES, ROWS, COUNTS = (
    256, 257, 258, 259, 262, 273, 274, 277, 278, 279)  # fmt: skip
PLANAR, PREDICTOR, COLOUR_MAP, TILE_WIDTH, TILE_LENGTH, TILE_OFFSETS, TILE_COUNTS, SUB, EXTRA, FORMAT = (
    284, 317, 320, 322, 323, 324, 325, 330, 338, 339)  # fmt: skip
EXIF, GPS, PROFILE, TEXT, ARTIST = 34665, 34853, 34675, 270, 315
PLAIN = {WIDTH: 48, LENGTH: 40, BITS: 8, COMPRESSION: 1, PHOTOMETRIC: 1, OFFSETS: 1024, SAMPLES: 1, ROWS: 40,
         COUNTS: 1920}  # fmt: skip


def directory(tags: dict[int, int | tuple[int, int, int] | None], following: int = 0) -> bytes:
    """Little-endian: tags with a number, or with (type, count, four bytes); None leaves one out."""
    there = sorted((tag, value) for tag, value in tags.items() if value is not None)
    rows = [
        struct.pack("<HHII", tag, *(value if isinstance(value, tuple) else (LONG, 1, value))) for tag, value in there
    ]
    return struct.pack("<H", len(rows)) + b"".join(rows) + struct.pack("<I", following)


def tiff(changes: dict[int, int | tuple[int, int, int] | None], following: int = 0) -> bytes:
    """A grey picture with some tags changed; the pixels are at 1024."""
    head = b"II*\0" + struct.pack("<I", 8) + directory({**PLAIN, **changes}, following)
    return head.ljust(1024, b"\0") + bytes(range(240)) * 8


def chain(count: int) -> bytes:
    """So many pictures, each of 2×2 pixels."""
    small = {**PLAIN, WIDTH: 2, LENGTH: 2, ROWS: 2, COUNTS: 4, OFFSETS: 8}
    size = len(directory(small))
    places = [16 + size * i for i in range(count)]
    parts = [directory(small, after) for after in (*places[1:], 0)]
    return b"II*\0" + struct.pack("<I", 16) + bytes(8) + b"".join(parts)


def cases(good: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """TIFF files."""
    big, most = 2**31 - 1, 2**32 - 1
    for width, length in ((0, 40), (48, 0), (1, 1), (big, big), (most, most), (most, 2), (48, big), (17_000, 17_000)):
        yield f"tiff-size-{width}-{length}.tif", tiff({WIDTH: width, LENGTH: length})
    for tag, name, values in (
        (BITS, "bits", (0, 3, 12, 17, 24, 64, 65535)),
        (SAMPLES, "samples", (0, 2, 5, 1000, 65535)),
        (COMPRESSION, "compression", (0, 2, 3, 4, 5, 6, 7, 8, 32773, 34661, 34712, 50000, 65535)),
        (PHOTOMETRIC, "photometric", (0, 2, 3, 4, 5, 6, 8, 32803, 32844, 65535)),
        (OFFSETS, "offsets", (0, 8, 2900, most)),
        (COUNTS, "counts", (0, 1, most)),
        (ROWS, "rows", (0, 1, 39, most)),
        (PLANAR, "planar", (0, 2, 9)),
        (PREDICTOR, "predictor", (0, 3, 9)),
        (FORMAT, "format", (2, 3, 5, 6, 99)),
        (ORIENTATION, "orientation", (0, 9, 65535)),
    ):
        for value in values:
            yield f"tiff-{name}-{value}.tif", tiff({tag: value})
    for tag in PLAIN:
        yield f"tiff-without-{tag}.tif", tiff({tag: None})
    yield "tiff-strips-beyond.tif", tiff({OFFSETS: (LONG, 2**28, 8), COUNTS: (LONG, 2**28, 8), ROWS: 1})
    yield "tiff-strips-of-nothing.tif", tiff({OFFSETS: (LONG, 0, 0), COUNTS: (LONG, 0, 0)})
    yield "tiff-million-strips.tif", tiff({LENGTH: 6_000_000, ROWS: 1, OFFSETS: 8})
    for side in (0, 1, 16, 2**20, big - 15, most):
        tiles = {TILE_WIDTH: side, TILE_LENGTH: side, TILE_OFFSETS: 1024, TILE_COUNTS: 1920}
        yield f"tiff-tiles-{side}.tif", tiff({**tiles, OFFSETS: None, COUNTS: None, ROWS: None})
    yield "tiff-fields-of-16-bits.tif", tiff({BITS: (SHORT, 1000, 1024), SAMPLES: 1000, PHOTOMETRIC: 2})
    yield "tiff-bits-differ.tif", tiff({BITS: (SHORT, 3, 1032), SAMPLES: 3, PHOTOMETRIC: 2})
    yield "tiff-extras.tif", tiff({EXTRA: (SHORT, 1000, 1024), SAMPLES: 3, PHOTOMETRIC: 2})
    yield "tiff-no-colour-map.tif", tiff({PHOTOMETRIC: 3, COLOUR_MAP: (SHORT, 768, most - 10)})
    yield "tiff-small-colour-map.tif", tiff({PHOTOMETRIC: 3, COLOUR_MAP: (SHORT, 3, 1024)})
    yield "tiff-profile-huge.tif", tiff({PROFILE: (UNDEFINED, most, 8)})
    yield "tiff-profile-beyond.tif", tiff({PROFILE: (UNDEFINED, 5000, most)})
    yield "tiff-text-huge.tif", tiff({TEXT: (2, most, 8)})
    yield "tiff-loop.tif", tiff({}, following=8)
    yield "tiff-next-in-pixels.tif", tiff({}, following=1024)
    yield "tiff-next-beyond.tif", tiff({}, following=most)
    latin = tiff({ARTIST: (2, 7, 700)})
    yield "tiff-latin.tif", latin[:700] + b"M\xfcller\0" + latin[707:]
    for tag, name in ((EXIF, "exif"), (GPS, "gps"), (SUB, "sub")):
        yield f"tiff-{name}-is-itself.tif", tiff({tag: 8})
        yield f"tiff-{name}-beyond.tif", tiff({tag: most})
        yield f"tiff-{name}-many.tif", tiff({tag: (LONG, 2**30, 8)})
    yield "tiff-chain-of-60000.tif", chain(60_000)
    yield "tiff-no-directory.tif", b"II*\0" + bytes(400)
    yield "tiff-directory-beyond.tif", b"II*\0" + struct.pack("<I", most)
    yield "tiff-65535-entries.tif", b"II*\0" + struct.pack("<IH", 8, 65535) + bytes(65535 * 12 + 4)
    yield "tiff-odd-directory.tif", b"II*\0" + struct.pack("<I", 9) + b"\0" + directory(dict(PLAIN))
    yield "bigtiff-offset.tif", b"II+\0\x08\0\0\0" + struct.pack("<Q", 2**63)
    yield "bigtiff-entries.tif", b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, 2**62) + bytes(200)
    yield "bigtiff-word.tif", b"II+\0\xff\0\0\0" + struct.pack("<QQ", 16, 1) + bytes(200)
