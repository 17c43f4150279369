"""EXR files whose headers lie (OpenEXR File Layout)."""

import struct
from collections.abc import Iterator

import numpy as np

from .bases import by_openimageio

MAGIC = b"v/1\x01"


def changed(whole: bytes, name: str, content: bytes) -> bytes:
    """The file with another value of an attribute, of the same size."""
    at = whole.index(name.encode() + b"\0")
    at = whole.index(b"\0", at + len(name) + 1) + 1  # behind the type
    (size,) = struct.unpack_from("<i", whole, at)
    assert size == len(content)
    return whole[: at + 4] + content + whole[at + 4 + size :]


def with_attribute(whole: bytes, name: str, type: str, content: bytes, size: int | None = None) -> bytes:
    """The file with one more attribute at its start. Its table of chunks is wrong then, as after a careless edit."""
    size = len(content) if size is None else size
    return whole[:8] + name.encode() + b"\0" + type.encode() + b"\0" + struct.pack("<i", size) + content + whole[8:]


def shifted(whole: bytes, name: str, type: str, content: bytes) -> bytes:
    """The same with a table of chunks that is right."""
    longer = with_attribute(whole, name, type, content)
    grown = len(longer) - len(whole)
    first = struct.unpack_from("<40Q", whole, table := _table(whole))
    moved = struct.pack("<40Q", *(offset + grown for offset in first))
    return longer[: table + grown] + moved + longer[table + grown + len(moved) :]


def _table(whole: bytes) -> int:
    """Where the table of the 40 chunks is: before the first chunk."""
    for at in range(100, len(whole)):
        if struct.unpack_from("<Q", whole, at)[0] == at + 40 * 8:
            return at
    raise AssertionError("no table of 40 chunks")


def cases(good: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """EXR files."""
    scan, tiled = good["zips.exr"], good["tiled.exr"]
    big, least = 2**31 - 1, -(2**31)
    windows = {
        "inverted": (10, 10, 0, 0), "giant": (0, 0, big, big), "all": (least, least, big, big),
        "wide": (0, 0, big - 1, 1),
        "far": (big - 50, big - 50, big - 3, big - 11), "below": (-1000, -1000, -953, -961), "tall": (0, 0, 47, 10**8),
        "empty": (0, 0, -1, -1), "large": (0, 0, 499, 499), "one": (0, 0, 0, 0), "less": (0, 0, 20, 20),
    }  # fmt: skip
    for name, window in windows.items():
        box = struct.pack("<4i", *window)
        for which in ("dataWindow", "displayWindow"):
            yield f"exr-{which}-{name}.exr", changed(scan, which, box)
            yield f"exr-tiled-{which}-{name}.exr", changed(tiled, which, box)
        yield f"exr-both-{name}.exr", changed(changed(scan, "dataWindow", box), "displayWindow", box)
    for x, y, mode in (
        (0, 0, 0),
        (1, 1, 0),
        (big, big, 0),
        (2**32 - 1, 16, 0),
        (16, 16, 1),
        (16, 16, 2),
        (16, 16, 255),
    ):
        yield f"exr-tiles-{x}-{y}-{mode}.exr", changed(tiled, "tiles", struct.pack("<IIB", x, y, mode))
    few = struct.pack("<4i", 0, 0, 16_999, 16_999)
    countless = changed(
        changed(changed(tiled, "dataWindow", few), "displayWindow", few), "tiles", struct.pack("<IIB", 1, 1, 0)
    )
    yield "exr-289-million-tiles.exr", countless
    for compression in (0, 4, 9, 255):
        yield f"exr-compression-{compression}.exr", changed(scan, "compression", bytes([compression]))
    yield "exr-order.exr", changed(scan, "lineOrder", b"\xc8")
    for name, value in (
        ("zero", 0.0),
        ("nan", float("nan")),
        ("inf", float("inf")),
        ("large", 1e38),
        ("negative", -1.0),
    ):
        ratio = struct.pack("<f", value)
        yield f"exr-aspect-{name}.exr", changed(scan, "pixelAspectRatio", ratio)
        yield f"exr-chromaticities-{name}.exr", shifted(scan, "chromaticities", "chromaticities", ratio * 8)
    same = struct.pack("<8f", *(0.3, 0.3) * 4)
    yield "exr-chromaticities-one-point.exr", shifted(scan, "chromaticities", "chromaticities", same)
    yield "exr-bytes-in-names.exr", scan.replace(b"\0R\0", b"\0\xf0\0", 1).replace(b"\0A\0", b"\0\xf1\0", 1)
    yield "exr-latin.exr", shifted(scan, "Artist", "string", b"M\xfcller")
    for size in (0, 4, 2**31 - 1, -1):
        yield f"exr-attribute-of-{size}.exr", with_attribute(scan, "note", "string", b"abcd", size)
    yield "exr-attributes-30000.exr", scan[:8] + b"".join(
        f"n{i}\0int\0".encode() + b"\4\0\0\0\0\0\0\0" for i in range(30_000)
    ) + scan[8:]  # fmt: skip
    yield "exr-name-long.exr", with_attribute(scan, "n" * 5000, "string", b"abcd")
    for version in (0, 1, 3, 255):
        yield f"exr-version-{version}.exr", MAGIC + bytes([version]) + scan[5:]
    for flags in (0x02, 0x08, 0x10, 0x18, 0xFF):
        yield f"exr-flags-{flags}.exr", MAGIC + b"\2" + bytes([flags]) + scan[6:]
    at = _table(scan)
    for name, offset in (("zero", 0), ("beyond", 2**40), ("negative", 2**64 - 1), ("header", 8)):
        yield f"exr-chunks-{name}.exr", scan[:at] + struct.pack("<Q", offset) * 40 + scan[at + 320 :]
    for size in (0, -1, big):
        yield f"exr-chunk-size-{size}.exr", scan[: at + 324] + struct.pack("<i", size) + scan[at + 328 :]
    yield "exr-no-end-of-header.exr", scan[: at - 1]
    yield "exr-20000-channels.exr", channels(scan)
    for count in (1000, 20_000):
        yield f"exr-{count}-parts.exr", parts(scan, count)
    yield "exr-parts-of-attributes.exr", MAGIC + b"\2\x10\0\0" + (b"a\0i\0\0\0\0\0" * 800 + b"\0") * 1500 + b"\0"
    yield "exr-nan.exr", values(np.nan)
    yield "exr-inf.exr", values(np.inf)


def channels(whole: bytes) -> bytes:
    """A list of 20,000 channels in the header, and the pixels of four."""
    at = whole.index(b"channels\0chlist\0") + len(b"channels\0chlist\0")
    (size,) = struct.unpack_from("<i", whole, at)
    row = struct.pack("<iB3xii", 1, 0, 1, 1)
    rows = b"".join(f"c{i:05}\0".encode() + row for i in range(20_000)) + b"\0"
    return whole[:at] + struct.pack("<i", len(rows)) + rows + whole[at + 4 + size :]


def parts(whole: bytes, count: int) -> bytes:
    """A file of so many parts without pixels."""
    header = whole[8 : _table(whole) - 1] + b"type\0string\0\x0d\0\0\0scanlineimagechunkCount\0int\0\4\0\0\0\x28\0\0\0"
    named = (header + b"name\0string\0" + struct.pack("<i", len(name)) + name + b"\0"
             for name in (str(i).encode() for i in range(count)))  # fmt: skip
    return MAGIC + b"\2\x10\0\0" + b"".join(named) + b"\0" + bytes(count * 320)


def values(value: float) -> bytes:
    """A picture of one value that is no number, not compressed."""
    plain = by_openimageio(".exr", 3, "float", compression="none")
    at = _table(plain) + 320
    row = np.full(48 * 3, value, np.float32).tobytes()
    return plain[:at] + b"".join(struct.pack("<ii", y, len(row)) + row for y in range(40))
