"""Write into a file what made it: the version, task, settings and weights, digests of its inputs and of itself.

PNG has it as text (`omnialpha:version`, …), EXR as attributes, TIFF, WebP and PSD as XMP, ORA as the archive's comment,
and `layers.json` as members. There is no time, folder or user in it: the same pixels are the same file.
"""

import hashlib
import json
import mmap
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from zipfile import ZipFile

from .. import __version__

PREFIX = "omnialpha:"
FIELDS = ("version", "task", "settings", "weights", "seed", "inputs", "digest")
MEASURES = ("confidence", "darkened", "lightened")  # of a result, where the model tells them: also fields
# Before the sha256 of the file, which is computed with zeros in its own place.
MARK, ZEROS = b"omnialpha-digest-", b"0" * 64
NAMESPACE = "urn:omnialpha:provenance:"
PNG_SIGNATURE, PNG_DIGEST = b"\x89PNG\r\n\x1a\n", b"iTXtomnialpha:digest\0\0\0\0\0"
TEXT_BYTES = 2**20  # of a record, at most

PLACE = "place"  # of a trimmed picture in the one it was made of: left, top, width and height of that one

Record = Mapping[str, str]  # by the names of `FIELDS`, and `PLACE` and `MEASURES` where there are some


def record(
    task: str, settings: Mapping[str, Any], weights: str, inputs: Sequence[str], measures: Mapping[str, float]
) -> Record:
    """Return what a result is to hold: `inputs` are the sha256 of the picture and of its hints, in order."""
    values = (__version__, task, json.dumps(settings), weights, str(settings["seed"]), " ".join(inputs))
    told = dict(zip(FIELDS, values, strict=False)) | {name: f"{value:g}" for name, value in measures.items()}
    return told | {FIELDS[-1]: (MARK + ZEROS).decode()}


def measures_of(values: Record) -> dict[str, float]:
    """Return the measures in a record. Raises ValueError."""
    return {name: float(values[name]) for name in MEASURES if name in values}


def named(values: Record) -> dict[str, str]:
    """Return a record under the names that it has in files."""
    return {PREFIX + name: value for name, value in values.items()}


def png_chunks(values: Record) -> Iterator[tuple[bytes, bytes]]:
    """Give iTXt chunks, without compression, the digest last."""
    for name, value in named(values).items():
        yield b"iTXt", name.encode() + b"\0\0\0\0\0" + value.encode("utf-8", "replace")


def xmp(values: Record) -> bytes:
    """Return an XMP packet (ISO 16684-1)."""
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    for prefix, uri in (("x", "adobe:ns:meta/"), ("rdf", rdf), ("omnialpha", NAMESPACE)):
        ET.register_namespace(prefix, uri)
    top = ET.Element("{adobe:ns:meta/}xmpmeta")
    own = {f"{{{NAMESPACE}}}{name}": value for name, value in values.items()}
    ET.SubElement(ET.SubElement(top, f"{{{rdf}}}RDF"), f"{{{rdf}}}Description", {f"{{{rdf}}}about": "", **own})
    begin, end = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>', '<?xpacket end="r"?>'
    return (begin + ET.tostring(top, encoding="unicode") + end).encode()


def seal(path: Path) -> None:
    """Put the digest of a file in its place, where it has one. Raises OSError."""
    with path.open("rb+") as file, mmap.mmap(file.fileno(), 0) as data:
        place = data.rfind(MARK + ZEROS)
        if place < 0 or (_is_png(data) and data[place - len(PNG_DIGEST) : place] != PNG_DIGEST):
            return
        start = place + len(MARK)
        digest = _digest(data, start)
        data[start : start + len(digest)] = digest


def read(path: Path) -> Record | None:
    """Return the record in a file, None where there is none. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(8)
    try:
        found = _fields(path, head)
        names = (PLACE, *FIELDS[:-1], *MEASURES, FIELDS[-1])
        values = {name: found[PREFIX + name] for name in names if isinstance(found.get(PREFIX + name), str)}
        measures_of(values)
        if values.keys() >= set(FIELDS) and isinstance(json.loads(values["settings"]), dict):
            return values
    except OSError:
        raise
    except Exception:  # whatever a file that is none of ours leads a parser to
        return None
    return None


def offset_of(path: Path) -> tuple[int, int]:
    """Return where a result lies in its picture, as far as the file says: left, top."""
    try:
        left, top, *_ = map(int, (read(path) or {}).get(PLACE, "0 0").split())
    except (OSError, ValueError):
        return 0, 0
    return left, top


def is_untouched(path: Path) -> bool:
    """Tell whether a file is, to the byte, as it was made. Raises OSError."""
    with path.open("rb") as file:
        if not file.read(1):
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            place = data.rfind(MARK)
            if place < 0:
                return False
            start = place + len(MARK)
            digest = _digest(data, start)
            return data[start : start + len(digest)] == digest


def _is_png(data: mmap.mmap) -> bool:
    return data[: len(PNG_SIGNATURE)] == PNG_SIGNATURE


def _digest(data: mmap.mmap, start: int) -> bytes:
    """Return what belongs at `start`: the sha256 of the file with zeros there, and in PNG the checksum after it."""
    end = start + len(ZEROS) + 4 * _is_png(data)
    whole = hashlib.sha256()
    with memoryview(data) as view:
        whole.update(view[:start])
        whole.update(bytes(end - start))
        whole.update(view[end:])
    digest = whole.hexdigest().encode()
    if not _is_png(data):
        return digest
    chunk = data[start - len(MARK) - len(PNG_DIGEST) : start] + digest
    return digest + struct.pack(">I", zlib.crc32(chunk))


def _fields(path: Path, head: bytes) -> Mapping[str, Any]:
    if head == PNG_SIGNATURE:
        return dict(_png_texts(path))
    if head[:4] == b"v/1\x01":
        from .metadata import attributes
        from .opening import opened

        with suppress(OSError), opened(path) as reader:
            return attributes(reader.spec())
        return {}
    if head[:4] == b"PK\3\4":
        with ZipFile(path) as archive:
            return dict(json.loads(archive.comment))
    if head[:1] == b"{":
        if path.stat().st_size > TEXT_BYTES:
            return {}
        return dict(json.loads(path.read_bytes()))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        begin, end = data.rfind(b"<x:xmpmeta"), data.rfind(b"</x:xmpmeta>")
        if not 0 <= begin < end < begin + TEXT_BYTES:
            return {}
        packet = ET.fromstring(data[begin : end + len(b"</x:xmpmeta>")])
    own = f"{{{NAMESPACE}}}"
    pairs = [(name, value) for element in packet.iter() for name, value in element.attrib.items()]
    return {PREFIX + name.removeprefix(own): value for name, value in pairs if name.startswith(own)}


def _png_texts(path: Path) -> Iterator[tuple[str, str]]:
    with path.open("rb") as file:
        file.seek(len(PNG_SIGNATURE))
        while len(head := file.read(8)) == 8:
            size = int.from_bytes(head[:4])
            if head[4:] != b"iTXt" or size > TEXT_BYTES:
                file.seek(size + 4, 1)
                continue
            keyword, _, rest = file.read(size).partition(b"\0")
            file.seek(4, 1)
            yield keyword.decode("latin-1"), rest[4:].decode("utf-8", "replace")
