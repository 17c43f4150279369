"""Recognise a file's kind by its first bytes, and its depth by its header; its name is not trusted."""

import errno
import re
import shlex
import stat
import struct
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from ..files import TEMPORARY, read_start
from ..status import ItemError
from .formats import Depth
from .sequence import as_pattern

# What is read; some others have a signature too, so that the message can name them.
READ = ("JPEG", "PNG", "WebP", "TIFF", "OpenEXR", "BMP", "TGA", "DPX", "Cineon", "Radiance HDR", "PSD", "GIF", "AVIF",
        "HEIC")  # fmt: skip
HEAD = 64  # bytes that are looked at

FILM = "a film"
FILMS = (  # Matroska, AVI, MXF, MPEG, Flash, Ogg, ASF, R3D, QuickTime
    (0, b"\x1a\x45\xdf\xa3"), (8, b"AVI "), (0, b"\x06\x0e\x2b\x34\x02\x05\x01\x01"), (0, b"\0\0\x01\xba"),
    (0, b"FLV"), (0, b"OggS"), (0, b"0&\xb2u"), (4, b"RED1"), (4, b"RED2"),
    (4, b"moov"), (4, b"mdat"), (4, b"wide"), (4, b"free"), (4, b"skip"), (4, b"pnot"),
)  # fmt: skip
SIGNATURES: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "PNG"),
    (8, b"WEBP", "WebP"),
    (0, b"II*\0", "TIFF"),
    (0, b"MM\0*", "TIFF"),
    (0, b"II+\0", "TIFF"),
    (0, b"MM\0+", "TIFF"),
    (0, b"BM", "BMP"),
    (0, b"v/1\x01", "OpenEXR"),
    (0, b"SDPX", "DPX"),
    (0, b"XPDS", "DPX"),
    (0, b"GIF8", "GIF"),
    (0, b"8BPS", "PSD"),
    (0, b"#?RADIANCE", "Radiance HDR"),
    (0, b"#?RGBE", "Radiance HDR"),
    (0, b"\x80\x2a\x5f\xd7", "Cineon"),
    (0, b"\xd7\x5f\x2a\x80", "Cineon"),
    (0, b"\xff\x0a", "JPEG XL"),
    (4, b"JXL ", "JPEG XL"),
    (4, b"jP  ", "JPEG 2000"),
    (0, b"%PDF", "PDF"),
    *((start, signature, FILM) for start, signature in FILMS),
)
FILM_SUFFIXES = (".mov", ".mp4", ".m4v", ".mkv", ".webm", ".avi", ".mxf", ".mpg", ".mpeg", ".ts", ".mts", ".r3d",
                 ".braw")  # fmt: skip
BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"heim": "HEIC", b"heis": "HEIC",
          b"hevc": "HEIC", b"hevx": "HEIC"}  # fmt: skip
TGA_SUFFIXES = (".tga", ".targa", ".vda", ".icb", ".vst")  # this format has no signature
TGA_KINDS = (1, 2, 3, 9, 10, 11)


def recognise(path: Path) -> str:
    """Return the name of the format, one of `READ`. Raises `ItemError`: `missing`, `unreadable`, `unsupported`."""
    head = read_head(path)
    if not head:
        raise ItemError("unreadable", f"{path} is empty (0 bytes): copy or export it again")
    kind = kind_of(head, path)
    if kind is None:
        raise ItemError("unreadable", f"{path} is not an image: expected {', '.join(READ[:-1])} or {READ[-1]}")
    if kind == FILM:
        raise ItemError("unsupported", f"{path} is a film: make frames of it first: {frames_of_film(path)}")
    if kind not in READ:
        raise ItemError("unsupported", f"{path} is {kind}: convert it to PNG, TIFF or JPEG first")
    return kind


def frames_of_film(path: str | Path) -> str:
    """Return the command that makes numbered frames of a film, to be matted as a sequence."""
    frames, pattern = (shlex.quote(f"{Path(path).stem}.{number}.png") for number in ("%04d", "####"))
    return f"ffmpeg -i {shlex.quote(str(path))} {frames}, and give {pattern}"


def read_head(path: Path) -> bytes:
    """Return the first bytes of a regular file. Raises `ItemError`: `missing`, `unreadable`."""
    if path.name.startswith(TEMPORARY):
        check_file(path)
    try:
        return read_start(path, HEAD)
    except OSError as error:
        check_file(path)  # which says what it is instead
        raise _refused(path, error) from None


def check_file(path: Path) -> None:
    """Raise `ItemError` `missing` or `unreadable` unless a path leads to a regular file; it is not opened."""
    if path.name.startswith(TEMPORARY):
        raise ItemError("unreadable", f"{path}: names that begin with {TEMPORARY} are for temporary files: rename it")
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        raise _refused(path, error) from None
    if stat.S_ISDIR(mode):
        raise ItemError("unreadable", f"{path} is a folder: give the files in it")
    if not stat.S_ISREG(mode):
        raise ItemError("unreadable", f"{path} is not a regular file: copy its content to one")


def _refused(path: Path, error: OSError | ValueError) -> ItemError:
    """Return the item's error for the system's."""
    if isinstance(error, ValueError):
        return ItemError("missing", f"{path} does not exist: there is a NUL in its name")
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        what = "is a link to a file that is not there" if path.is_symlink() else "does not exist"
        pattern = as_pattern(str(path))
        advice = f"write a sequence as {pattern}" if pattern else "check its name"
        return ItemError("missing", f"{path} {what}: {advice}")
    if error.errno == errno.ENAMETOOLONG:
        return ItemError("missing", f"{path} does not exist: its name is too long for the file system")
    if isinstance(error, PermissionError):
        return ItemError("unreadable", f"{path} may not be read: give yourself permission (chmod u+r)")
    return ItemError("unreadable", f"{path} cannot be read: {error.strerror}")


def kind_of(head: bytes, path: Path) -> str | None:
    """Return the name of the format of a file, by its first bytes, or None."""
    for start, signature, name in SIGNATURES:
        if head.startswith(signature, start):
            return name
    if head[4:8] == b"ftyp":
        brands = [head[8:12], *(head[i : i + 4] for i in range(16, min(head[3], len(head)), 4))]
        return next((BRANDS[brand] for brand in brands if brand in BRANDS), FILM)
    if len(head) > 18 and head[1] < 2 and head[2] in TGA_KINDS and path.suffix.lower() in TGA_SUFFIXES:
        return "TGA"
    return None


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

# Where a format has several, its header is read.
LOG_SUFFIXES = (".dpx", ".cin", ".cineon")
ALWAYS: dict[str, Depth] = {"JPEG": "8", "WebP": "8", "BMP": "8", "TGA": "8", "GIF": "8", "AVIF": "8"}


def depth_of(path: Path) -> Depth | None:
    """Return the depth, or None where the file is broken, or no picture: reading it will say so.

    Of an EXR file it is that of all its channels together, so `float` may turn out to be `half`. Raises `ItemError` as
    `read_head`.
    """
    head = read_head(path)
    kind = kind_of(head, path)
    if kind in ALWAYS:
        return ALWAYS[kind]
    if kind == "PNG":
        return "16" if head[24:25] == b"\x10" else "8"
    if kind == "HEIC":
        from .pillow import heic_depth

        return heic_depth(path)
    if kind is None:
        return None
    from .opening import opened
    from .samples import DEPTH_OF

    with suppress(ItemError, OSError, KeyError):
        check_header(path, kind)
        with opened(path) as reader:
            return DEPTH_OF[str(reader.spec().format)]
    return None


def is_log(path: Path) -> bool:
    """Tell by its header whether a file is a film scan, or a frame of a camera, whose numbers are a log of light."""
    if not str(path).lower().endswith(LOG_SUFFIXES):
        return False
    from .metadata import attributes, encoding_of
    from .opening import opened

    with suppress(ItemError, OSError):
        kind = kind_of(read_head(path), path)
        if kind != "DPX":
            return kind == "Cineon"
        with opened(path) as reader:
            return encoding_of(attributes(reader.spec()), kind, "16").is_log
    return False
