"""Which part and channels of a file are its picture, and where an EXR file's pixels lie on its display window."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO as oiio
from numpy.typing import NDArray

from ..status import ItemError
from .complaints import complaint, printable
from .image import SAMPLES

RGB, ALPHA, GREY = ("R", "G", "B"), "A", "Y"
PRINT = ("C", "M", "Y", "K")
MOST_NAMES = 20  # in a message


@dataclass(frozen=True)
class Channels:
    """The picture's channels in a file: three of colour or one of grey, then alpha; `sample` is OpenImageIO's type."""

    indices: tuple[int, ...]
    has_alpha: bool
    sample: str

    @property
    def has_colour(self) -> bool:
        """Whether there are three channels of it."""
        return len(self.indices) >= 3


def choose_channels(path: Path, reader: oiio.ImageInput, data: bool = False) -> tuple[int, Channels, list[str]]:
    """The part, its channels, and what the user should be told. The reader stays at that part.

    It is the first part with RGB and alpha, else the first with RGB, else with grey. Of a picture that is `data`, such
    as a mask, a channel of alpha alone serves, or the only one that there is. Raises `ItemError` `unsupported`.
    """
    parts = _parts(reader)
    flat = [(part, spec) for part, spec in enumerate(parts) if not spec.deep]
    found = [(part, channels) for part, spec in flat if (channels := _picture(spec))]
    if data and not found:
        found = [(part, channels) for part, spec in flat if (channels := _lone(spec))]
    if not found:
        raise ItemError("unsupported", _refusal(path, parts[0]))
    part, channels = max(found, key=lambda row: (row[1].has_colour, row[1].has_alpha, -row[0]))
    if reader.format_name() == "openexr":
        reader.seek_subimage(part, 0)
    notes = []
    if len(parts) > 1:
        notes.append(f"{path} has {len(parts)} parts: number {part + 1} is used")
    left = [name for i, name in enumerate(parts[part].channelnames) if i not in channels.indices]
    if left:
        notes.append(f"{path}: its channels {_listed(left)} are left out")
    if channels.sample not in SAMPLES:
        raise ItemError("unsupported", f"{path} has {channels.sample} samples: save it as 8 or 16 bits, half or float")
    return part, channels, notes


def on_display(path: Path, samples: NDArray[Any], spec: oiio.ImageSpec, notes: list[str]) -> NDArray[Any]:
    """The samples (H, W, channels) of the data window, on the display window; 0 where there are none."""
    left, top = spec.x - spec.full_x, spec.y - spec.full_y
    height, width = spec.full_height, spec.full_width
    if (left, top, spec.height, spec.width) == (0, 0, height, width):
        return samples
    shown = np.zeros((height, width, samples.shape[2]), samples.dtype)
    rows, columns = slice(max(0, top), max(0, top + spec.height)), slice(max(0, left), max(0, left + spec.width))
    part = samples[max(0, -top) :, max(0, -left) :]
    target = shown[rows, columns]
    target[...] = part[: target.shape[0], : target.shape[1]]
    if target.shape[:2] != samples.shape[:2]:
        notes.append(f"{path} has pixels outside its display window, which are left out")
    return shown


def _parts(reader: oiio.ImageInput) -> list[oiio.ImageSpec]:
    """The headers of all parts of an EXR file; of other files that of the picture at hand.

    A decoder that is asked for more may forget what it had to complain about.
    """
    parts = [reader.spec()]
    while reader.format_name() == "openexr" and reader.seek_subimage(len(parts), 0):
        parts.append(reader.spec())
    if reader.format_name() == "openexr":
        complaint(reader)  # the seek behind the last part leaves its complaint
    return parts


def _picture(spec: oiio.ImageSpec) -> Channels | None:
    """The picture's channels in a part; of several layers with names the first."""
    names = list(spec.channelnames)
    prefixes = dict.fromkeys(["", *(name.rpartition(".")[0] + "." for name in names if "." in name)])
    for colours in (RGB, (GREY,)):
        for prefix in prefixes:
            wanted = [prefix + colour for colour in colours]
            if not set(wanted) <= set(names) or ({"RY", "BY"} & set(names) and colours == (GREY,)):
                continue
            if set(PRINT) <= set(names):
                continue
            alpha = [prefix + ALPHA] if prefix + ALPHA in names else []
            indices = tuple(names.index(name) for name in (*wanted, *alpha))
            return Channels(indices, bool(alpha), _sample(spec, indices))
    return None


def _lone(spec: oiio.ImageSpec) -> Channels | None:
    """A part's first channel of alpha, or the only one that it has, as grey."""
    names = list(spec.channelnames)
    alphas = [i for i, name in enumerate(names) if name.rpartition(".")[2].upper() == ALPHA]
    indices = tuple(alphas[:1] or (range(1) if len(names) == 1 else ()))
    return Channels(indices, False, _sample(spec, indices)) if indices else None


def _sample(spec: oiio.ImageSpec, indices: tuple[int, ...]) -> str:
    types = {str(spec.channelformat(index)) for index in indices}
    return types.pop() if len(types) == 1 else str(spec.format)


def _refusal(path: Path, spec: oiio.ImageSpec) -> str:
    if spec.deep:
        return f"{path} holds deep samples: flatten it first"
    return f"{path} has the channels {_listed(spec.channelnames)}: save it as RGB or RGBA"


def _listed(names: Sequence[str]) -> str:
    """Names of channels on one line, of very many the first."""
    more = f" and {len(names) - MOST_NAMES} others" if len(names) > MOST_NAMES else ""
    return " ".join(printable(", ".join(names[:MOST_NAMES])).split()) + more
