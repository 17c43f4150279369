"""What a decoder would take on a header's word for far too long: looked at before it gets the file."""

import re
import struct
from pathlib import Path
from typing import BinaryIO

from ..status import ItemError

# Huffman coding (ITU-T T.81) spends a bit at least on every block of 8×8 pixels.
JPEG_PIXELS_A_BYTE = 512
JPEG_SCANS = 100  # encoders make about ten; every one goes over the whole picture again
FRAMES = frozenset({0xC0, 0xC1, 0xC2, 0xC3})  # those with Huffman coding that are read
PROGRESSIVE, SCAN, END = 0xC2, 0xDA, 0xD9
MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # the others stand for themselves in coded data

EXR_ATTRIBUTES = 3000  # of a part; films have some hundreds, and reading takes the square of their number
EXR_CHANNELS = 1024  # of a part; OpenImageIO reads no more, but takes its time to say so
EXR_PARTS = 2000  # films have some dozens
EXR_ENTRIES = 100_000  # attributes and channels of all parts: some tenths of a second to count
EXR_NAME = 256  # bytes, with its end
EXR_ROW = 16  # bytes of a channel after its name
EXR_MULTIPART = 0x1000


def check_header(path: Path, kind: str) -> None:
    """Refuse a file of which a decoder would make far too much. Raises `ItemError` `unreadable`, `unsupported`."""
    if kind not in CHECKS:
        return
    with path.open("rb") as file:
        CHECKS[kind](path, file)


def _check_jpeg(path: Path, file: BinaryIO) -> None:
    """Compare the size with the data that is there, and count the scans."""
    file.seek(2)
    while len(head := file.read(4)) == 4 and head[0] == 0xFF:
        marker, length = head[1], int.from_bytes(head[2:])
        if marker == 0xFF:  # they may be repeated
            file.seek(-3, 1)
        elif marker == SCAN:
            return
        elif marker in FRAMES:
            _check_frame(path, file)
            if marker == PROGRESSIVE:
                file.seek(length - 7, 1)
                _check_scans(path, file.read())
            return
        else:
            file.seek(max(0, length - 2), 1)


def _check_frame(path: Path, file: BinaryIO) -> None:
    frame = file.read(5)
    if len(frame) < 5:
        return
    height, width = struct.unpack(">xHH", frame)
    size = path.stat().st_size
    if height * width > size * JPEG_PIXELS_A_BYTE:
        raise ItemError(
            "unreadable",
            f"{path} is truncated or damaged ({width}×{height} pixels cannot be in {size} bytes): "
            "copy or export it again",
        )


def _check_scans(path: Path, data: bytes) -> None:
    place = scans = 0
    while found := MARKER.search(data, place):
        place = found.end()
        marker = data[place - 1]
        if marker == END:
            return
        place += int.from_bytes(data[place : place + 2])
        scans += marker == SCAN
        if scans > JPEG_SCANS:
            raise ItemError("unsupported", f"{path} has more than {JPEG_SCANS} scans: save it as a plain JPEG first")


def _check_exr(path: Path, file: BinaryIO) -> None:
    """Count the parts, and of each the attributes and channels (OpenEXR File Layout: name, type, size, value)."""
    file.seek(4)
    several = bool(int.from_bytes(file.read(4), "little") & EXR_MULTIPART)
    parts = attributes = channels = entries = 0
    while True:
        for count, most, what in (
            (parts, EXR_PARTS, "parts"),
            (attributes, EXR_ATTRIBUTES, "attributes"),
            (channels, EXR_CHANNELS, "channels"),
            (entries, EXR_ENTRIES, "entries in its header"),
        ):
            if count > most:
                raise ItemError("unsupported", f"{path} has more than {most} {what}: save it without them")
        place = file.tell()
        name, _, rest = file.read(2 * EXR_NAME + 4).partition(b"\0")
        kind, _, rest = rest.partition(b"\0")
        size = int.from_bytes(rest[:4], "little", signed=True)
        if not name and several and attributes:  # the end of a part's attributes; one without any ends them all
            parts, attributes = parts + 1, 0
            file.seek(place + 1)
            continue
        if not name or len(rest) < 4 or size < 0:
            return
        file.seek(place + len(name) + len(kind) + 6)
        if name == b"channels":
            channels = _count_channels(file.read(min(size, EXR_CHANNELS * (EXR_NAME + EXR_ROW))))
            entries += channels
        attributes, entries = attributes + 1, entries + 1
        file.seek(place + len(name) + len(kind) + 6 + size)


def _count_channels(rows: bytes) -> int:
    """Return the rows of a channel list, each a name and its end, then `EXR_ROW` bytes."""
    place = count = 0
    while (end := rows.find(b"\0", place)) > place:
        place, count = end + 1 + EXR_ROW, count + 1
    return count


CHECKS = {"JPEG": _check_jpeg, "OpenEXR": _check_exr}
