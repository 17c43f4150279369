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
    """Count the attributes and channels of the first part (OpenEXR File Layout: name, type, size, value)."""
    file.seek(8)
    for _ in range(EXR_ATTRIBUTES):
        place = file.tell()
        name, _, rest = file.read(2 * EXR_NAME + 4).partition(b"\0")
        kind, _, rest = rest.partition(b"\0")
        if not name or len(rest) < 4:
            return
        size = int.from_bytes(rest[:4], "little", signed=True)
        if size < 0:
            return
        file.seek(place + len(name) + len(kind) + 6)
        if name == b"channels":
            _check_channels(path, file.read(min(size, EXR_CHANNELS * (EXR_NAME + EXR_ROW))))
        file.seek(place + len(name) + len(kind) + 6 + size)
    raise ItemError("unsupported", f"{path} has more than {EXR_ATTRIBUTES} attributes: save it without them")


def _check_channels(path: Path, rows: bytes) -> None:
    """Count the rows of a channel list, each a name and its end, then `EXR_ROW` bytes."""
    place = count = 0
    while (end := rows.find(b"\0", place)) > place:
        place, count = end + 1 + EXR_ROW, count + 1
    if count > EXR_CHANNELS:
        raise ItemError("unsupported", f"{path} has more than {EXR_CHANNELS} channels: export it with fewer")


CHECKS = {"JPEG": _check_jpeg, "OpenEXR": _check_exr}
