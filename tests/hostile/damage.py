"""Good files, cut short, with bits flipped, and under wrong names."""

import zlib
from collections.abc import Iterator

import numpy as np

BITS = (1, 1, 4, 16, 128)  # flipped in each of them
HEADER = 160  # in every other file the bits are flipped here, where the lies are


def cases(good: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Every good file, damaged."""
    suffixes = sorted({name.rpartition(".")[2] for name in good})
    for i, (name, whole) in enumerate(good.items()):
        stem, _, suffix = name.rpartition(".")
        stem = f"{suffix}-{stem}"
        for quarter in range(4):
            yield f"{stem}-cut-{quarter}.{suffix}", whole[: len(whole) * quarter // 4]
        yield f"{stem}-cut-last.{suffix}", whole[:-1]
        yield f"{stem}-twice.{suffix}", whole + whole
        for k, bits in enumerate(BITS):
            yield f"{stem}-flipped-{k}.{suffix}", flipped(whole, zlib.crc32(name.encode()) + k, bits, k % 2 == 0)
        other = suffixes[(suffixes.index(suffix) + 1 + i) % len(suffixes)]
        yield f"{stem}-called.{other if other != suffix else 'hdr'}", whole
    yield "text.jpg", b"this is no picture\n" * 20
    yield "zeros.png", bytes(5000)
    yield "noise.tga", np.random.default_rng(3).bytes(4000)
    yield "archive.psd", b"PK\3\4" + bytes(100)
    yield "photoshop.png", b"8BPS\0\1" + bytes(60)
    yield "one-byte.jpg", b"\xff"


def flipped(whole: bytes, seed: int, bits: int, in_header: bool) -> bytes:
    """Some bits of it, chosen by the seed, turned over."""
    content = np.frombuffer(whole, np.uint8).copy()
    draw = np.random.default_rng(seed)
    reach = min(HEADER, len(content)) if in_header else len(content)
    places = draw.integers(
        4 if in_header else 0, reach, bits
    )  # the signature stays, or it were only another no picture
    content[places] ^= (1 << draw.integers(0, 8, bits)).astype(np.uint8)
    return content.tobytes()
