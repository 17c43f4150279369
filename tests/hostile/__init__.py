"""Files that are wrong in every way we could think of, made anew for each run, the same every time."""

from collections.abc import Iterator
from functools import cache
from itertools import chain
from pathlib import Path

from . import damage, exrs, jpegs, places, pngs, profiles, rasters, tiffs
from .bases import good_files

Case = tuple[str, bytes]


def cases() -> Iterator[Case]:
    """Names, each with what tells the case before the suffix, and contents."""
    good = good_files()
    makers = (pngs, jpegs, tiffs, exrs, rasters, profiles)
    yield from damage.cases(good)
    yield from chain.from_iterable(maker.cases(good) for maker in makers)


@cache
def _contents() -> dict[str, bytes]:
    return dict(cases())


def content(name: str) -> bytes:
    """That of one of the cases."""
    return _contents()[name]


def write_corpus(folder: Path) -> list[Path]:
    """Write all of them and what is no file at all; their paths, none of which has the stem of another."""
    paths = []
    for name, content in cases():
        path = folder / name
        path.write_bytes(content)
        paths.append(path)
    paths += places.make(folder)
    stems = [path.stem for path in paths]
    assert len(stems) == len(set(stems)), sorted(stem for stem in set(stems) if stems.count(stem) > 1)
    return paths
