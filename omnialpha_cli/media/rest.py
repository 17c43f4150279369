"""Keep what an EXR file holds beside its picture: other channels and parts (`--keep-layers`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import OpenImageIO as oiio
from numpy.typing import NDArray

from .channels import can_be_kept
from .image import Image, Metadata
from .metadata import of_channels
from .opening import opened, parts_of, read_samples
from .signatures import recognise

Taken = tuple[Path, int, tuple[int, ...]]  # a file, and the part and channels of its picture


@dataclass(frozen=True, eq=False)
class Rest:
    """Hold what an EXR file has beside its picture.

    `planes` are names and samples (H, W), half or float, of the other channels of its part, `parts` headers and
    samples (H, W, channels) of the others, `metadata` what describes channels.
    """

    planes: Sequence[tuple[str, NDArray[Any]]] = ()
    parts: Sequence[tuple[oiio.ImageSpec, NDArray[Any]]] = ()
    metadata: Metadata = field(default_factory=dict[str, Any])


def taken_of(image: Image | None) -> Taken | None:
    """Return where the rest of a picture's file is; None where there is none."""
    if image is None or image.path is None or not image.left_out or recognise(image.path) != "OpenEXR":
        return None
    return image.path, image.part, image.channels


def read_rest(path: Path, part: int, channels: tuple[int, ...]) -> Rest:
    """Read all of a file but those `channels` of that `part`. Raises OSError.

    Deep parts, and whole numbers beside floats in one part, are left out: they cannot be written again.
    """
    planes: list[tuple[str, NDArray[Any]]] = []
    parts: list[tuple[oiio.ImageSpec, NDArray[Any]]] = []
    metadata: Mapping[str, Any] = {}
    with opened(path) as reader:
        for number, spec in parts_of(reader):
            if number == part:
                metadata = of_channels(spec)
                planes = [
                    (spec.channelnames[i], read_samples(reader, number, i, i + 1, str(spec.channelformat(i)))[..., 0])
                    for i in range(spec.nchannels)
                    if i not in channels and can_be_kept(spec, i, beside=True)
                ]
            elif not spec.deep:
                samples = read_samples(reader, number, 0, spec.nchannels, str(spec.format))
                parts.append((oiio.ImageSpec(spec), samples))
    return Rest(planes, parts, metadata)
